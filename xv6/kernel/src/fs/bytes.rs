//! [`Bytes`]: the flat, read-only bytes that a file system on a disk or in a file is parsed from.
//!
//! Implemented by a block device, by a file's page cache, and in host tests by a `Vec<u8>`; used by `fat` and `tarfs`.

use crate::drivers::block::{BlockDevice, SECTOR};
use crate::error::{Errno, Result};
use crate::mm::PageCache;
use crate::vfs::{File, MountArgs};
use alloc::sync::Arc;
use alloc::vec;
use hal::frame::{Frame, SIZE};

/// Something of a known size that can be read at any offset.
pub trait Bytes: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` from `offset`. `EIO` where the device fails or the range passes the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// As [`Bytes::read_at`], for who wants nothing that lies near: nothing is read ahead.
    fn peek_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.read_at(offset, buf)
    }

    /// Fills whole frames from `offset`, a multiple of 512; devices read into the frames themselves.
    fn read_frames(&self, offset: u64, frames: &mut [Frame]) -> Result<()> {
        let mut page = vec![0; SIZE];
        for (offset, frame) in (offset..).step_by(SIZE).zip(frames) {
            self.read_at(offset, &mut page)?;
            frame.write(0, &page);
        }
        Ok(())
    }
}

impl Bytes for alloc::vec::Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let outside = Errno::EIO.during("reading past the end");
        let start = usize::try_from(offset).map_err(|_| outside)?;
        let end = start.checked_add(buf.len()).ok_or(outside)?;
        buf.copy_from_slice(self.get(start..end).ok_or(outside)?);
        Ok(())
    }
}

/// Bytes for tests of damaged volumes, read only so often: who goes round in circles fails.
#[cfg(test)]
pub struct Bounded {
    bytes: alloc::vec::Vec<u8>,
    left: core::sync::atomic::AtomicUsize,
}

#[cfg(test)]
impl Bounded {
    /// `bytes` that may be read `reads` times.
    pub fn new(bytes: alloc::vec::Vec<u8>, reads: usize) -> Bounded {
        Bounded { bytes, left: reads.into() }
    }
}

#[cfg(test)]
impl Bytes for Bounded {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let left = self.left.fetch_sub(1, core::sync::atomic::Ordering::Relaxed);
        assert_ne!(left, 0, "a damaged volume is read for ever");
        self.bytes.read_at(offset, buf)
    }
}

/// The bytes of a disk.
pub struct DiskBytes(pub Arc<BlockDevice>);

impl Bytes for DiskBytes {
    fn size(&self) -> u64 {
        self.0.sectors() * SECTOR as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let (sector, within) = (offset / SECTOR as u64, (offset % SECTOR as u64) as usize);
        if within == 0 && buf.len().is_multiple_of(SECTOR) {
            return self.0.read(sector, buf);
        }
        let mut whole = vec![0; (within + buf.len()).next_multiple_of(SECTOR)];
        self.0.read(sector, &mut whole)?;
        buf.copy_from_slice(&whole[within..within + buf.len()]);
        Ok(())
    }

    fn read_frames(&self, offset: u64, frames: &mut [Frame]) -> Result<()> {
        self.0.read_frames(offset / SECTOR as u64, frames)
    }
}

/// What mount(2)'s source holds: a disk, or a regular file's pages.
pub fn source(args: &MountArgs<'_>) -> Result<Arc<dyn Bytes>> {
    if let Some(disk) = &args.disk {
        return Ok(Arc::new(DiskBytes(disk.clone())));
    }
    let file = args.file.as_ref().ok_or(Errno::ENOTBLK)?;
    let pages = file.inode.pages().ok_or(Errno::EINVAL)?;
    Ok(Arc::new(FileBytes { size: pages.size(), pages, _file: Some(file.clone()) }))
}

/// The bytes of a file, read through its page cache and so shared with all who read or map the file.
pub struct FileBytes {
    /// The file's pages.
    pub pages: Arc<PageCache>,
    /// The file's size when it was opened.
    pub size: u64,
    /// Keeps the file in use.
    pub _file: Option<Arc<File>>,
}

impl FileBytes {
    /// Fills `buf` from `offset`, out of the pages that `page` gets.
    fn read_by(&self, page: impl Fn(u64) -> Result<Frame>, mut offset: u64, mut buf: &mut [u8]) -> Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(Errno::EIO.during("reading past the end of a file"));
        }
        while !buf.is_empty() {
            let within = (offset % SIZE as u64) as usize;
            let (part, rest) = buf.split_at_mut(buf.len().min(SIZE - within));
            page(offset / SIZE as u64)?.read(within, part);
            offset += part.len() as u64;
            buf = rest;
        }
        Ok(())
    }
}

impl Bytes for FileBytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.read_by(|index| self.pages.get(index), offset, buf)
    }

    fn peek_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.read_by(|index| self.pages.get_alone(index), offset, buf)
    }
}
