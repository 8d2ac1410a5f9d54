//! Device numbers: who serves the node with a given major and minor.
//!
//! Character devices are registered by their drivers ([`register`]); block devices are the disks, major 254, 16 minors each.
//!
//! Locks: the table's spin lock, not held while a device opens.

use super::block::{self, BlockDevice};
use super::blockfile::BlockFile;
use crate::error::{Errno, Result};
use crate::vfs::devnum;
use crate::vfs::file::{FileOps, OpenFlags};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use hal::sync::{Rank, SpinLock};

/// The disks' major number, as Linux usually gives virtio-blk.
pub const DISK_MAJOR: u32 = 254;

/// Minor numbers for each disk: the whole disk, and room for partitions.
const MINORS: u32 = 16;

/// A driver of character devices.
pub trait CharDevice: Send + Sync {
    /// open(2) of the node with `minor`. `ENXIO` if there is no such device.
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>>;
}

struct Entry {
    major: u32,
    minors: Range<u32>,
    device: Arc<dyn CharDevice>,
}

static TABLE: SpinLock<Vec<Entry>> = SpinLock::new(Rank::Leaf, "character devices", Vec::new());

/// Lets `device` serve the numbers `major`:`minors`. The first registration of a number stands.
pub fn register(major: u32, minors: Range<u32>, device: Arc<dyn CharDevice>) {
    TABLE.lock().push(Entry { major, minors, device });
}

/// Opens the character device `rdev`: `ENXIO` if nobody serves it.
pub fn open(rdev: u64, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let (major, minor) = (devnum::major(rdev), devnum::minor(rdev));
    let device = {
        let table = TABLE.lock();
        let entry = table.iter().find(|entry| entry.major == major && entry.minors.contains(&minor));
        entry.ok_or(Errno::ENXIO)?.device.clone()
    };
    device.open(minor, flags)
}

/// The number of disk `index` (0 is `vda`).
pub fn disk_number(index: usize) -> u64 {
    devnum::make(DISK_MAJOR, index as u32 * MINORS)
}

/// The disk with number `rdev`.
pub fn disk(rdev: u64) -> Option<Arc<BlockDevice>> {
    let index = devnum::minor(rdev) / MINORS;
    let found = devnum::major(rdev) == DISK_MAJOR && devnum::minor(rdev).is_multiple_of(MINORS);
    if found { block::devices().get(index as usize).cloned() } else { None }
}

/// Opens the block device `rdev`.
pub fn open_block(rdev: u64, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let disk = disk(rdev).ok_or(Errno::ENXIO)?;
    if flags.writes() && disk.read_only() {
        return Err(Errno::EACCES.into());
    }
    Ok(Arc::new(BlockFile::new(disk)))
}
