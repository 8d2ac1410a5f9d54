//! Reclaim: dropping clean cache pages when memory is short, by a clock over all caches; and what to do when that is not enough.
//!
//! Each cache has a hand that goes round its pages: a page used since the last visit gets another round, an unused clean one goes, first
//! being unmapped if programs map it. Caches take turns. [`frame`] and [`zeroed_frame`] are how the rest of `mm` gets pages: they reclaim, then
//! end the biggest process ([`super::oom`]), then fail.
//!
//! Reclaim must make progress: a page that is dropped and read again at once is none. So the last clean pages
//! ([`frames::kept_cache`]) go only for other file pages ([`For::Cache`]), which changes what is cached, not how much. Who wants memory
//! for good ([`For::Keeps`]) when no more than these are left has filled the machine: then a process ends.
//!
//! Lock: the list of caches is a spin lock outside their index locks. Address spaces are only tried, never waited for: reclaim runs under
//! any sleeping lock but never under an address space's.

use super::{PageCache, frames, oom};
use crate::error::{Errno, Result};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::frame::Frame;
use hal::sync::{Rank, SpinLock};

/// The caches that have had a page, by their addresses, and which one had its turn last.
struct Caches {
    all: BTreeMap<usize, Weak<PageCache>>,
    hand: usize,
}

static CACHES: SpinLock<Caches> = SpinLock::new(Rank::Mm, "page caches", Caches { all: BTreeMap::new(), hand: 0 });

/// The least number of pages looked at under one hold of an index lock.
const GLANCE: usize = 128;
/// A visit looks at this part of a cache, so that a large one does not hide behind many small ones.
const PART: usize = 16;
/// Visits to each cache before reclaim gives up: two whole rounds of its clock (the first takes marks of use away), and some.
const VISITS: usize = 2 * PART + 8;

/// Adds a cache that has got its first page.
pub(super) fn list(cache: &PageCache) {
    CACHES.lock().all.insert(core::ptr::from_ref(cache).addr(), cache.this.clone());
}

/// Takes out a listed cache that ends.
pub(super) fn unlist(cache: &PageCache) {
    let entry = CACHES.lock().all.remove(&core::ptr::from_ref(cache).addr());
    drop(entry);
}

/// What pages are wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Pages of files on disks: reclaim gets them back.
    Cache,
    /// All else.
    Keeps,
}

/// A page with undefined content, reclaiming if need be; `ENOMEM` when nothing helps.
pub(super) fn frame(purpose: For) -> Result<Frame> {
    loop {
        if let Some(frame) = frames::take() {
            return Ok(frame);
        }
        make_room(1, purpose)?;
    }
}

/// A page of zeros likewise.
pub(super) fn zeroed_frame(purpose: For) -> Result<Frame> {
    loop {
        if let Some(frame) = frames::take_zeroed() {
            return Ok(frame);
        }
        make_room(1, purpose)?;
    }
}

/// Makes room for `pages` user pages: reclaims, writes back through the flusher, at last ends a process. `ENOMEM` if there is still none.
pub(super) fn make_room(pages: usize, purpose: For) -> Result<()> {
    if reclaim(pages, purpose) { Ok(()) } else { oom::wait_for_room(pages, purpose) }
}

/// Drops clean pages until `pages` more (and some for those who come next) are free; whether `pages` are.
pub(super) fn reclaim(pages: usize, purpose: For) -> bool {
    let goal = pages + 64;
    let turns = VISITS * CACHES.lock().all.len();
    for turn in 0..turns {
        if frames::has_room(goal) {
            return true;
        }
        let most = match purpose {
            For::Cache => usize::MAX,
            For::Keeps => frames::clean_cache().saturating_sub(frames::kept_cache()),
        };
        let Some(cache) = next_cache().filter(|_| most > 0) else { break };
        // The first rounds spare what is in use; pages that programs map go last.
        sweep(&cache, most, turn >= turns / 2);
    }
    frames::has_room(pages)
}

/// Drops every clean page that nobody uses (`/proc/sys/vm/drop_caches`): what is left is what something holds.
pub fn drop_caches() {
    let visits = |cache: Weak<PageCache>| cache.upgrade().map_or(0, |cache| cache.pages() / GLANCE + 1);
    let caches: Vec<Weak<PageCache>> = CACHES.lock().all.values().cloned().collect();
    // Two visits of each page: the first takes its mark of use away.
    let turns = 2 * caches.len() * caches.into_iter().map(visits).max().unwrap_or(0);
    for _ in 0..turns {
        let Some(cache) = next_cache() else { return };
        sweep(&cache, usize::MAX, true);
        crate::task::breathe();
    }
}

fn next_cache() -> Option<Arc<PageCache>> {
    let mut caches = CACHES.lock();
    // A cache that is ending takes itself out.
    for _ in 0..caches.all.len() {
        let (&next, cache) = caches.all.range(caches.hand + 1..).next().or_else(|| caches.all.first_key_value())?;
        let cache = cache.upgrade();
        caches.hand = next;
        if cache.is_some() {
            return cache;
        }
    }
    None
}

/// One visit of the clock at `cache`, for `most` pages. Its dropping here, should its file end meanwhile, touches nothing but its own frames.
fn sweep(cache: &Arc<PageCache>, most: usize, mapped_too: bool) {
    cache.forget_ended_mappers();
    let mut free = Vec::new();
    let mut in_use = Vec::new();
    {
        let mut guard = cache.index.lock();
        let index = &mut *guard;
        let glance = GLANCE.max(index.pages.len() / PART);
        let mut seen = Vec::with_capacity(glance);
        let from = index.hand;
        for (&number, page) in index.pages.range_mut(from..).take(glance) {
            if seen.len() + in_use.len() == most {
                break;
            }
            index.hand = number + 1;
            if index.dirty.contains(&number) {
                continue;
            }
            if core::mem::take(&mut page.used) {
                continue;
            }
            match page.frame.refs() {
                1 => seen.push(number),
                _ => in_use.push((number, page.frame.clone())),
            }
        }
        if index.pages.range(index.hand..).next().is_none() {
            index.hand = 0;
        }
        for number in seen {
            free.extend(index.pages.remove(&number).map(|page| page.frame));
        }
    }
    frames::CACHED.sub(free.len());
    drop(free);
    if !mapped_too {
        return;
    }
    for (number, frame) in in_use {
        cache.each_mapper(|space| space.try_evict(cache, number, &frame));
        let gone = {
            let mut index = cache.index.lock();
            // Ours, and the index's: nobody else has it or can get it while the index is locked.
            if frame.refs() == 2 && !index.dirty.contains(&number) { index.pages.remove(&number) } else { None }
        };
        if gone.is_some() {
            frames::CACHED.sub(1);
        }
    }
}

/// The largest allocation for which a process is ended rather than an error returned, in pages: what threads, page tables and pipes need.
const SMALL: usize = 64;

/// Admission of a kernel allocation whose size a user chooses: makes sure that `bytes` more can be had without eating into the
/// kernel's reserve, reclaiming cached pages if need be. `ENOMEM` if that is not enough; a small need ends the biggest process first. May sleep.
pub fn reserve(bytes: usize) -> Result<()> {
    let pages = bytes.div_ceil(hal::frame::SIZE);
    if frames::has_room(pages) || reclaim(pages, For::Keeps) {
        return Ok(());
    }
    if pages <= SMALL {
        make_room(pages, For::Keeps)
    } else {
        Err(Errno::ENOMEM.during("admitting a kernel allocation"))
    }
}
