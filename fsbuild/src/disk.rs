//! disk: a host file as a disk of 4 KiB blocks, for the xv6fs library.

use crate::error::{Context, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use xv6fs::{BLOCK_SIZE, Disk, Error};

/// A raw disk image on the host.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    blocks: u64,
}

impl FileDisk {
    /// A new, empty (sparse) disk of `bytes` bytes, rounded down to whole blocks. What was at `path` is replaced.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path, bytes: u64) -> Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).about(path.display())?;
        let blocks = bytes / BLOCK_SIZE as u64;
        file.set_len(blocks * BLOCK_SIZE as u64).about(path.display())?;
        Ok(Self { file, blocks })
    }

    /// The disk at `path`; with `write`, open for writing too.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, write: bool) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(write).open(path).about(path.display())?;
        let blocks = file.metadata().about(path.display())?.len() / BLOCK_SIZE as u64;
        Ok(Self { file, blocks })
    }

    fn offset(&self, block: u64, len: usize) -> xv6fs::Result<u64> {
        let count = (len / BLOCK_SIZE) as u64;
        let inside = len.is_multiple_of(BLOCK_SIZE) && block.checked_add(count).is_some_and(|end| end <= self.blocks);
        if inside { Ok(block * BLOCK_SIZE as u64) } else { Err(Error::Io) }
    }
}

impl Disk for FileDisk {
    fn blocks(&self) -> u64 {
        self.blocks
    }

    fn read(&mut self, block: u64, buf: &mut [u8]) -> xv6fs::Result<()> {
        let offset = self.offset(block, buf.len())?;
        self.file.read_exact_at(buf, offset).map_err(|_| Error::Io)
    }

    fn write(&mut self, block: u64, buf: &[u8]) -> xv6fs::Result<()> {
        let offset = self.offset(block, buf.len())?;
        self.file.write_all_at(buf, offset).map_err(|_| Error::Io)
    }

    fn flush(&mut self) -> xv6fs::Result<()> {
        // The files made here are built anew after a host's crash: the page cache is durable enough.
        Ok(())
    }
}
