//! The page cache: [`PageCache`], the pages of one file, and [`PageSource`], where they come from.
//!
//! One index serves read(2), write(2), mmap(2) and exec. Here: finding and dirtying pages. `fill` reads them, `file_io` reads and writes through them,
//! `truncate` cuts them, `writeback` cleans them, `reclaim` drops clean ones, `rmap` finds who maps them.
//!
//! Locks, outermost first: `content` (writes and truncations of the file, one at a time), `cleaning` (write-back), address spaces, `fill`
//! (a page comes to be or becomes dirty; held across the source's reads and reservations), and the spinning `index`.

use super::dirty;
use super::fill::ReadAhead;
use super::frames::{CACHED, DIRTY, MEMORY_FILES};
use super::payer::{self, Payer};
use super::reclaim::{self, For};
use super::rmap::Mappers;
use crate::error::{Errno, Result};
use crate::sync::{Mutex, Rank};
use crate::task::iocount;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use hal::frame::{Frame, SIZE as PAGE};
use hal::sync::SpinLock;

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
    /// Called before pages `first..first+pages` become dirty (for a memory file: before they come to be): keeps the space they will need,
    /// or fails (`ENOSPC`, `EDQUOT`).
    fn reserve(&self, first: u64, pages: usize) -> Result<()> {
        let _ = (first, pages);
        Ok(())
    }
    /// The pages were written, or dropped by a truncation: what `reserve` kept for them and is still unused is free again. A memory
    /// file that ends with pages (`PageCache::pages`) gets no call for them.
    fn unreserve(&self, first: u64, pages: usize) {
        let _ = (first, pages);
    }
    /// The content was changed (a write, a first store through a shared mapping, a truncation): the file now has `size` bytes; note
    /// the modification time. Called with the file's content lock held, except for stores through mappings.
    fn modified(&self, size: u64) {
        let _ = size;
    }
}

/// One page of a file.
pub(super) struct Page {
    pub frame: Frame,
    /// Used since reclaim last looked.
    pub used: bool,
    /// Writes that are copying into it ([`Hold`]): it stays dirty until they are done.
    pub busy: u32,
}

/// A page that is being written to: it stays dirty, and so in memory, while this lives.
pub(super) struct Hold<'a> {
    cache: &'a PageCache,
    index: u64,
    pub frame: Frame,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(page) = self.cache.index.lock().pages.get_mut(&self.index) {
            page.busy -= 1;
        }
    }
}

/// The pages by index, and which of them are dirty.
#[derive(Default)]
pub(super) struct Index {
    pub pages: BTreeMap<u64, Page>,
    pub dirty: BTreeSet<u64>,
    /// Where reclaim's clock stands.
    pub hand: u64,
}

/// The pages of one file, and its size: the one place that says how long the file is while it is in use.
pub struct PageCache {
    pub(super) this: Weak<PageCache>,
    pub(super) source: Option<Weak<dyn PageSource>>,
    /// The pages are all there is of the file.
    pub(super) memory: bool,
    /// Who is charged for a memory file's pages: the group of who made it.
    payer: Option<Arc<dyn Payer>>,
    pub(super) size: AtomicU64,
    pub(super) content: Mutex<()>,
    pub(super) cleaning: Mutex<()>,
    pub(super) fill: Mutex<ReadAhead>,
    pub(super) index: SpinLock<Index>,
    pub(super) mappers: SpinLock<Mappers>,
    pub(super) unlinked: AtomicBool,
    /// A write-back failed for which nobody waited: fsync(2) is to tell.
    pub(super) failed: AtomicBool,
    /// Reclaim knows this cache.
    pub(super) listed: AtomicBool,
}

impl PageCache {
    /// The cache of a file of `size` bytes on `source`. Clean pages may be dropped at any time and read again.
    pub fn new(source: Weak<dyn PageSource>, size: u64) -> Arc<PageCache> {
        Self::build(Some(source), false, size)
    }

    /// A file that lives in its pages alone (tmpfs, shared anonymous memory): never written out, never dropped. `space`, if given, is
    /// asked to `reserve` and told of `unreserve` and `modified`; it is never asked to read or write.
    pub fn memory(space: Option<Weak<dyn PageSource>>, size: u64) -> Arc<PageCache> {
        Self::build(space, true, size)
    }

    fn build(source: Option<Weak<dyn PageSource>>, memory: bool, size: u64) -> Arc<PageCache> {
        let spin = hal::sync::Rank::PageCache;
        Arc::new_cyclic(|this| PageCache {
            this: this.clone(),
            source,
            memory,
            payer: if memory { payer::of_running() } else { None },
            size: AtomicU64::new(size),
            content: Mutex::new(Rank::FileContent, "file content", ()),
            cleaning: Mutex::new(Rank::FileContent, "file write-back", ()),
            fill: Mutex::new(Rank::PageCacheFill, "page fill", ReadAhead::default()),
            index: SpinLock::new(spin, "page index", Index::default()),
            mappers: SpinLock::new(spin, "mappers", Mappers::default()),
            unlinked: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            listed: AtomicBool::new(false),
        })
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Pages in memory.
    pub fn pages(&self) -> usize {
        self.index.lock().pages.len()
    }

    /// Dirty pages.
    pub fn dirty(&self) -> usize {
        self.index.lock().dirty.len()
    }

    /// Whether the file lives in its pages alone.
    pub fn is_memory(&self) -> bool {
        self.memory
    }

    /// What its pages are taken for.
    pub(super) fn purpose(&self) -> For {
        if self.memory { For::Keeps } else { For::Cache }
    }

    /// The storage, while the file exists.
    pub(super) fn source(&self) -> Option<Arc<dyn PageSource>> {
        self.source.as_ref().and_then(Weak::upgrade)
    }

    /// Page `index` if it is in memory.
    pub(super) fn lookup(&self, index: u64) -> Option<Frame> {
        let mut pages = self.index.lock();
        let page = pages.pages.get_mut(&index)?;
        page.used = true;
        Some(page.frame.clone())
    }

    /// Calls `each` with the pages of `first..end` that are in memory. `each` must not sleep or take locks of caches.
    pub(super) fn for_each_cached(&self, first: u64, end: u64, mut each: impl FnMut(u64, &mut Page)) {
        for (&index, page) in self.index.lock().pages.range_mut(first..end) {
            each(index, page);
        }
    }

    /// Whether page `index` is dirty, so that stores to it will be written. A memory file's pages always count as such.
    pub(super) fn takes_stores(&self, index: u64) -> bool {
        let pages = self.index.lock();
        if self.memory { pages.pages.contains_key(&index) } else { pages.dirty.contains(&index) }
    }

    /// Page `index`, read if need be; zeros in a hole and past the end.
    pub fn get(&self, index: u64) -> Result<Frame> {
        match self.lookup(index) {
            Some(frame) => Ok(frame),
            None if self.memory => Ok(Frame::zero_page()),
            None => self.fill(index, &mut self.fill.lock()),
        }
    }

    /// Page `index`, about to be changed: space is reserved and the page is dirty until the result is dropped, so what is copied into it
    /// meanwhile will be written. `whole`: all of it will be overwritten, it need not be read.
    pub(super) fn hold(&self, index: u64, whole: bool) -> Result<Hold<'_>> {
        if let Some(hold) = self.try_hold(index) {
            return Ok(hold);
        }
        let mut fill = self.fill.lock();
        loop {
            self.make_dirty(index, whole, &mut fill)?;
            // Unless write-back has just cleaned it.
            if let Some(hold) = self.try_hold(index) {
                return Ok(hold);
            }
        }
    }

    fn try_hold(&self, index: u64) -> Option<Hold<'_>> {
        let mut pages = self.index.lock();
        if !self.memory && !pages.dirty.contains(&index) {
            return None;
        }
        let page = pages.pages.get_mut(&index)?;
        page.used = true;
        page.busy += 1;
        Some(Hold { cache: self, index, frame: page.frame.clone() })
    }

    /// Page `index` for a mapping: as `get`, or made dirty, but past the end of the file is `EFAULT`, and a memory file's
    /// hole is filled (a mapping of the page of zeros would miss later stores).
    pub(super) fn get_for_fault(&self, index: u64, write: bool) -> Result<Frame> {
        let mut fill = self.fill.lock();
        // Truncation lowers the size before it takes this lock: no page comes to be behind it.
        if index >= self.size().div_ceil(PAGE as u64) {
            return Err(Errno::EFAULT.during("touching a mapped page past the end of its file"));
        }
        if !write && !self.memory {
            return self.fill(index, &mut fill);
        }
        let frame = self.make_dirty(index, false, &mut fill)?;
        drop(fill);
        if write && let Some(source) = self.source() {
            source.modified(self.size());
        }
        Ok(frame)
    }

    /// Puts a page that `frame` holds whole; `false` if there is one already (copy into that).
    pub(super) fn put_whole(&self, index: u64, frame: &Frame) -> Result<bool> {
        let _fill = self.fill.lock();
        if self.lookup(index).is_some() {
            return Ok(false);
        }
        self.keep_space(index)?;
        self.insert(index, frame);
        self.mark_dirty(index);
        Ok(true)
    }

    fn keep_space(&self, index: u64) -> Result<()> {
        match (&self.source, self.source()) {
            (None, _) => Ok(()),
            (Some(_), Some(source)) => source.reserve(index, 1),
            (Some(_), None) => Err(Errno::EIO.during("writing to a file that is gone")),
        }
    }

    /// With the fill lock: the page, dirty.
    fn make_dirty(&self, index: u64, whole: bool, fill: &mut ReadAhead) -> Result<Frame> {
        let present = self.lookup(index);
        if let Some(frame) = &present
            && self.takes_stores(index)
        {
            return Ok(frame.clone());
        }
        let frame = match present {
            Some(frame) => frame,
            None if self.memory || whole || index >= self.size().div_ceil(PAGE as u64) => {
                reclaim::zeroed_frame(self.purpose())?
            }
            None => self.fill(index, fill)?,
        };
        self.keep_space(index)?;
        // A page that was read just now may have been reclaimed again, unless we hold it: we do.
        if self.lookup(index).is_none() {
            self.insert(index, &frame);
        }
        self.mark_dirty(index);
        Ok(frame)
    }

    fn mark_dirty(&self, index: u64) {
        if self.memory {
            return;
        }
        let first = {
            let mut pages = self.index.lock();
            if !pages.dirty.insert(index) {
                return;
            }
            pages.dirty.len() == 1
        };
        DIRTY.add(1);
        iocount::dirtied(PAGE);
        if first {
            dirty::list(self);
        }
    }

    pub(super) fn insert(&self, index: u64, frame: &Frame) {
        self.index.lock().pages.insert(index, Page { frame: frame.clone(), used: true, busy: 0 });
        CACHED.add(1);
        if self.memory {
            MEMORY_FILES.add(1);
            self.pay(1);
        } else if !self.listed.swap(true, Ordering::Relaxed) {
            reclaim::list(self);
        }
    }

    fn pay(&self, pages: isize) {
        if let Some(payer) = &self.payer {
            payer.pay(pages);
        }
    }

    /// Takes the page out of the index, if it is there: its frame, and whether it was dirty.
    pub(super) fn take(&self, index: u64) -> Option<(Frame, bool)> {
        let (page, dirty) = {
            let mut pages = self.index.lock();
            let page = pages.pages.remove(&index)?;
            (page, pages.dirty.remove(&index))
        };
        CACHED.sub(1);
        if self.memory {
            MEMORY_FILES.sub(1);
            self.pay(-1);
        }
        if dirty {
            DIRTY.sub(1);
        }
        Some((page.frame, dirty))
    }

    /// Tells that the file has lost its last name: once nobody has it open, its dirty pages are dropped instead of written (see
    /// [`super::sweep_orphans`]).
    pub fn mark_unlinked(&self) {
        self.unlinked.store(true, Ordering::Release);
        dirty::note_orphan(self);
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        let index = self.index.get_mut();
        CACHED.sub(index.pages.len());
        DIRTY.sub(index.dirty.len());
        if self.memory {
            MEMORY_FILES.sub(index.pages.len());
            if let Some(payer) = &self.payer {
                payer.pay(-(index.pages.len() as isize));
            }
        }
        if self.listed.load(Ordering::Relaxed) {
            reclaim::unlist(self);
        }
    }
}
