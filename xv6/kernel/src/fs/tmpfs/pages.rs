//! A memory file's pages: they exist in its cache only, which asks the file system for room before it takes one.
//!
//! No locks of its own.

use super::TmpFs;
use super::inode::TmpInode;
use crate::error::{Errno, Result};
use crate::mm::{PageCache, PageSource};
use hal::frame::{Frame, SIZE};

/// Pages made by one call of [`allocate`].
const ALLOCATED_AT_ONCE: u64 = 256;

/// Gives a file of `fs` pages of its own for a part of the `len` bytes at `offset` that begins there (fallocate(2)): how many bytes that was. `ENOSPC`
/// unless there is room for all of them.
pub(super) fn allocate(fs: &TmpFs, pages: &PageCache, offset: u64, len: u64) -> Result<u64> {
    let (first, end) = (offset / SIZE as u64, offset.saturating_add(len).div_ceil(SIZE as u64));
    // Taken and given back at once: only whether there is room for all of it counts.
    let missing = usize::try_from(pages.missing(first..end)).map_err(|_| Errno::ENOSPC)?;
    fs.charge_pages(missing)?;
    fs.uncharge_pages(missing);
    let stop = end.min(first + ALLOCATED_AT_ONCE);
    pages.materialise(first..stop)?;
    Ok((stop * SIZE as u64).saturating_sub(offset).min(len))
}

impl PageSource for TmpInode {
    fn read_pages(&self, _first: u64, _frames: &mut [Frame]) -> Result<()> {
        Err(Errno::EIO.during("reading a memory file from nowhere"))
    }

    fn reserve(&self, _first: u64, pages: usize) -> Result<()> {
        self.fs_arc()?.charge_pages(pages)
    }

    fn unreserve(&self, _first: u64, pages: usize) {
        if let Ok(fs) = self.fs_arc() {
            fs.uncharge_pages(pages);
        }
    }

    fn modified(&self, _size: u64) {
        self.touched(0);
    }
}
