//! FAT12, FAT16 and FAT32 with long names, read-only: the image volume.
//!
//! [`Fat`] is one mounted volume, over any [`Bytes`] (a disk; a `Vec` in host tests). `bpb` finds where things lie,
//! `table` follows chains, `dir` parses directories, `node` makes inodes of it. A volume is untrusted: every number is
//! checked, every chain is bounded by the volume's size, and damage is `EUCLEAN` for the file that has it. Names are
//! looked up without regard to case, as VFAT does.
//!
//! Locks: `Fat::nodes` (spin), and the table's window (sleeping), neither held across the other.

mod bpb;
mod dir;
mod node;
mod table;
#[cfg(test)]
mod tests;

use super::bytes::{self, Bytes};
use crate::error::{Errno, Result};
use crate::vfs::fstype::Source;
use crate::vfs::inode::{FileSystem, InodeRef, StatFs};
use crate::vfs::{FsType, MountArgs, new_dev};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use bpb::Geometry;
use core::any::Any;
use hal::sync::{Rank, SpinLock};
use node::Node;
use table::Table;

/// statfs(2)'s `f_type` of FAT.
const MAGIC: u64 = 0x4d44;

/// The type `vfat`.
pub static TYPE: FsType = FsType { name: "vfat", source: Source::Image, mount, in_user_ns: false };

/// One mounted volume.
pub struct Fat {
    dev: u64,
    volume: Arc<dyn Bytes>,
    geometry: Geometry,
    table: Table,
    /// Inodes in use, by number: one file has one inode, and so one page cache.
    nodes: SpinLock<BTreeMap<u64, Weak<Node>>>,
    this: Weak<Fat>,
}

fn mount(args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    if !args.read_only {
        return Err(Errno::EROFS.during("mounting a FAT volume for writing"));
    }
    let fs: Arc<dyn FileSystem> = Fat::mount(bytes::source(args)?, new_dev())?;
    Ok(fs)
}

impl Fat {
    /// Mounts `volume`; `dev` is its `st_dev`. `EINVAL` if it is not a sound FAT volume.
    pub fn mount(volume: Arc<dyn Bytes>, dev: u64) -> Result<Arc<Fat>> {
        let mut sector = [0; 512];
        volume.read_at(0, &mut sector)?;
        let geometry = Geometry::parse(&sector, volume.size())?;
        Ok(Arc::new_cyclic(|this| Fat {
            dev,
            volume,
            geometry,
            table: Table::new(geometry),
            nodes: SpinLock::new(Rank::Inode, "fat inodes", BTreeMap::new()),
            this: this.clone(),
        }))
    }
}

impl FileSystem for Fat {
    fn name(&self) -> &'static str {
        "vfat"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        Node::root(self)
    }

    fn statfs(&self) -> Result<StatFs> {
        // The volume never changes, so there is no free space to speak of.
        Ok(StatFs {
            magic: MAGIC,
            block_size: self.geometry.cluster,
            blocks: u64::from(self.geometry.clusters),
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
