//! Filling a page cache from its source: a page that is missed is read with its neighbours, or with what follows when misses are sequential.
//!
//! Locks: the cache's `fill`, held by the callers in `cache` across the source's reads; its spinning `index` inside.

use super::cache::{PageCache, PageSource};
use super::frames;
use super::reclaim::{self, For};
use crate::error::{Errno, Result};
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::{Frame, SIZE as PAGE};

/// Where the last fill ended: reading on from there is sequential.
#[derive(Default)]
pub(super) struct ReadAhead {
    next: u64,
}

/// Pages read around a random miss, an aligned cluster.
const CLUSTER: u64 = 64;
/// Pages read ahead when misses are sequential.
const AHEAD: u64 = 64;

impl PageCache {
    /// With the fill lock: reads page `index`, and its neighbours while at it.
    pub(super) fn fill(&self, index: u64, fill: &mut ReadAhead) -> Result<Frame> {
        let window = if index == fill.next && index != 0 {
            index..index + AHEAD
        } else {
            index & !(CLUSTER - 1)..(index | (CLUSTER - 1)) + 1
        };
        self.fill_within(index, window, fill)
    }

    /// As [`PageCache::get`], without the neighbours: for who reads here and there.
    pub fn get_alone(&self, index: u64) -> Result<Frame> {
        match self.lookup(index) {
            Some(frame) => Ok(frame),
            None if self.is_memory() => Ok(Frame::zero_page()),
            None => self.fill_within(index, index..index + 1, &mut self.fill.lock()),
        }
    }

    /// With the fill lock: reads page `index`, and with it what is missing around it in `window`.
    fn fill_within(&self, index: u64, window: Range<u64>, fill: &mut ReadAhead) -> Result<Frame> {
        if let Some(frame) = self.lookup(index) {
            return Ok(frame);
        }
        let end = self.size().div_ceil(PAGE as u64);
        if index >= end {
            return Ok(Frame::zero_page());
        }
        let source = self.source().ok_or(Errno::EIO.during("reading a file that is gone"))?;
        let run = self.missing_around(index, window.start..window.end.min(end));
        let mut frames = Vec::new();
        for page in run.clone() {
            let frame = if page == index { Some(reclaim::frame(For::Cache)?) } else { frames::take() };
            match frame {
                Some(frame) => frames.push(frame),
                None if page < index => {
                    // Too little memory for the pages before the one that is wanted.
                    return self.fill_one(index, &*source);
                }
                None => break,
            }
        }
        if source.read_pages(run.start, &mut frames).is_err() {
            return self.fill_one(index, &*source);
        }
        for (page, frame) in (run.start..).zip(&frames) {
            self.insert(page, frame);
        }
        fill.next = run.start + frames.len() as u64;
        Ok(frames.swap_remove((index - run.start) as usize))
    }

    fn fill_one(&self, index: u64, source: &dyn PageSource) -> Result<Frame> {
        let mut frames = [reclaim::frame(For::Cache)?];
        source.read_pages(index, &mut frames)?;
        self.insert(index, &frames[0]);
        let [frame] = frames;
        Ok(frame)
    }

    /// The stretch of absent pages around `index` within `window`.
    fn missing_around(&self, index: u64, window: Range<u64>) -> Range<u64> {
        let pages = self.index.lock();
        let start = pages.pages.range(window.start..index).next_back().map_or(window.start, |(&below, _)| below + 1);
        let end = pages.pages.range(index..window.end).next().map_or(window.end, |(&above, _)| above);
        start..end
    }
}
