//! What an overlay shows and keeps, case by case.

use super::{Fixture, again, errno, layer, node, overlay, plant, read, tree};
use crate::error::Errno;
use crate::fs::overlay::ORIGIN;
use crate::fs::overlay::mount::build;
use crate::fs::tmpfs::{Options, TmpFs};
use crate::vfs::file::OpenFlags;
use crate::vfs::inode::{FileSystem, Kind, NewNode, RenameMode, SetAttr};
use crate::vfs::{Mount, MountFlags, Path, Superblock};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

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
    assert_eq!(errno(found.inode().get_xattr(ORIGIN)), Some(Errno::ENODATA));
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
