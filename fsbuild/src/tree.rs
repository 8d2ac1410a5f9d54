//! tree: a file tree in memory, the form in which disks and layers are put together.
//!
//! A [`Tree`] maps paths without a leading slash (`bin/sh`) to [`Entry`]s, in the order of their names, parents before
//! children. It comes from a host folder or from single additions, and goes to `root` (xv6fs) or `layer` (tar).

use crate::error::{Context, Error, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir,
    /// A file with these bytes.
    File(Arc<[u8]>),
    /// A symbolic link to this target.
    Symlink(String),
    /// A character device, major and minor.
    CharDevice(u32, u32),
    /// A block device, major and minor.
    BlockDevice(u32, u32),
    /// A FIFO.
    Fifo,
}

/// A node and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub node: Node,
    /// The permission bits (0o7777).
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Entry {
    /// A directory of root's, mode 0755.
    pub fn dir() -> Self {
        Self { node: Node::Dir, mode: 0o755, uid: 0, gid: 0 }
    }

    /// A file of root's.
    pub fn file(bytes: impl Into<Arc<[u8]>>, mode: u16) -> Self {
        Self { node: Node::File(bytes.into()), mode, uid: 0, gid: 0 }
    }
}

/// How the permission bits of host files are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// As they are.
    Kept,
    /// Without write permission for group and others: a checkout then gives the same tree under every umask.
    Unshared,
}

/// A file tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// The paths and entries, parents before children.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The entry at `path`. The root, `""`, is a directory that is always there but has no entry.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Whether `path` is a directory.
    pub fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.get(path).is_some_and(|entry| entry.node == Node::Dir)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts `entry` at `path`; missing parents become directories. A directory onto a directory takes the new attributes,
    /// anything else replaces what was there, contents included.
    ///
    /// # Errors
    /// A parent that is no directory; the root as path of anything but a directory.
    pub fn put(&mut self, path: &str, entry: Entry) -> Result<()> {
        if path.is_empty() {
            return if entry.node == Node::Dir { Ok(()) } else { Err(Error::new("/", "is a directory")) };
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.make_dirs(parent)?;
        }
        if entry.node != Node::Dir || !self.is_dir(path) {
            self.remove(path);
        }
        self.0.insert(path.to_string(), entry);
        Ok(())
    }

    /// Makes `path` and its missing parents directories.
    ///
    /// # Errors
    /// Something else has one of the names.
    pub fn make_dirs(&mut self, path: &str) -> Result<()> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for prefix in ends.map(|end| &path[..end]).filter(|prefix| !prefix.is_empty()) {
            match self.0.get(prefix) {
                None => drop(self.0.insert(prefix.to_string(), Entry::dir())),
                Some(entry) if entry.node == Node::Dir => {}
                Some(_) => return Err(Error::new(format_args!("/{prefix}"), "not a directory")),
            }
        }
        Ok(())
    }

    /// Removes `path` and everything below it.
    pub fn remove(&mut self, path: &str) {
        self.0.remove(path);
        self.clear(path);
    }

    /// Removes everything below `path`.
    pub fn clear(&mut self, path: &str) {
        // '0' is the character after '/': the range holds exactly the paths that begin with `path/`.
        let below: Vec<String> =
            self.0.range(format!("{path}/")..format!("{path}0")).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Adds the host file or folder `from` at `at`; everything belongs to root then.
    ///
    /// # Errors
    /// What cannot be read, sockets, and names that are not UTF-8, each named.
    pub fn add_host(&mut self, from: &Path, at: &str, modes: Modes) -> Result<()> {
        let meta = from.symlink_metadata().about(from.display())?;
        let kind = meta.file_type();
        let mut mode = (meta.permissions().mode() & 0o7777) as u16;
        if modes == Modes::Unshared {
            mode &= !0o022;
        }
        let node = if kind.is_dir() {
            Node::Dir
        } else if kind.is_symlink() {
            // A link's own bits mean nothing on Linux, which shows them all set.
            mode = 0o777;
            let target = std::fs::read_link(from).about(from.display())?;
            Node::Symlink(target.to_str().ok_or_else(|| Error::new(from.display(), "link target is not UTF-8"))?.into())
        } else if kind.is_file() {
            Node::File(std::fs::read(from).about(from.display())?.into())
        } else if kind.is_char_device() {
            Node::CharDevice(major(meta.rdev()), minor(meta.rdev()))
        } else if kind.is_block_device() {
            Node::BlockDevice(major(meta.rdev()), minor(meta.rdev()))
        } else if kind.is_fifo() {
            Node::Fifo
        } else {
            return Err(Error::new(from.display(), "a socket cannot be packed"));
        };
        let is_dir = node == Node::Dir;
        self.put(at, Entry { node, mode, uid: 0, gid: 0 })?;
        if is_dir {
            for entry in std::fs::read_dir(from).about(from.display())? {
                let entry = entry.about(from.display())?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(|| Error::new(entry.path().display(), "name is not UTF-8"))?;
                self.add_host(&entry.path(), &join(at, name), modes)?;
            }
        }
        Ok(())
    }
}

/// `dir/name`, with `""` for the root.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_string() } else { format!("{dir}/{name}") }
}

/// A path as a tree's key: no leading slash, no `.`, `..` resolved within the root.
pub fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The major number in a Linux `st_rdev` (makedev(3)).
fn major(rdev: u64) -> u32 {
    (((rdev >> 32) & 0xffff_f000) | ((rdev >> 8) & 0xfff)) as u32
}

/// The minor number in a Linux `st_rdev`.
fn minor(rdev: u64) -> u32 {
    (((rdev >> 12) & 0xffff_ff00) | (rdev & 0xff)) as u32
}

#[cfg(test)]
mod tests {
    use super::{Entry, Node, Tree, normalize};

    #[test]
    fn parents_come_first_and_removal_takes_children() {
        let mut tree = Tree::default();
        tree.put("a/b/c", Entry::file(*b"x", 0o644)).expect("put");
        tree.put("a/b-2", Entry::file(*b"y", 0o644)).expect("put");
        let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b-2", "a/b/c"]);
        tree.remove("a/b");
        assert!(tree.get("a/b/c").is_none() && tree.get("a/b-2").is_some());
        let error = tree.put("a/b-2/d", Entry::dir()).expect_err("a file is no directory");
        assert_eq!(error.to_string(), "/a/b-2: not a directory");
    }

    #[test]
    fn a_file_replaces_a_folder() {
        let mut tree = Tree::default();
        tree.put("a/b", Entry::dir()).expect("put");
        tree.put("a", Entry::file(*b"", 0o600)).expect("put");
        assert_eq!(tree.entries().count(), 1);
        assert!(matches!(tree.get("a").expect("there").node, Node::File(_)));
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(normalize("/a/./b//../c/"), "a/c");
        assert_eq!(normalize("../../x"), "x");
    }
}
