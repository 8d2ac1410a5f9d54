//! Host tests: overlays of tmpfs layers, by example (`examples`) and against a plain tmpfs (`model`). Here: making layers, and looking at what they show.

mod examples;
mod model;

use super::Overlay;
use super::mount::build;
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::vfs::file::OpenFlags;
use crate::vfs::inode::{InodeRef, Kind, NewNode, RenameMode, SetAttr};
use crate::vfs::tests::scratch_mount;
use crate::vfs::{Dentry, Path, Superblock};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

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
