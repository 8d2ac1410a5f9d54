//! Write-back: dirty pages go to the file's storage in runs, oldest index first.
//!
//! A page is marked clean, then made read-only in every shared mapping, then written: a store that comes later faults and marks it dirty
//! again. One write-back of a file runs at a time (`cleaning`), so an older content never overtakes a newer one.

use super::frames::{DIRTY, WRITEBACK};
use super::{PageCache, dirty, flusher};
use crate::error::{Errno, Result};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::Ordering;
use hal::frame::{self, Frame, SIZE as PAGE};

/// Pages written by one call of the source.
const RUN: usize = 64;

impl PageCache {
    /// Writes the dirty pages in `range` (of page indices) and waits for them. After an error the pages count as clean; the first error is returned.
    pub fn write_back(&self, range: Range<u64>) -> Result<()> {
        if self.memory {
            return Ok(());
        }
        let mut outcome = Ok(());
        {
            let _cleaning = self.cleaning.lock();
            let mut next = range.start;
            // A page behind the end belongs to a write that has not finished: it stays dirty.
            let end = range.end.min(self.size().div_ceil(PAGE as u64));
            while let Some((first, frames)) = self.clean_run(next..end) {
                next = first + frames.len() as u64;
                let result = self.write_run(first, frames);
                outcome = outcome.and(result);
            }
        }
        drop(dirty::unlist(self));
        outcome
    }

    /// fsync(2): writes all dirty pages back; `EIO` also if that failed in the background since the last call.
    pub fn sync(&self) -> Result<()> {
        let outcome = self.write_back(0..u64::MAX);
        let failed = self.failed.swap(false, Ordering::AcqRel);
        if failed { outcome.and(Err(Errno::EIO.during("writing pages back earlier"))) } else { outcome }
    }

    /// Writes all dirty pages back for somebody who will not tell the file's writers of an error: their fsync(2) will.
    fn write_back_for_others(&self) -> Result<()> {
        self.write_back(0..u64::MAX).inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    /// Marks the first run of dirty pages in `range` clean, but for those that are being written to just now, and returns it.
    fn clean_run(&self, range: Range<u64>) -> Option<(u64, Vec<Frame>)> {
        let mut guard = self.index.lock();
        let index = &mut *guard;
        if range.is_empty() {
            return None;
        }
        let first = index.dirty.range(range.clone()).next().copied()?;
        let mut frames = Vec::new();
        let mut cleaned = 0;
        for number in first..range.end.min(first + RUN as u64) {
            let Some(page) = index.pages.get(&number).filter(|_| index.dirty.contains(&number)) else { break };
            frames.push(page.frame.clone());
            if page.busy == 0 {
                index.dirty.remove(&number);
                cleaned += 1;
            }
        }
        drop(guard);
        DIRTY.sub(cleaned);
        (!frames.is_empty()).then_some((first, frames))
    }

    fn write_run(&self, first: u64, mut frames: Vec<Frame>) -> Result<()> {
        let end = first + frames.len() as u64;
        if self.is_mapped() {
            self.each_mapper(|space| space.guard_stores(self, first..end));
        }
        // What lies behind the end is not the file's: it is written as zeros, from a copy, for a write may be putting its bytes there.
        let (last, within) = (self.size() / PAGE as u64, (self.size() % PAGE as u64) as usize);
        if (first..end).contains(&last)
            && within != 0
            && let Some(copy) = Frame::alloc()
        {
            let frame = &mut frames[(last - first) as usize];
            copy.copy_from(frame);
            copy.fill(within, PAGE - within, 0);
            *frame = copy;
        }
        // Without its storage the file is gone: nobody can ask for its content any more.
        let Some(source) = self.source() else { return Ok(()) };
        WRITEBACK.add(frames.len());
        let result = source.write_pages(first, &frames);
        WRITEBACK.sub(frames.len());
        source.unreserve(first, frames.len());
        result
    }
}

/// Writes back every dirty page of every file (sync(2)); the first error, after trying all.
pub fn sync_all() -> Result<()> {
    let mut outcome = Ok(());
    for held in dirty::all() {
        let result = held.cache.write_back_for_others();
        outcome = outcome.and(result);
    }
    outcome
}

/// After a write to `cache`: when dirty pages are more than a fifth of memory, the writer cleans its own file; at half of that the
/// flusher begins.
pub(super) fn throttle(cache: &PageCache) {
    let dirty = DIRTY.get();
    let limit = frame::total() / 5;
    if dirty > limit && !cache.memory {
        // The writer hears of errors at fsync(2); here it only waits.
        if let Err(error) = cache.write_back_for_others() {
            hal::log::record(hal::log::Level::Error, format_args!("mm: writing dirty pages: {error:?}"));
        }
    } else if dirty > limit / 2 {
        flusher::hurry();
    }
}
