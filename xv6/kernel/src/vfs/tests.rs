//! Tests of the path walk, the mount tree and the name changes, over tmpfs on the host.

use super::content;
use super::file::OpenFlags;
use super::inode::Kind;
use super::mount::{Mount, MountFlags};
use super::superblock::Superblock;
use super::{File, Path, Walk};
use crate::fs::tmpfs::{Options, TmpFs};
use crate::task::Cred;
use alloc::sync::Arc;

/// A mount of a fresh tmpfs that belongs to no namespace.
pub fn scratch_mount() -> Arc<Mount> {
    let superblock = Superblock::new(TmpFs::new("tmpfs", &Options::default()), false);
    let root = superblock.root.clone();
    Mount::new(superblock, root, b"scratch", MountFlags::empty())
}

/// An open file of no importance.
pub fn scratch_file() -> Arc<File> {
    let path = scratch_mount().root_path();
    assert_eq!(path.inode().kind(), Kind::Directory);
    File::new(path, content::directory(), OpenFlags::empty())
}

/// A walk by root from `root`.
pub fn walk_from(root: &Path) -> Walk {
    Walk { root: root.clone(), start: root.clone(), cred: Cred::root() }
}
