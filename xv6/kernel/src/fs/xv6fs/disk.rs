//! The disk below xv6fs: [`Storage`], what the file system asks of a disk, and [`VolumeDisk`], the library's view of it.
//!
//! Metadata and the log go through [`xv6fs::Disk`] by bytes; file contents go from and to page frames, without a copy.

use crate::drivers::block::{BlockDevice, SECTOR};
use crate::error::Result;
use alloc::sync::Arc;
use hal::frame::Frame;
use xv6fs::{BLOCK_SIZE, Disk, Error};

/// Sectors in a block.
const SECTORS: u64 = (BLOCK_SIZE / SECTOR) as u64;

/// A disk by blocks of 4 KiB. Calls sleep until the device has answered.
pub trait Storage: Send + Sync {
    /// Whole blocks on it.
    fn blocks(&self) -> u64;
    /// Reads consecutive blocks.
    fn read(&self, block: u64, buf: &mut [u8]) -> Result<()>;
    /// Writes consecutive blocks.
    fn write(&self, block: u64, buf: &[u8]) -> Result<()>;
    /// Reads consecutive blocks, one a frame.
    fn read_frames(&self, block: u64, frames: &[Frame]) -> Result<()>;
    /// Writes consecutive blocks, one a frame.
    fn write_frames(&self, block: u64, frames: &[Frame]) -> Result<()>;
    /// Returns when all completed writes are durable.
    fn flush(&self) -> Result<()>;
    /// Whether it refuses writes.
    fn read_only(&self) -> bool {
        false
    }
}

impl Storage for BlockDevice {
    fn blocks(&self) -> u64 {
        self.sectors() / SECTORS
    }
    fn read(&self, block: u64, buf: &mut [u8]) -> Result<()> {
        BlockDevice::read(self, block * SECTORS, buf)
    }
    fn write(&self, block: u64, buf: &[u8]) -> Result<()> {
        BlockDevice::write(self, block * SECTORS, buf)
    }
    fn read_frames(&self, block: u64, frames: &[Frame]) -> Result<()> {
        BlockDevice::read_frames(self, block * SECTORS, frames)
    }
    fn write_frames(&self, block: u64, frames: &[Frame]) -> Result<()> {
        BlockDevice::write_frames(self, block * SECTORS, frames)
    }
    fn flush(&self) -> Result<()> {
        BlockDevice::flush(self)
    }
    fn read_only(&self) -> bool {
        BlockDevice::read_only(self)
    }
}

/// The disk as the library sees it.
pub struct VolumeDisk(pub Arc<dyn Storage>);

impl Disk for VolumeDisk {
    fn blocks(&self) -> u64 {
        self.0.blocks()
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> xv6fs::Result<()> {
        self.0.read(block, buf).map_err(|_| Error::Io)
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> xv6fs::Result<()> {
        self.0.write(block, buf).map_err(|_| Error::Io)
    }
    fn flush(&mut self) -> xv6fs::Result<()> {
        self.0.flush().map_err(|_| Error::Io)
    }
}
