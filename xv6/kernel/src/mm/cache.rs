//! The page cache: [`PageCache`], the pages of one file, and [`PageSource`], where they come from.

use super::{ReadBuf, WriteBuf};
use crate::error::Result;
use alloc::sync::{Arc, Weak};
use core::ops::Range;
use hal::frame::Frame;

/// A file's storage, below its pages. Calls come without spin locks; `read_pages` and `write_pages` may sleep on the disk.
/// They may be made while the caller holds the file's content lock, never while an address space is locked.
pub trait PageSource: Send + Sync {
    /// Fills `frames` (each solely owned: `Frame::get_mut` works) with pages `first..`; zeros in holes and past the end of the file.
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()>;
    /// Writes pages `first..`; the bytes past [`PageCache::size`] are not part of the file. Space was reserved.
    fn write_pages(&self, first: u64, frames: &[Frame]) -> Result<()> {
        let _ = (first, frames);
        Ok(())
    }
    /// Called before page `first..first+pages` become dirty (for a memory file: before they come to be): keeps the space they will need,
    /// or fails (`ENOSPC`, `EDQUOT`).
    fn reserve(&self, first: u64, pages: usize) -> Result<()> {
        let _ = (first, pages);
        Ok(())
    }
    /// The pages were written, or dropped by a truncation: what `reserve` kept for them and is still unused is free again.
    fn unreserve(&self, first: u64, pages: usize) {
        let _ = (first, pages);
    }
    /// The content was changed (a write, a first store through a shared mapping, a truncation): the file now has `size` bytes; note
    /// the modification time. Called with the file's content lock held, except for stores through mappings.
    fn modified(&self, size: u64) {
        let _ = size;
    }
}

/// The pages of one file, and its size: the one place that says how long the file is while it is in use.
pub struct PageCache;

impl PageCache {
    /// The cache of a file of `size` bytes on `source`. Clean pages may be dropped at any time and read again.
    pub fn new(source: Weak<dyn PageSource>, size: u64) -> Arc<PageCache> {
        let _ = (source, size);
        todo!()
    }

    /// A file that lives in its pages alone (tmpfs, shared anonymous memory): never written out, never dropped. `space`, if given, is
    /// asked to `reserve` and told of `unreserve` and `modified`; it is never asked to read or write.
    pub fn memory(space: Option<Weak<dyn PageSource>>, size: u64) -> Arc<PageCache> {
        let _ = (space, size);
        todo!()
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        todo!()
    }

    /// Pages in memory.
    pub fn pages(&self) -> usize {
        todo!()
    }

    /// Dirty pages.
    pub fn dirty(&self) -> usize {
        todo!()
    }

    /// Page `index`, read if need be; zeros in a hole. Past the end is the caller's business to refuse.
    pub fn get(&self, index: u64) -> Result<Frame> {
        let _ = index;
        todo!()
    }

    /// Page `index`, about to be changed: space is reserved and the page marked dirty. `whole`: all of it will be overwritten, it need not be read.
    pub fn get_for_write(&self, index: u64, whole: bool) -> Result<Frame> {
        let _ = (index, whole);
        todo!()
    }

    /// Reads from `offset` up to the end of the file; 0 there.
    pub fn read(&self, buf: &mut ReadBuf<'_>, offset: u64) -> Result<usize> {
        let _ = (buf, offset);
        todo!()
    }

    /// Writes at `offset`, growing the file. Serialised with other writes and truncations by the content lock.
    pub fn write(&self, buf: &mut WriteBuf<'_>, offset: u64) -> Result<usize> {
        let _ = (buf, offset);
        todo!()
    }

    /// Writes at the end of the file (`O_APPEND`), atomically; where, and how much.
    pub fn append(&self, buf: &mut WriteBuf<'_>) -> Result<(u64, usize)> {
        let _ = buf;
        todo!()
    }

    /// Sets the size: pages past the end go, also from mappings; the last page's tail is zeroed. Then, still under the
    /// content lock, `commit` makes it true in the file system (frees or counts blocks).
    pub fn truncate(&self, size: u64, commit: impl FnOnce() -> Result<()>) -> Result<()> {
        let _ = (size, commit);
        todo!()
    }

    /// Writes the dirty pages in `range` and waits for them.
    pub fn write_back(&self, range: Range<u64>) -> Result<()> {
        let _ = range;
        todo!()
    }

    /// Tells that the file has lost its last name: once nobody has it open, its dirty pages are dropped instead of written (see
    /// [`sweep_orphans`]).
    pub fn mark_unlinked(&self) {
        todo!()
    }
}

/// Lets go of unlinked files that only write-back still holds. unlink(2), rename(2) and close(2) call it at their end; costs a load when
/// there are none.
pub fn sweep_orphans() {
    todo!()
}

/// Writes back every dirty page of every file (sync(2)); the first error, after trying all.
pub fn sync_all() -> Result<()> {
    todo!()
}
