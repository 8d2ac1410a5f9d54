//! [`Internal`]: a file system of the kernel's own on a mount that no namespace contains, so that open files without a name in any directory have a
//! [`Path`], too (`anon`, `fs::nsfs`).
//!
//! No locks.

use super::inode::{FileSystem, InodeRef};
use super::mount::{Mount, MountFlags};
use super::superblock::Superblock;
use super::{Dentry, Path};
use alloc::sync::Arc;

/// The instance of a file system `F`, held twice: by its mount, and by the inodes' `fs`.
pub struct Internal<F> {
    /// The file system.
    pub fs: Arc<F>,
    mount: Arc<Mount>,
}

impl<F: FileSystem + 'static> Internal<F> {
    /// Mounts `fs` where nobody sees it.
    pub fn new(fs: F) -> Internal<F> {
        let fs = Arc::new(fs);
        let superblock = Superblock::new(fs.clone(), false);
        let root = superblock.root.clone();
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let mount = Mount::new(superblock, root, fs.name().as_bytes(), flags);
        Internal { fs, mount }
    }

    /// A place for `inode`; `/proc/PID/fd` shows `name` as it is.
    pub fn path(&self, inode: InodeRef, name: &[u8]) -> Path {
        let dentry = Dentry::detached(inode, name, &self.mount.root);
        Path { mount: self.mount.clone(), dentry }
    }

    /// True for places made here.
    pub fn holds(&self, path: &Path) -> bool {
        Arc::ptr_eq(&path.mount, &self.mount)
    }
}
