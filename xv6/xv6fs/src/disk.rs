//! The device below the file system: the [`Disk`] trait, and [`MemDisk`], a disk in memory for tools and tests.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, Result};

/// Bytes in a block, the unit of all I/O.
pub const BLOCK_SIZE: usize = 4096;

/// A device of 4096-byte blocks. Every buffer is a whole number of blocks; long buffers are how it gets fast.
pub trait Disk {
    /// The number of blocks.
    fn blocks(&self) -> u64;
    /// Reads consecutive blocks, from `block` on, into `buf`. Fails with [`Error::Io`].
    fn read(&mut self, block: u64, buf: &mut [u8]) -> Result<()>;
    /// Writes `buf` to consecutive blocks from `block` on. It need not be durable before [`Disk::flush`].
    fn write(&mut self, block: u64, buf: &[u8]) -> Result<()>;
    /// Returns when every write that was done before is durable.
    fn flush(&mut self) -> Result<()>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn blocks(&self) -> u64 {
        (**self).blocks()
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> Result<()> {
        (**self).read(block, buf)
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> Result<()> {
        (**self).write(block, buf)
    }
    fn flush(&mut self) -> Result<()> {
        (**self).flush()
    }
}

/// A disk in memory.
#[derive(Clone)]
pub struct MemDisk {
    bytes: Vec<u8>,
}

impl MemDisk {
    /// A disk of `blocks` zeroed blocks.
    pub fn new(blocks: usize) -> MemDisk {
        MemDisk { bytes: vec![0; blocks * BLOCK_SIZE] }
    }

    /// A disk with these contents; what is no whole block at their end is cut off.
    pub fn from_bytes(mut bytes: Vec<u8>) -> MemDisk {
        bytes.truncate(bytes.len() / BLOCK_SIZE * BLOCK_SIZE);
        MemDisk { bytes }
    }

    /// The raw contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The raw contents, to be damaged by tests.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn range(&self, block: u64, len: usize) -> Result<core::ops::Range<usize>> {
        let start = usize::try_from(block).ok().and_then(|b| b.checked_mul(BLOCK_SIZE)).ok_or(Error::Io)?;
        let end = start.checked_add(len).ok_or(Error::Io)?;
        if !len.is_multiple_of(BLOCK_SIZE) || end > self.bytes.len() { Err(Error::Io) } else { Ok(start..end) }
    }
}

impl Disk for MemDisk {
    fn blocks(&self) -> u64 {
        (self.bytes.len() / BLOCK_SIZE) as u64
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> Result<()> {
        let range = self.range(block, buf.len())?;
        buf.copy_from_slice(&self.bytes[range]);
        Ok(())
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> Result<()> {
        let range = self.range(block, buf.len())?;
        self.bytes[range].copy_from_slice(buf);
        Ok(())
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
