//! A tar file mounted read-only in place: an image's layer, nothing unpacked.
//!
//! [`TarFs`] is one mounted archive: its [`index::Index`], the inodes in use, and the pages of the files that were used. A
//! file's pages are copied from the archive's own page cache, since members are aligned to 512 bytes and pages to 4096. The
//! VFS gives all mounts of one archive one instance, so containers share its pages, and one finds what an earlier one read.
//!
//! Locks: `TarFs::nodes` and `TarFs::contents`, spin locks held for look-ups only.

mod header;
mod index;
mod node;
#[cfg(test)]
mod tests;

use super::bytes::{self, Bytes};
use crate::error::{Errno, Result};
use crate::vfs::fstype::Source;
use crate::vfs::inode::{FileSystem, InodeRef, StatFs};
use crate::vfs::{FsType, MountArgs, new_dev};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::any::Any;
use hal::sync::{Rank, SpinLock};
use index::Index;
use node::{Content, TarNode};

/// statfs(2)'s `f_type`, our own: "tarf".
const MAGIC: u64 = 0x7461_7266;

/// The type `tarfs`.
pub static TYPE: FsType = FsType { name: "tarfs", source: Source::Image, mount, in_user_ns: false };

fn mount(args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    let fs: Arc<dyn FileSystem> = TarFs::mount(bytes::source(args)?, new_dev())?;
    Ok(fs)
}

/// One mounted archive.
pub struct TarFs {
    dev: u64,
    tar: Arc<dyn Bytes>,
    index: Index,
    /// Inodes in use, by node: one file has one inode.
    nodes: SpinLock<BTreeMap<u32, Weak<TarNode>>>,
    /// Files that were used, by node. Their pages stay when the inodes go; reclaim takes those that nobody wants.
    contents: SpinLock<BTreeMap<u32, Arc<Content>>>,
    this: Weak<TarFs>,
}

impl TarFs {
    /// Mounts the archive `tar`; `dev` is its `st_dev`. `EINVAL`: not a tar file; `EUCLEAN`: damaged.
    pub fn mount(tar: Arc<dyn Bytes>, dev: u64) -> Result<Arc<TarFs>> {
        let index = Index::build(&*tar)?;
        Ok(Arc::new_cyclic(|this| TarFs {
            dev,
            tar,
            index,
            nodes: SpinLock::new(Rank::Inode, "tar inodes", BTreeMap::new()),
            contents: SpinLock::new(Rank::Inode, "tar contents", BTreeMap::new()),
            this: this.clone(),
        }))
    }
}

impl FileSystem for TarFs {
    fn name(&self) -> &'static str {
        "tarfs"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        TarNode::get(self, 0)
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs {
            magic: MAGIC,
            block_size: 512,
            blocks: self.tar.size() / 512,
            files: self.index.nodes.len() as u64,
            name_max: 255,
            ..StatFs::default()
        })
    }

    /// It is never written.
    fn set_read_only(&self, read_only: bool) -> Result<()> {
        if read_only { Ok(()) } else { Err(Errno::EROFS.into()) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
