//! [`FsContext`]: a process's root directory, working directory and umask (`CLONE_FS` shares it).
//!
//! Locks: one spin lock around both paths, held to clone or replace them.

use super::Path;
use super::namespace::MountNamespace;
use core::mem;
use core::sync::atomic::{AtomicU32, Ordering};
use hal::sync::{Rank, SpinLock};

/// Root, working directory, umask.
pub struct FsContext {
    paths: SpinLock<Paths>,
    umask: AtomicU32,
}

#[derive(Clone)]
struct Paths {
    root: Path,
    cwd: Path,
}

impl FsContext {
    /// The context of a first process: both at `root`, umask 022.
    pub fn new(root: Path) -> FsContext {
        let paths = Paths { cwd: root.clone(), root };
        FsContext { paths: SpinLock::new(Rank::Files, "fs context", paths), umask: AtomicU32::new(0o022) }
    }

    /// A copy of its own, for fork(2) and unshare(2).
    pub fn fork(&self) -> FsContext {
        let paths = self.paths.lock().clone();
        FsContext { paths: SpinLock::new(Rank::Files, "fs context", paths), umask: AtomicU32::new(self.umask().into()) }
    }

    /// The root directory: `..` goes no higher.
    pub fn root(&self) -> Path {
        self.paths.lock().root.clone()
    }

    /// The working directory.
    pub fn cwd(&self) -> Path {
        self.paths.lock().cwd.clone()
    }

    /// Both at once: root, then working directory.
    pub fn both(&self) -> (Path, Path) {
        let paths = self.paths.lock();
        (paths.root.clone(), paths.cwd.clone())
    }

    /// chroot(2). The working directory stays.
    pub fn set_root(&self, root: Path) {
        let old = mem::replace(&mut self.paths.lock().root, root);
        drop(old);
    }

    /// chdir(2).
    pub fn set_cwd(&self, cwd: Path) {
        let old = mem::replace(&mut self.paths.lock().cwd, cwd);
        drop(old);
    }

    /// setns(2) into a mount namespace: both at its root.
    pub fn enter(&self, namespace: &MountNamespace) {
        let root = namespace.root_path();
        let new = Paths { cwd: root.clone(), root };
        let old = mem::replace(&mut *self.paths.lock(), new);
        drop(old);
    }

    /// Whether root or working directory is `place`.
    pub fn stands_at(&self, place: &Path) -> bool {
        let paths = self.paths.lock();
        paths.root == *place || paths.cwd == *place
    }

    /// Replaces root and working directory where `new` has another place for them (pivot_root(2), a namespace copy).
    pub fn replace(&self, new: impl Fn(&Path) -> Option<Path>) {
        let (root, cwd) = self.both();
        let (new_root, new_cwd) = (new(&root), new(&cwd));
        let mut paths = self.paths.lock();
        // What changed meanwhile was changed by a sharer of this context, who meant it.
        let old_root = match new_root {
            Some(place) if paths.root == root => Some(mem::replace(&mut paths.root, place)),
            _ => None,
        };
        let old_cwd = match new_cwd {
            Some(place) if paths.cwd == cwd => Some(mem::replace(&mut paths.cwd, place)),
            _ => None,
        };
        drop(paths);
        drop((old_root, old_cwd));
    }

    /// The file mode creation mask (umask(2)).
    pub fn umask(&self) -> u16 {
        self.umask.load(Ordering::Relaxed) as u16
    }

    /// Sets the mask; returns the old one.
    pub fn set_umask(&self, mask: u16) -> u16 {
        self.umask.swap(u32::from(mask & 0o777), Ordering::Relaxed) as u16
    }
}
