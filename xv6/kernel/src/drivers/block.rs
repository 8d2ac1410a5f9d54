//! Disks with blocking calls: [`BlockDevice`] over hal's asynchronous virtio-blk.

use crate::error::Result;
use alloc::sync::Arc;
use hal::frame::Frame;

/// Bytes in a sector, the unit of addresses.
pub const SECTOR: usize = 512;

/// One disk. Calls sleep until the device has answered; they may come from several threads at once.
pub struct BlockDevice {
    index: usize,
}

impl BlockDevice {
    /// Its place on QEMU's command line: 0 is `vda`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        todo!()
    }

    /// Whether writes are refused (`EROFS`).
    pub fn read_only(&self) -> bool {
        todo!()
    }

    /// Reads whole sectors from `sector` on into `buf`. `EIO` past the end or when the device fails.
    pub fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()> {
        let _ = (sector, buf);
        todo!()
    }

    /// Writes whole sectors.
    pub fn write(&self, sector: u64, buf: &[u8]) -> Result<()> {
        let _ = (sector, buf);
        todo!()
    }

    /// Reads whole frames straight from the disk, without a copy.
    pub fn read_frames(&self, sector: u64, frames: &[Frame]) -> Result<()> {
        let _ = (sector, frames);
        todo!()
    }

    /// Writes whole frames straight to the disk.
    pub fn write_frames(&self, sector: u64, frames: &[Frame]) -> Result<()> {
        let _ = (sector, frames);
        todo!()
    }

    /// Returns when all completed writes are durable.
    pub fn flush(&self) -> Result<()> {
        todo!()
    }

    /// The device's content as pages: what `/dev/vdX` reads and writes, and file systems without their own block layer.
    pub fn pages(&self) -> Arc<crate::mm::PageCache> {
        todo!()
    }
}

/// All disks, in order: index 0 is `vda` (major 254, minor 0).
pub fn devices() -> &'static [Arc<BlockDevice>] {
    todo!()
}
