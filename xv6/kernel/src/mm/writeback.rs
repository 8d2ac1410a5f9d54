//! Write-back: dirty pages go to the file's storage in runs, oldest index first.
//!
//! A page is marked clean, then made read-only in every shared mapping, then written: a store that comes later faults and marks it dirty
//! again. One write-back of a file runs at a time (`cleaning`), so an older content never overtakes a newer one.

use super::frames::{self, DIRTY, WRITEBACK};
use super::{PageCache, dirty, flusher};
use crate::error::Result;
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
            while let Some((first, frames)) = self.clean_run(next..range.end) {
                next = first + frames.len() as u64;
                let result = self.write_run(first, &frames);
                outcome = outcome.and(result);
            }
        }
        drop(dirty::unlist(self));
        outcome
    }

    /// Marks the first run of dirty pages in `range` clean and returns it.
    fn clean_run(&self, range: Range<u64>) -> Option<(u64, Vec<Frame>)> {
        let mut index = self.index.lock();
        let first = index.dirty.range(range.clone()).next().copied()?;
        let mut frames = Vec::new();
        while frames.len() < RUN && first + (frames.len() as u64) < range.end {
            let page = first + frames.len() as u64;
            if !index.dirty.remove(&page) {
                break;
            }
            match index.pages.get(&page) {
                Some(page) => frames.push(page.frame.clone()),
                None => break,
            }
        }
        drop(index);
        frames::sub(&DIRTY, frames.len());
        Some((first, frames))
    }

    fn write_run(&self, first: u64, frames: &[Frame]) -> Result<()> {
        let end = first + frames.len() as u64;
        if self.is_mapped() {
            self.each_mapper(|space| space.guard_stores(self, first..end));
        }
        let size = self.size();
        if size / PAGE as u64 >= first && size / (PAGE as u64) < end {
            self.clear_tail(size);
        }
        // Without its storage the file is gone: nobody can ask for its content any more.
        let Some(source) = self.source() else { return Ok(()) };
        frames::add(&WRITEBACK, frames.len());
        let result = source.write_pages(first, frames);
        frames::sub(&WRITEBACK, frames.len());
        source.unreserve(first, frames.len());
        result
    }
}

/// Writes back every dirty page of every file (sync(2)); the first error, after trying all.
pub fn sync_all() -> Result<()> {
    let mut outcome = Ok(());
    for held in dirty::all() {
        let result = held.cache.write_back(0..u64::MAX);
        outcome = outcome.and(result);
    }
    outcome
}

/// After a write to `cache`: when dirty pages are more than a fifth of memory, the writer cleans its own file; at half of that the
/// flusher begins.
pub(super) fn throttle(cache: &PageCache) {
    let dirty = DIRTY.load(Ordering::Relaxed);
    let limit = frame::total() / 5;
    if dirty > limit && !cache.memory {
        // The writer hears of errors at fsync(2); here it only waits.
        if let Err(error) = cache.write_back(0..u64::MAX) {
            hal::log::record(hal::log::Level::Error, format_args!("mm: writing dirty pages: {error:?}"));
        }
    } else if dirty > limit / 2 {
        flusher::hurry();
    }
}
