//! The path walk: links, `..`, slashes, permissions, open flags.

use super::{
    errno, find, mkdir, open_with, put, rename, rmdir, scratch_mount, symlink, unlink, walk_as_user, walk_from,
};
use crate::error::Errno;
use crate::mm::ReadBuf;
use crate::vfs::file::OpenFlags;
use crate::vfs::inode::{Kind, RenameMode, SetAttr};
use crate::vfs::{Walk, WalkFlags, attr, change, shrink, walk};
use alloc::format;
use alloc::string::String;

fn tree() -> Walk {
    let ctx = walk_from(&scratch_mount().root_path());
    mkdir(&ctx, "/a").expect("a");
    mkdir(&ctx, "/a/b/").expect("a trailing slash is fine for a directory");
    put(&ctx, "/a/b/file", "text").expect("file");
    symlink(&ctx, "b", "/a/rel").expect("rel");
    symlink(&ctx, "/a/b/file", "/abs").expect("abs");
    symlink(&ctx, "loop2", "/loop1").expect("loop1");
    symlink(&ctx, "loop1", "/loop2").expect("loop2");
    symlink(&ctx, "/a/new", "/dangling").expect("dangling");
    ctx
}

#[test]
fn links_slashes_and_dots() {
    let ctx = tree();
    let file = find(&ctx, "/a/b/file").expect("file");
    for name in ["/abs", "a/rel/file", "//a//./b/../b/file", "/../../a/b/file", "a/rel/../rel/file"] {
        assert_eq!(find(&ctx, name).expect(name), file, "{name}");
    }
    assert_eq!(file.text_from(&ctx.root).as_deref(), Some(&b"/a/b/file"[..]));
    assert_eq!(errno(find(&ctx, "/loop1")), Errno::ELOOP);
    assert_eq!(errno(find(&ctx, "/a/b/file/")), Errno::ENOTDIR);
    assert_eq!(errno(find(&ctx, "/abs/")), Errno::ENOTDIR);
    assert_eq!(errno(find(&ctx, "/a/b/file/.")), Errno::ENOTDIR);
    assert_eq!(errno(find(&ctx, "")), Errno::ENOENT);
    assert_eq!(errno(find(&ctx, "/a/x/y")), Errno::ENOENT);
    assert_eq!(errno(find(&ctx, &String::from_utf8(alloc::vec![b'n'; 256]).expect("ascii"))), Errno::ENAMETOOLONG);
    let link = walk(&ctx, b"/a/rel", WalkFlags::NOFOLLOW).expect("the link itself");
    assert_eq!(link.inode().kind(), Kind::Symlink);
    let through = walk(&ctx, b"/a/rel/", WalkFlags::NOFOLLOW).expect("a slash follows");
    assert!(through.is_dir());
}

#[test]
fn forty_links_and_no_more() {
    let ctx = tree();
    symlink(&ctx, "/a", "/l0").expect("l0");
    for n in 1..=41 {
        symlink(&ctx, &format!("l{}", n - 1), &format!("/l{n}")).expect("a chain");
    }
    assert!(find(&ctx, "/l39").is_ok());
    assert_eq!(errno(find(&ctx, "/l40")), Errno::ELOOP);
}

#[test]
fn chroot_holds_dotdot() {
    let mut ctx = tree();
    let jail = find(&ctx, "/a").expect("a");
    ctx.root = jail.clone();
    ctx.start = jail.clone();
    assert_eq!(find(&ctx, "../../..").expect("up"), jail);
    assert_eq!(find(&ctx, "/../b/../..").expect("up"), jail);
    // An absolute link is taken from the new root.
    symlink(&ctx, "/b/file", "/inner").expect("inner");
    assert!(find(&ctx, "/inner").is_ok());
    assert_eq!(errno(find(&ctx, "/a")), Errno::ENOENT);
}

#[test]
fn openat2_restrictions() {
    let mut ctx = tree();
    ctx.start = find(&ctx, "/a").expect("a");
    let beneath = |path: &[u8]| walk(&ctx, path, WalkFlags::BENEATH);
    assert!(beneath(b"b/../b/file").is_ok());
    assert_eq!(errno(beneath(b"../a")), Errno::EXDEV);
    assert_eq!(errno(beneath(b"/a")), Errno::EXDEV);
    assert_eq!(walk(&ctx, b"/b/file", WalkFlags::IN_ROOT).expect("in root"), find(&ctx, "b/file").expect("file"));
    assert_eq!(walk(&ctx, b"../../b", WalkFlags::IN_ROOT).expect("in root"), find(&ctx, "b").expect("b"));
    assert_eq!(errno(walk(&ctx, b"rel/file", WalkFlags::NO_SYMLINKS)), Errno::ELOOP);
}

#[test]
fn open_flags() {
    let ctx = tree();
    let create = OpenFlags::CREAT | OpenFlags::WRONLY;
    assert_eq!(errno(open_with(&ctx, "/abs", create | OpenFlags::EXCL)), Errno::EEXIST);
    assert_eq!(errno(open_with(&ctx, "/dangling", create | OpenFlags::EXCL)), Errno::EEXIST);
    assert_eq!(errno(open_with(&ctx, "/dangling", OpenFlags::empty())), Errno::ENOENT);
    open_with(&ctx, "/dangling", create).expect("created where the link leads");
    assert!(find(&ctx, "/a/new").is_ok());
    assert_eq!(errno(open_with(&ctx, "/abs", OpenFlags::NOFOLLOW)), Errno::ELOOP);
    assert!(open_with(&ctx, "/abs", OpenFlags::NOFOLLOW | OpenFlags::PATH).expect("a path").is_path());
    assert_eq!(errno(open_with(&ctx, "/a", OpenFlags::WRONLY)), Errno::EISDIR);
    assert_eq!(errno(open_with(&ctx, "/a", create)), Errno::EISDIR);
    assert_eq!(errno(open_with(&ctx, "/new/", create)), Errno::EISDIR);
    assert_eq!(errno(open_with(&ctx, "/abs", OpenFlags::DIRECTORY)), Errno::ENOTDIR);
    assert_eq!(errno(open_with(&ctx, "/loop1", create)), Errno::ELOOP);
    let file = open_with(&ctx, "/abs", OpenFlags::empty()).expect("read");
    let mut bytes = [0; 8];
    assert_eq!(file.read(&mut ReadBuf::kernel(&mut bytes)), Ok(4));
    assert_eq!(&bytes[..4], b"text");
    assert_eq!(errno(file.write(&mut crate::mm::WriteBuf::kernel(b"x"))), Errno::EBADF);
    open_with(&ctx, "/abs", OpenFlags::TRUNC | OpenFlags::WRONLY).expect("truncate");
    assert_eq!(file.size(), Ok(0));
}

#[test]
fn names_come_and_go() {
    let ctx = tree();
    assert_eq!(errno(mkdir(&ctx, "/a")), Errno::EEXIST);
    assert_eq!(errno(mkdir(&ctx, "/")), Errno::EEXIST);
    assert_eq!(errno(mkdir(&ctx, "/x/y")), Errno::ENOENT);
    assert_eq!(errno(unlink(&ctx, b"/a")), Errno::EISDIR);
    assert_eq!(errno(unlink(&ctx, b"/a/b/file/")), Errno::ENOTDIR);
    assert_eq!(errno(rmdir(&ctx, b"/a")), Errno::ENOTEMPTY);
    assert_eq!(errno(rmdir(&ctx, b"/a/.")), Errno::EINVAL);
    assert_eq!(errno(rmdir(&ctx, b"/abs")), Errno::ENOTDIR);
    assert_eq!(errno(rename(&ctx, b"/a", b"/a/b/c", RenameMode::Replace)), Errno::EINVAL);
    mkdir(&ctx, "/e").expect("e");
    assert_eq!(errno(rename(&ctx, b"/abs", b"/e", RenameMode::Replace)), Errno::EISDIR);
    assert_eq!(errno(rename(&ctx, b"/a/b/file", b"/a", RenameMode::Replace)), Errno::ENOTEMPTY);
    assert_eq!(errno(rename(&ctx, b"/a", b"/abs", RenameMode::NoReplace)), Errno::EEXIST);
    let old = find(&ctx, "/a/b/file").expect("file");
    change::link(&ctx, &old, b"/hard").expect("link");
    assert_eq!(old.inode().attr().expect("attr").nlink, 2);
    unlink(&ctx, b"/a/b/file").expect("unlink");
    assert!(old.dentry.is_dead());
    assert_eq!(errno(find(&ctx, "/a/b/file")), Errno::ENOENT);
    assert!(find(&ctx, "/hard").is_ok());
    rename(&ctx, b"/hard", b"/a/b/file", RenameMode::Replace).expect("back");
    assert!(find(&ctx, "/abs").is_ok());
    mkdir(&ctx, "/c").expect("c");
    rename(&ctx, b"/a", b"/c", RenameMode::Exchange).expect("exchange");
    assert!(find(&ctx, "/c/b/file").is_ok());
    let inside = find(&ctx, "/a").expect("the former c");
    rmdir(&ctx, b"/a").expect("rmdir");
    let gone = Walk { start: inside, ..walk_from(&ctx.root) };
    assert_eq!(errno(mkdir(&gone, "x")), Errno::ENOENT);
}

#[test]
fn permissions() {
    let ctx = tree();
    let user = walk_as_user(&ctx.root);
    let secret = find(&ctx, "/a/b").expect("b");
    secret.inode().set_attr(&SetAttr { mode: Some(0o700), ..SetAttr::default() }).expect("chmod");
    assert_eq!(errno(find(&user, "/a/b/file")), Errno::EACCES);
    assert_eq!(errno(mkdir(&user, "/a/mine")), Errno::EACCES);
    assert_eq!(errno(unlink(&user, b"/a/rel")), Errno::EACCES);
    // The root is 1777: anybody creates, owners remove.
    put(&user, "/mine", "x").expect("mine");
    assert_eq!(errno(unlink(&user, b"/abs")), Errno::EPERM);
    assert_eq!(errno(rename(&user, b"/mine", b"/abs", RenameMode::Replace)), Errno::EPERM);
    let mine = find(&user, "/mine").expect("mine");
    assert_eq!(errno(attr::chown(&mine, &user.cred, Some(0), None)), Errno::EPERM);
    attr::chmod(&mine, &user.cred, 0o4755).expect("chmod");
    attr::set_size(&mine, &user.cred, 0).expect("truncate");
    assert_eq!(mine.inode().attr().expect("attr").mode, 0o755, "a write takes the set-user-ID bit");
    assert_eq!(errno(attr::chmod(&find(&ctx, "/a").expect("a"), &user.cred, 0o777)), Errno::EPERM);
    unlink(&user, b"/mine").expect("unlink");
}

#[test]
fn the_cache_shrinks_and_the_names_stay() {
    let ctx = tree();
    for n in 0..200 {
        put(&ctx, &format!("/a/b/f{n}"), "").expect("file");
        assert_eq!(errno(find(&ctx, &format!("/a/b/none{n}"))), Errno::ENOENT);
    }
    let held = find(&ctx, "/a/b/f7").expect("f7");
    for _ in 0..4 {
        shrink::shrink(100_000);
    }
    assert_eq!(find(&ctx, "/a/b/f7").expect("f7"), held);
    for n in 0..200 {
        find(&ctx, &format!("/a/b/f{n}")).expect("still there");
    }
}

#[test]
fn a_deep_tree_is_dropped_without_recursion() {
    let ctx = walk_from(&scratch_mount().root_path());
    let mut at = walk_from(&ctx.root);
    for _ in 0..20_000 {
        mkdir(&at, "d").expect("deeper");
        at.start = find(&at, "d").expect("d");
    }
    let bottom = at.start.dentry.clone();
    drop((ctx, at));
    drop(bottom);
}
