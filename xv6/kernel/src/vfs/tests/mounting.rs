//! The mount tree: crossing, stacking, binds, moves, unmounting, pivot_root, copies of namespaces.

use super::{errno, find, mkdir, proxy, put, rename, rmdir, scratch_mount, unlink, walk_as_user, walk_from};
use crate::error::{Errno, Result};
use crate::ns::UserNamespace;
use crate::vfs::inode::RenameMode;
use crate::vfs::mount::{Mount, MountFlags, TOPOLOGY};
use crate::vfs::mountcall::{self, MsFlags, Request};
use crate::vfs::namespace::{LIMIT, MountNamespace};
use crate::vfs::{FsContext, Path, Walk, umount};
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use std::sync::{MutexGuard, PoisonError};

/// A namespace around a fresh tmpfs with directories `a` and `b`, and a walk from its root; alone, for who waits for `TOPOLOGY` sleeps, which no
/// thread of the host's can.
fn world() -> (Arc<MountNamespace>, Walk, MutexGuard<'static, ()>) {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let namespace = MountNamespace::new(scratch_mount(), UserNamespace::initial().clone());
    let ctx = walk_from(&namespace.root_path());
    mkdir(&ctx, "/a").expect("a");
    mkdir(&ctx, "/b").expect("b");
    (namespace, ctx, alone)
}

/// Mounts a fresh tmpfs.
fn mount(namespace: &Arc<MountNamespace>, ctx: &Walk, at: &str) -> Result<Arc<Mount>> {
    let new = scratch_mount();
    attach(namespace, &new, find(ctx, at)?)?;
    Ok(new)
}

fn attach(namespace: &Arc<MountNamespace>, tree: &Arc<Mount>, at: Path) -> Result<()> {
    let _guard = TOPOLOGY.lock();
    crate::vfs::mountcall::attach_tree(namespace, tree, at)
}

fn umount(namespace: &Arc<MountNamespace>, ctx: &Walk, at: &str, flags: u32) -> Result<()> {
    umount::umount(ctx, namespace, at.as_bytes(), flags)
}

const DETACH: u32 = 2;

#[test]
fn crossing_both_ways_and_stacking() {
    let (namespace, ctx, _alone) = world();
    let first = mount(&namespace, &ctx, "/a").expect("first");
    mkdir(&ctx, "/a/in").expect("in");
    assert!(first.root.lookup(b"in").is_ok());
    assert_eq!(find(&ctx, "/a/..").expect("up"), ctx.root);
    assert_eq!(find(&ctx, "/a/in/../../b").expect("across").text_from(&ctx.root).as_deref(), Some(&b"/b"[..]));
    let second = mount(&namespace, &ctx, "/a").expect("second");
    assert_eq!(errno(find(&ctx, "/a/in")), Errno::ENOENT);
    assert!(Arc::ptr_eq(&find(&ctx, "/a").expect("a").mount, &second));
    assert_eq!(find(&ctx, "/a/..").expect("up"), ctx.root);
    assert_eq!(namespace.count(), 3);
    assert_eq!(errno(rmdir(&ctx, b"/a")), Errno::EBUSY);
    drop((first, second));
    umount(&namespace, &ctx, "/a", 0).expect("top");
    assert!(find(&ctx, "/a/in").is_ok());
    umount(&namespace, &ctx, "/a", 0).expect("bottom");
    assert_eq!(errno(umount(&namespace, &ctx, "/a", 0)), Errno::EINVAL);
    assert_eq!(namespace.count(), 1);
    rmdir(&ctx, b"/a").expect("free again");
}

#[test]
fn refusals() {
    let (namespace, ctx, _alone) = world();
    drop(mount(&namespace, &ctx, "/a").expect("mount"));
    let file = put(&ctx, "/a/file", "x").expect("file");
    assert_eq!(errno(umount(&namespace, &ctx, "/a", 0)), Errno::EBUSY);
    assert_eq!(errno(umount(&namespace, &ctx, "/b", 0)), Errno::EINVAL);
    assert_eq!(errno(umount(&namespace, &ctx, "/", 0)), Errno::EINVAL);
    assert_eq!(errno(umount(&namespace, &ctx, "/a", 64)), Errno::EINVAL);
    assert_eq!(errno(umount(&namespace, &walk_as_user(&ctx.root), "/a", 0)), Errno::EPERM);
    mkdir(&ctx, "/a/sub").expect("sub");
    drop(mount(&namespace, &ctx, "/a/sub").expect("below"));
    drop(file);
    assert_eq!(errno(umount(&namespace, &ctx, "/a", 0)), Errno::EBUSY);
    umount(&namespace, &ctx, "/a", DETACH).expect("detach takes all");
    assert_eq!(namespace.count(), 1);
}

#[test]
fn a_detached_mount_lives_while_used_and_is_its_own_top() {
    let (namespace, ctx, _alone) = world();
    let weak = Arc::downgrade(&mount(&namespace, &ctx, "/a").expect("mount"));
    mkdir(&ctx, "/a/in").expect("in");
    let inside = Walk { start: find(&ctx, "/a/in").expect("in"), ..walk_from(&ctx.root) };
    umount(&namespace, &ctx, "/a", DETACH).expect("detach");
    assert_eq!(find(&inside, "..").expect("up"), find(&inside, "../../..").expect("no higher"));
    assert!(inside.start.text_from(&ctx.root).is_none());
    drop(inside);
    assert!(weak.upgrade().is_none(), "nothing holds it any more");
}

/// Mounts an overlay whose layers, and a tar whose file, lie on the mount they hang on; weak references to all three mounts.
fn hold_each_other(namespace: &Arc<MountNamespace>, ctx: &Walk, at: &str) -> Vec<Weak<Mount>> {
    let path = |name: &str| format!("{at}/{name}");
    for name in ["lower", "upper", "work", "merged", "tree"] {
        mkdir(ctx, &path(name)).expect("a directory");
    }
    put(ctx, &path("tar"), core::str::from_utf8(&[0; 1024]).expect("zeros")).expect("an empty tar");
    let layers = format!("lowerdir={},upperdir={},workdir={}", path("lower"), path("upper"), path("work"));
    let ns = proxy(namespace.clone());
    for (fs_type, source, at, data) in
        [("overlay", "overlay", path("merged"), layers.as_str()), ("tarfs", path("tar").as_str(), path("tree"), "")]
    {
        let [source, target, fs_type, data] = [source, &at, fs_type, data].map(str::as_bytes);
        mountcall::mount(ctx, &ns, &Request { source, target, fs_type, flags: 1, data }).expect("mounted");
    }
    let mounts = [at, &path("merged"), &path("tree")].map(|at| find(ctx, at).expect("there").mount);
    mounts.iter().map(Arc::downgrade).collect()
}

fn all_gone(mounts: &[Weak<Mount>]) -> bool {
    mounts.iter().all(|mount| mount.upgrade().is_none())
}

#[test]
fn mounts_that_hold_each_other_go_with_their_namespace() {
    let (namespace, ctx, _alone) = world();
    drop(mount(&namespace, &ctx, "/a").expect("mount"));
    let mounts = hold_each_other(&namespace, &ctx, "/a");
    drop((namespace, ctx));
    assert!(all_gone(&mounts));
}

#[test]
fn mounts_that_hold_each_other_go_when_detached() {
    let (namespace, ctx, _alone) = world();
    drop(mount(&namespace, &ctx, "/a").expect("mount"));
    let mounts = hold_each_other(&namespace, &ctx, "/a");
    let inside = find(&ctx, "/a").expect("a");
    umount(&namespace, &ctx, "/a", DETACH).expect("detach");
    // Who stands inside keeps the mount that he stands in, not those that hung on it.
    assert!(mounts[0].upgrade().is_some() && find(&walk_from(&inside), "/lower").is_ok());
    assert!(all_gone(&mounts[1..]));
    drop(inside);
    assert!(all_gone(&mounts));
}

#[test]
fn an_overlay_keeps_its_layers_but_not_their_mounts() {
    let (namespace, ctx, _alone) = world();
    drop(mount(&namespace, &ctx, "/a").expect("mount"));
    put(&ctx, "/a/file", "x").expect("file");
    let request = Request { source: b"o", target: b"/b", fs_type: b"overlay", flags: 1, data: b"lowerdir=/a" };
    mountcall::mount(&ctx, &proxy(namespace.clone()), &request).expect("an overlay");
    umount(&namespace, &ctx, "/a", 0).expect("not busy");
    assert!(find(&ctx, "/b/file").is_ok());
}

#[test]
fn binds_show_a_part_and_copies_are_apart() {
    let (namespace, ctx, _alone) = world();
    mkdir(&ctx, "/a/in").expect("in");
    put(&ctx, "/a/in/file", "x").expect("file");
    drop(mount(&namespace, &ctx, "/a/in").expect("covering"));
    mkdir(&ctx, "/a/in/deep").expect("deep");
    let source = find(&ctx, "/a").expect("a");
    let bind = |recursive| crate::vfs::namespace::copy_tree(&source.mount, &source.dentry, recursive).expect("copy").0;
    attach(&namespace, &bind(false), find(&ctx, "/b").expect("b")).expect("bind");
    assert!(find(&ctx, "/b/in/file").is_ok(), "a plain bind does not bring what is mounted below");
    umount(&namespace, &ctx, "/b", 0).expect("umount");
    attach(&namespace, &bind(true), find(&ctx, "/b").expect("b")).expect("rbind");
    assert!(find(&ctx, "/b/in/deep").is_ok());
    assert_eq!(find(&ctx, "/b/..").expect("up"), ctx.root);
    assert_eq!(namespace.count(), 4);

    let fs = FsContext::new(ctx.root.clone());
    fs.set_cwd(find(&ctx, "/b/in/deep").expect("deep"));
    let copy = namespace.copy(&fs, UserNamespace::initial().clone()).expect("copy");
    assert_eq!(copy.count(), 4);
    let (root, cwd) = fs.both();
    assert_eq!(root, copy.root_path());
    assert!(cwd.mount.is_in(&copy) && !ctx.root.mount.is_in(&copy));
    let inner = walk_from(&root);
    umount(&copy, &inner, "/b", DETACH).expect("in the copy");
    assert_eq!(errno(find(&inner, "/b/in")), Errno::ENOENT);
    assert!(find(&ctx, "/b/in/deep").is_ok(), "the original keeps its mount");
}

#[test]
fn pivot_and_leave_the_old_root() {
    let (namespace, ctx, _alone) = world();
    let new = mount(&namespace, &ctx, "/a").expect("new root");
    assert_eq!(errno(umount::pivot_root(&ctx, &namespace, b"/b", b"/b")), Errno::EBUSY);
    mkdir(&ctx, "/a/old").expect("old");
    assert_eq!(errno(umount::pivot_root(&ctx, &namespace, b"/a/old", b"/a/old")), Errno::EINVAL);
    assert_eq!(errno(umount::pivot_root(&ctx, &namespace, b"/a", b"/b")), Errno::EBUSY);
    let (old, top) = umount::pivot_root(&ctx, &namespace, b"/a", b"/a/old").expect("pivot");
    assert!(Arc::ptr_eq(&top.mount, &new) && old == ctx.root);
    let inside = walk_from(&top);
    assert!(find(&inside, "/old/b").is_ok());
    assert_eq!(find(&inside, "/old/../..").expect("up"), top);
    assert!(Arc::ptr_eq(&namespace.root(), &new));
    drop((old, ctx));
    umount(&namespace, &inside, "/old", 0).expect("nobody stands there");
    assert_eq!(namespace.count(), 1);
}

#[test]
fn pivot_onto_itself() {
    let (namespace, ctx, _alone) = world();
    drop(mount(&namespace, &ctx, "/a").expect("new root"));
    let start = find(&ctx, "/a").expect("a");
    let here = Walk { start: start.clone(), ..walk_from(&ctx.root) };
    let (_, top) = umount::pivot_root(&here, &namespace, b".", b".").expect("pivot");
    let inside = walk_from(&top);
    umount(&namespace, &inside, ".", DETACH).expect("the old root lies on top");
    assert_eq!((namespace.count(), namespace.root_path()), (1, top));
}

#[test]
fn a_less_privileged_copy_is_locked() {
    let (namespace, ctx, _alone) = world();
    mount(&namespace, &ctx, "/a").expect("a").set_flags(MountFlags::RDONLY | MountFlags::RELATIME);
    let user = UserNamespace::initial().new_child(0, 0).expect("a user namespace");
    let fs = FsContext::new(ctx.root.clone());
    let copy = namespace.copy(&fs, user).expect("copy");
    let inner = walk_from(&fs.root());
    assert_eq!(errno(umount(&copy, &inner, "/a", DETACH)), Errno::EINVAL);
    let request = |source: &'static [u8], target: &'static [u8], flags| Request {
        source,
        target,
        fs_type: b"",
        flags,
        data: b"",
    };
    let ns = |mnt: &Arc<MountNamespace>| proxy(mnt.clone());
    let rw = request(b"", b"/a", MsFlags::REMOUNT.union(MsFlags::BIND).bits());
    assert_eq!(errno(mountcall::mount(&inner, &ns(&copy), &rw)), Errno::EPERM);
    let bind = request(b"/", b"/b", MsFlags::BIND.bits());
    assert_eq!(errno(mountcall::mount(&inner, &ns(&copy), &bind)), Errno::EINVAL);
    let moved = request(b"/a", b"/b", MsFlags::MOVE.bits());
    assert_eq!(errno(mountcall::mount(&inner, &ns(&copy), &moved)), Errno::EINVAL);
    mountcall::mount(&ctx, &ns(&namespace), &rw).expect("the owner may");
    let rbind = request(b"/", b"/b", MsFlags::BIND.union(MsFlags::REC).bits());
    mountcall::mount(&inner, &ns(&copy), &rbind).expect("with all that is below");
    assert_eq!(errno(umount(&copy, &inner, "/b/a", 0)), Errno::EINVAL);
    umount(&copy, &inner, "/b", DETACH).expect("the whole of it");
}

#[test]
fn a_namespace_is_bounded() {
    let (namespace, ctx, _alone) = world();
    for _ in 1..LIMIT {
        drop(mount(&namespace, &ctx, "/a").expect("stack"));
    }
    assert_eq!(errno(mount(&namespace, &ctx, "/a")), Errno::ENOSPC);
    assert_eq!(namespace.count(), LIMIT);
    drop(ctx);
    drop(namespace);
}

/// rmdir(2): `EBUSY` is for the caller's own mounts; others' come off, with what hangs on them, and their namespace counts them no more.
#[test]
fn a_mount_of_another_namespace_keeps_no_name() {
    let (namespace, ctx, _alone) = world();
    put(&ctx, "/file", "x").expect("file");
    let fs = FsContext::new(ctx.root.clone());
    let copy = namespace.copy(&fs, UserNamespace::initial().clone()).expect("copy");
    let inner = walk_from(&fs.root());
    let mut mounts = Vec::new();
    for at in ["/a", "/a/below", "/b", "/b"] {
        if at == "/a/below" {
            mkdir(&inner, at).expect("below");
        }
        mounts.push(Arc::downgrade(&mount(&copy, &inner, at).expect("mount")));
    }
    let bind = |at: &str, from: &str| {
        let from = find(&inner, from).expect("there");
        let (tree, _) = crate::vfs::namespace::copy_tree(&from.mount, &from.dentry, false).expect("copy");
        attach(&copy, &tree, find(&inner, at).expect("there")).expect("bind");
    };
    bind("/file", "/file");
    assert_eq!(copy.count(), 6);
    assert_eq!(errno(rmdir(&inner, b"/a")), Errno::EBUSY);
    assert_eq!(errno(unlink(&inner, b"/file")), Errno::EBUSY);
    assert_eq!(errno(rename(&inner, b"/a", b"/c", RenameMode::Replace)), Errno::EBUSY);
    assert_eq!(errno(rename(&inner, b"/a", b"/b", RenameMode::Replace)), Errno::EBUSY);
    rename(&ctx, b"/b", b"/c", RenameMode::Replace).expect("what moves keeps its mounts");
    assert!(Arc::ptr_eq(&find(&inner, "/c").expect("c").mount, &mounts[3].upgrade().expect("the top")));
    rmdir(&ctx, b"/a").expect("not mounted here");
    assert!(mounts[0].upgrade().is_none() && mounts[1].upgrade().is_none());
    assert_eq!((copy.count(), errno(find(&inner, "/a"))), (4, Errno::ENOENT));
    unlink(&ctx, b"/file").expect("not mounted here");
    mkdir(&ctx, "/d").expect("d");
    rename(&ctx, b"/d", b"/c", RenameMode::Replace).expect("replaces a mount point of others");
    assert_eq!(copy.count(), 1);
    assert!(mounts.iter().all(|mount| mount.upgrade().is_none()));
    assert!(find(&inner, "/c").expect("c").mount.is_in(&copy));
}
