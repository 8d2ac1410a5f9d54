//! Host tests: overlays of tmpfs layers, by example and against a plain tmpfs as the model.

use super::Overlay;
use super::mount::build;
use crate::error::{Errno, Result};
use crate::fs::tmpfs::{Options, TmpFs};
use crate::mm::{ReadBuf, WriteBuf};
use crate::vfs::file::OpenFlags;
use crate::vfs::inode::{FileSystem, InodeRef, Kind, NewNode, RenameMode, SetAttr};
use crate::vfs::tests::scratch_mount;
use crate::vfs::{Dentry, Mount, MountFlags, Path, Superblock};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::{Strategy, any, prop_oneof};

/// A tree on a fresh tmpfs, made by a list of paths: `dir/`, `file=content`, `-name` for a whiteout.
fn layer(entries: &[&str]) -> Path {
    let root = scratch_mount().root_path();
    for entry in entries {
        plant(&root.dentry, entry);
    }
    root
}

fn node(kind: Kind) -> NewNode<'static> {
    NewNode { kind, mode: if kind == Kind::Directory { 0o755 } else { 0o644 }, uid: 0, gid: 0, rdev: 0, target: b"" }
}

fn plant(root: &Arc<Dentry>, entry: &str) {
    let (path, content) = entry.split_once('=').unwrap_or((entry, ""));
    let (dirs, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path.trim_end_matches('/')));
    let mut at = root.clone();
    for dir in dirs.split('/').filter(|dir| !dir.is_empty()) {
        at = at
            .lookup(dir.as_bytes())
            .or_else(|_| at.create(dir.as_bytes(), &node(Kind::Directory)))
            .expect("a directory");
    }
    if let Some(hidden) = name.strip_prefix('-') {
        at.create(hidden.as_bytes(), &node(Kind::CharDevice)).expect("a whiteout");
    } else if path.ends_with('/') {
        at.create(name.as_bytes(), &node(Kind::Directory)).expect("a directory");
    } else {
        let made = at.create(name.as_bytes(), &node(Kind::File)).expect("a file");
        write(made.inode(), content.as_bytes());
    }
}

fn write(inode: &InodeRef, content: &[u8]) {
    let pages = inode.pages().expect("a regular file");
    pages.write(&mut WriteBuf::kernel(content), 0).expect("writing");
}

fn read(inode: &InodeRef) -> String {
    let pages = inode.pages().expect("a regular file");
    let mut bytes = vec![0; pages.size() as usize];
    pages.read(&mut ReadBuf::kernel(&mut bytes), 0).expect("reading");
    String::from_utf8_lossy(&bytes).to_string()
}

/// An overlay of lower layers, and an upper layer with a work directory beside it.
struct Fixture {
    fs: Arc<Overlay>,
    root: Arc<Dentry>,
    upper: Option<Arc<Dentry>>,
    scratch: Path,
}

fn overlay(lower: &[&Path], writable: bool) -> Fixture {
    let scratch = layer(&["upper/", "work/"]);
    let at = |name: &[u8]| Path { mount: scratch.mount.clone(), dentry: scratch.dentry.lookup(name).expect("planted") };
    again(lower, writable.then(|| (at(b"upper"), at(b"work"))), scratch)
}

fn again(lower: &[&Path], upper: Option<(Path, Path)>, scratch: Path) -> Fixture {
    let dentry = upper.as_ref().map(|(upper, _)| upper.dentry.clone());
    let fs = build(lower.iter().map(|path| (*path).clone()).collect(), upper, b"").expect("a good overlay");
    let superblock = Superblock::new(fs.clone(), false);
    Fixture { fs, root: superblock.root.clone(), upper: dentry, scratch }
}

impl Fixture {
    /// The same layers mounted afresh: what is on the disk counts.
    fn remounted(self, lower: &[&Path]) -> Fixture {
        let Fixture { fs, root, upper, scratch } = self;
        root.forget_children();
        drop((fs, root, upper));
        let at =
            |name: &[u8]| Path { mount: scratch.mount.clone(), dentry: scratch.dentry.lookup(name).expect("planted") };
        let upper = (at(b"upper"), at(b"work"));
        again(lower, Some(upper), scratch)
    }

    fn find(&self, path: &str) -> Result<Arc<Dentry>> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .try_fold(self.root.clone(), |dir, name| dir.lookup(name.as_bytes()))
    }

    fn parent<'p>(&self, path: &'p str) -> Result<(Arc<Dentry>, &'p [u8])> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.find(dir)?, name.as_bytes()))
    }

    fn make(&self, path: &str, kind: Kind) -> Result<Arc<Dentry>> {
        let (dir, name) = self.parent(path)?;
        dir.create(name, &node(kind))
    }

    fn unlink(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path)?;
        dir.unlink(name)
    }

    fn rmdir(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path)?;
        dir.rmdir(name)
    }

    fn rename(&self, from: &str, to: &str, mode: RenameMode) -> Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.parent(from)?, self.parent(to)?);
        from_dir.rename(from, &to_dir, to, mode)
    }

    fn edit(&self, path: &str, content: &str) -> Result<()> {
        let found = self.find(path)?;
        found.inode().open(OpenFlags::WRONLY | OpenFlags::TRUNC)?;
        found.inode().set_attr(&SetAttr { size: Some(0), ..SetAttr::default() })?;
        write(found.inode(), content.as_bytes());
        Ok(())
    }

    /// Everything below `path`, as `plant` would take it.
    fn tree(&self, path: &str) -> Vec<String> {
        tree(&self.find(path).expect("there"))
    }
}

fn tree(dir: &Arc<Dentry>) -> Vec<String> {
    let mut entries = Vec::new();
    let mut cursor = 0;
    loop {
        let mut batch: Vec<(Vec<u8>, Kind)> = Vec::new();
        dir.inode()
            .read_dir(cursor, &mut |entry| {
                batch.push((entry.name.to_vec(), entry.kind));
                cursor = entry.next;
                batch.len() < 3
            })
            .expect("reading a directory");
        if batch.is_empty() {
            break;
        }
        for (name, kind) in batch {
            let found = dir.lookup(&name).expect("listed, so there");
            assert_eq!(found.inode().kind(), kind);
            let name = String::from_utf8_lossy(&name).to_string();
            match kind {
                Kind::Directory => {
                    entries.push(name.clone() + "/");
                    entries.extend(tree(&found).into_iter().map(|inner| name.clone() + "/" + &inner));
                }
                Kind::File => entries.push(name + "=" + &read(found.inode())),
                _ => entries.push("?".to_string() + &name),
            }
        }
    }
    entries.sort();
    entries
}

fn errno<T>(result: Result<T>) -> Option<Errno> {
    result.err().map(|error| error.errno)
}

#[test]
fn layers_merge_from_the_top() {
    let bottom = layer(&["etc/passwd=bottom", "etc/group=g", "bin/sh=sh", "gone=1", "file=f", "dir/x=1"]);
    let middle = layer(&["etc/passwd=middle", "-gone", "etc/-group", "file/inner=dir over file", "dir=file over dir"]);
    let view = overlay(&[&middle, &bottom], false);
    assert_eq!(
        view.tree(""),
        ["bin/", "bin/sh=sh", "dir=file over dir", "etc/", "etc/passwd=middle", "file/", "file/inner=dir over file"]
    );
    assert_eq!(errno(view.find("gone")), Some(Errno::ENOENT));
    assert_eq!(errno(view.make("new", Kind::File)), Some(Errno::EROFS));
    assert_eq!(errno(view.unlink("bin/sh")), Some(Errno::EROFS));
}

#[test]
fn an_unchanged_file_shares_the_lower_pages_and_a_changed_one_does_not() {
    let lower = layer(&["bin/sh=shared"]);
    let (one, two) = (overlay(&[&lower], true), overlay(&[&lower], true));
    let pages = |view: &Fixture| view.find("bin/sh").expect("there").inode().pages().expect("a file");
    assert!(Arc::ptr_eq(&pages(&one), &pages(&two)));
    let before = one.find("bin/sh").expect("there").inode().attr().expect("attributes");
    one.edit("bin/sh", "mine").expect("a copy-up");
    assert_eq!(
        (read(one.find("bin/sh").expect("there").inode()).as_str(), one.tree("bin")),
        ("mine", vec!["sh=mine".into()])
    );
    assert_eq!(two.tree("bin"), ["sh=shared"]);
    let after = one.find("bin/sh").expect("there").inode().attr().expect("attributes");
    assert_eq!((before.ino, before.dev, before.mode), (after.ino, after.dev, after.mode));
    let one = one.remounted(&[&lower]);
    assert_eq!(one.tree(""), ["bin/", "bin/sh=mine"]);
    assert_eq!(one.find("bin/sh").expect("there").inode().attr().expect("attributes").ino, before.ino);
}

#[test]
fn a_copy_up_keeps_what_the_file_has() {
    let lower = layer(&["deep/er/file=content"]);
    let old = SetAttr { mode: Some(0o4751), uid: Some(5), gid: Some(6), ..SetAttr::default() };
    let below = lower.dentry.lookup(b"deep").and_then(|dir| dir.lookup(b"er")).expect("there");
    let file = below.lookup(b"file").expect("there");
    file.inode().set_attr(&old).expect("chown");
    file.inode().set_xattr(b"user.note", b"kept").expect("an attribute");
    let view = overlay(&[&lower], true);
    let found = view.find("deep/er/file").expect("there");
    let before = found.inode().attr().expect("attributes");
    found.inode().set_attr(&SetAttr { gid: Some(7), ..SetAttr::default() }).expect("a copy-up");
    let attr = found.inode().attr().expect("attributes");
    assert_eq!((attr.mode, attr.uid, attr.gid, attr.mtime), (0o4751, 5, 7, before.mtime));
    assert_eq!(found.inode().get_xattr(b"user.note").expect("kept"), b"kept");
    assert_eq!(errno(found.inode().get_xattr(super::ORIGIN)), Some(Errno::ENODATA));
    assert_eq!(read(found.inode()), "content");
    assert_eq!(file.inode().attr().expect("attributes").gid, 6, "the lower file stays as it is");
    let upper = view.upper.as_ref().expect("writable");
    assert_eq!(tree(upper), ["deep/", "deep/er/", "deep/er/file=content"]);
}

#[test]
fn removing_hides_what_lies_below() {
    let lower = layer(&["a=1", "dir/x=1", "dir/y=2"]);
    let view = overlay(&[&lower], true);
    view.unlink("a").expect("unlinking a lower file");
    assert_eq!(errno(view.rmdir("dir")), Some(Errno::ENOTEMPTY));
    view.unlink("dir/x").expect("unlinking");
    view.edit("dir/y", "changed").expect("a copy-up");
    view.unlink("dir/y").expect("unlinking a copy");
    view.rmdir("dir").expect("empty now");
    assert_eq!(view.tree(""), Vec::<String>::new());
    let view = view.remounted(&[&lower]);
    assert_eq!(view.tree(""), Vec::<String>::new());
    view.make("dir", Kind::Directory).expect("a new directory in the place of the old");
    view.make("a", Kind::File).expect("a new file in the place of the old");
    assert_eq!(view.tree(""), ["a=", "dir/"]);
    let view = view.remounted(&[&lower]);
    assert_eq!(view.tree(""), ["a=", "dir/"], "the new directory is opaque");
    assert!(tree(&view.scratch.dentry.lookup(b"work").expect("planted")).iter().all(|entry| entry == "work/"));
}

#[test]
fn renames_leave_whiteouts_and_directories_of_lower_layers_stay() {
    let lower = layer(&["a=1", "b=2", "dir/x=1"]);
    let view = overlay(&[&lower], true);
    view.rename("a", "c", RenameMode::Replace).expect("a lower file moves");
    view.rename("c", "b", RenameMode::Replace).expect("and replaces another");
    assert_eq!(view.tree(""), ["b=1", "dir/", "dir/x=1"]);
    assert_eq!(errno(view.rename("dir", "moved", RenameMode::Replace)), Some(Errno::EXDEV));
    view.make("new", Kind::Directory).expect("mkdir");
    view.make("new/inner", Kind::File).expect("a file");
    view.unlink("dir/x").expect("unlinking");
    view.rename("new", "dir", RenameMode::Replace).expect("over an empty merged directory");
    assert_eq!(view.tree(""), ["b=1", "dir/", "dir/inner="]);
    view.rename("dir", "a", RenameMode::Replace).expect("into the place of a whiteout");
    let view = view.remounted(&[&lower]);
    assert_eq!(view.tree(""), ["a/", "a/inner=", "b=1"]);
    view.rename("a", "b", RenameMode::Exchange).expect("an exchange");
    let view = view.remounted(&[&lower]);
    assert_eq!(view.tree(""), ["a=1", "b/", "b/inner="]);
}

#[test]
fn links_of_a_copy_are_one_file() {
    let lower = layer(&["a=1"]);
    let view = overlay(&[&lower], true);
    let a = view.find("a").expect("there");
    view.root.link(b"b", &a).expect("a link");
    view.edit("b", "both").expect("editing");
    assert_eq!(view.tree(""), ["a=both", "b=both"]);
    let (a, b) = (view.find("a").expect("there"), view.find("b").expect("there"));
    assert_eq!(a.inode().attr().expect("attributes").ino, b.inode().attr().expect("attributes").ino);
    assert_eq!(a.inode().attr().expect("attributes").nlink, 2);
}

#[test]
fn a_removed_file_still_open_is_not_brought_back() {
    let lower = layer(&["a=1"]);
    let view = overlay(&[&lower], true);
    let held = view.find("a").expect("there");
    view.unlink("a").expect("unlinking");
    assert_eq!(held.inode().attr().expect("attributes").nlink, 0);
    held.inode().set_attr(&SetAttr { mode: Some(0o600), ..SetAttr::default() }).expect("a copy-up without a name");
    assert_eq!((read(held.inode()).as_str(), view.tree("")), ("1", vec![]));
    drop(held);
    assert_eq!(view.remounted(&[&lower]).tree(""), Vec::<String>::new());
}

#[test]
fn nonsense_is_refused() {
    let lower = layer(&["sub/"]);
    let scratch = layer(&["upper/work/", "work/"]);
    let at = |path: &str| {
        let dentry =
            path.split('/').try_fold(scratch.dentry.clone(), |dir, name| dir.lookup(name.as_bytes())).expect("planted");
        Path { mount: scratch.mount.clone(), dentry }
    };
    let try_it = |lower: &Path, upper: Path, work: Path| errno(build(vec![lower.clone()], Some((upper, work)), b""));
    assert_eq!(try_it(&lower, at("upper"), at("upper/work")), Some(Errno::EINVAL));
    assert_eq!(try_it(&lower, at("upper"), at("upper")), Some(Errno::EINVAL));
    assert_eq!(try_it(&lower, at("upper"), lower.clone()), Some(Errno::EINVAL));
    assert_eq!(try_it(&scratch, at("upper"), at("work")), Some(Errno::ELOOP));
    let held = build(vec![lower.clone()], Some((at("upper"), at("work"))), b"").expect("a good overlay");
    assert_eq!(try_it(&lower, at("upper"), at("work")), Some(Errno::EBUSY));
    drop(held);
    assert_eq!(try_it(&lower, at("upper"), at("work")), None);
    let view = overlay(&[&lower], true);
    let device = NewNode { kind: Kind::CharDevice, ..node(Kind::File) };
    assert_eq!(errno(view.root.create(b"null", &device)), Some(Errno::EPERM));
    assert_eq!(view.fs.name(), "overlay");
}

#[test]
fn cursors_stay_while_entries_come_and_go() {
    let names: Vec<String> = (0..200).map(|index| alloc::format!("dir/f{index:03}=")).collect();
    let lower = layer(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let view = overlay(&[&lower], true);
    view.make("dir/upper", Kind::File).expect("a file");
    let dir = view.find("dir").expect("there");
    // As `rm -r` does: some are read, those are removed, and so on.
    let (mut cursor, mut seen) = (0, 0);
    loop {
        let mut batch: Vec<Vec<u8>> = Vec::new();
        dir.inode()
            .read_dir(cursor, &mut |entry| {
                batch.push(entry.name.to_vec());
                cursor = entry.next;
                batch.len() < 17
            })
            .expect("reading");
        if batch.is_empty() {
            break;
        }
        seen += batch.len();
        batch.iter().for_each(|name| dir.unlink(name).expect("removing"));
    }
    assert_eq!(seen, 201);
    view.rmdir("dir").expect("empty now");
}

#[test]
fn a_copy_up_that_fails_leaves_nothing() {
    let long = "x".repeat(40_000);
    let lower = layer(&[&alloc::format!("big={long}"), "small=1"]);
    let options = Options { size: 4 * 4096, ..Options::default() };
    let superblock = Superblock::new(TmpFs::new("tmpfs", &options), false);
    let root = superblock.root.clone();
    let scratch = Mount::new(superblock, root, b"scratch", MountFlags::empty()).root_path();
    plant(&scratch.dentry, "upper/");
    plant(&scratch.dentry, "work/");
    let at = |name: &[u8]| Path { mount: scratch.mount.clone(), dentry: scratch.dentry.lookup(name).expect("planted") };
    let view = again(&[&lower], Some((at(b"upper"), at(b"work"))), scratch.clone());
    let free = || scratch.inode().fs().statfs().expect("numbers").free;
    let before = free();
    assert_eq!(errno(view.find("big").expect("there").inode().open(OpenFlags::WRONLY).map(drop)), Some(Errno::ENOSPC));
    assert_eq!(free(), before);
    assert_eq!(tree(&scratch.dentry), ["upper/", "work/", "work/work/"]);
    assert_eq!(view.tree("")[0], alloc::format!("big={long}"));
    // Truncating copies nothing, so there is room for that.
    view.edit("big", "cut").expect("a copy-up without the content");
    assert_eq!(view.tree(""), ["big=cut", "small=1"]);
}

#[test]
fn layers_of_an_image_hide_each_other() {
    let tar = |entries: &[(&str, &str)]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content.as_bytes()).expect("appending");
        }
        let bytes = builder.into_inner().expect("finishing");
        let fs = crate::fs::tarfs::TarFs::mount(Arc::new(bytes), 3).expect("a sound archive");
        let superblock = Superblock::new(fs, true);
        let root = superblock.root.clone();
        Mount::new(superblock, root, b"tar", MountFlags::RDONLY).root_path()
    };
    let base = tar(&[("etc/a", "base a"), ("etc/b", "base b"), ("opt/old", "x"), ("usr/old", "y")]);
    let top =
        tar(&[("etc/.wh.a", ""), ("etc/c", "top c"), ("opt/.wh..wh..opq", ""), ("opt/new", "z"), (".wh.usr", "")]);
    let view = overlay(&[&top, &base], true);
    assert_eq!(view.tree(""), ["etc/", "etc/b=base b", "etc/c=top c", "opt/", "opt/new=z"]);
    view.make("usr", Kind::Directory).expect("mkdir where a layer hid one");
    view.edit("etc/b", "mine").expect("a copy-up");
    assert_eq!(view.tree(""), ["etc/", "etc/b=mine", "etc/c=top c", "opt/", "opt/new=z", "usr/"]);
}

#[derive(Clone, Debug)]
enum Step {
    Make(usize, bool),
    Edit(usize, u8),
    Remove(usize),
    Rename(usize, usize, bool),
    Link(usize, usize),
    Remount,
}

const PATHS: &[&str] = &["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "n", "n/a", "n/b"];

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        3 => (path(), any::<bool>()).prop_map(|(path, dir)| Step::Make(path, dir)),
        3 => (path(), any::<u8>()).prop_map(|(path, byte)| Step::Edit(path, byte)),
        4 => path().prop_map(Step::Remove),
        4 => (path(), path(), any::<bool>()).prop_map(|(from, to, exchange)| Step::Rename(from, to, exchange)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => proptest::prelude::Just(Step::Remount),
    ]
}

/// Applies a step; the errno tells what came of it.
fn apply(view: &Fixture, step: &Step) -> Option<Errno> {
    match step {
        Step::Make(path, dir) => errno(view.make(PATHS[*path], if *dir { Kind::Directory } else { Kind::File })),
        Step::Edit(path, byte) => match view.find(PATHS[*path]) {
            Ok(found) if found.is_dir() => Some(Errno::EISDIR),
            _ => errno(view.edit(PATHS[*path], &alloc::format!("edit {byte}"))),
        },
        Step::Remove(path) => match view.find(PATHS[*path]) {
            Ok(found) if found.is_dir() => errno(view.rmdir(PATHS[*path])),
            _ => errno(view.unlink(PATHS[*path])),
        },
        Step::Rename(from, to, exchange) => {
            let mode = if *exchange { RenameMode::Exchange } else { RenameMode::Replace };
            errno(view.rename(PATHS[*from], PATHS[*to], mode))
        }
        Step::Link(from, to) => match view.find(PATHS[*from]) {
            Ok(found) if found.is_dir() => None,
            Ok(found) => errno(view.parent(PATHS[*to]).and_then(|(dir, name)| dir.link(name, &found))),
            Err(error) => Some(error.errno),
        },
        Step::Remount => None,
    }
}

proptest::proptest! {
    /// An overlay does what a plain file system with the same files does, but for `EXDEV`.
    #[test]
    fn an_overlay_behaves_like_one_file_system(steps in proptest::collection::vec(step(), 1..40)) {
        let files = ["a=bottom a", "d/a=bottom d/a", "d/e/a=deep"];
        let lower = [&layer(&["d/b=top d/b", "d/-hidden"]), &layer(&[&files[..], &["d/hidden=x"]].concat())];
        let mut view = overlay(&lower, true);
        let plain = layer(&[&files[..], &["d/b=top d/b"]].concat());
        let model = Fixture { fs: overlay(&lower, false).fs, root: plain.dentry.clone(), upper: None, scratch: plain };
        for step in &steps {
            if let Step::Remount = step {
                view = view.remounted(&lower);
            }
            let got = apply(&view, step);
            if got != Some(Errno::EXDEV) {
                assert_eq!(got, apply(&model, step), "{step:?}");
            }
            assert_eq!(view.tree(""), model.tree(""), "after {step:?}");
        }
        drop(model);
        let before = view.tree("");
        view = view.remounted(&lower);
        assert_eq!(view.tree(""), before, "after mounting it again");
    }
}
