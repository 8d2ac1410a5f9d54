//! Which frames are free: a buddy allocator over one record a frame. Memory that was never used is not even looked at: it
//! enters block by block as it is needed, so that boot does not touch it.
//!
//! The records lie in an array at the start of the largest memory range. Locks: [`BUDDY`] ([`Rank::Frame`]).

use crate::phys::direct;
use crate::sync::{Rank, SpinLock};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The largest block is `1 << MAX_ORDER` frames: 4 MiB.
pub const MAX_ORDER: usize = 10;
/// The most memory ranges used.
const RANGES: usize = 8;
/// "No frame" in a list: frame 0 is never managed.
const NONE: u32 = 0;
/// Marks a record as the head of a free block; the order is below.
const FREE: u32 = 0x100;

/// What is known of a frame.
#[repr(C)]
pub struct Record {
    /// References, while it is in use, and above them a mark (or what its owner in hal counts).
    pub refs: AtomicU32,
    /// [`FREE`] and the order, for the head of a free block; otherwise 0. Changes under the lock.
    state: AtomicU32,
    /// Neighbours in the list of free blocks of this order, changed under the lock; the owner's to use while it is in use.
    pub next: AtomicU32,
    /// As `next`.
    pub previous: AtomicU32,
}

static RECORDS: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static FREE_FRAMES: AtomicUsize = AtomicUsize::new(0);

/// The record of frame `index`.
#[inline(always)]
pub fn record(index: u32) -> &'static Record {
    let base = RECORDS.load(Ordering::Relaxed) as *const Record;
    debug_assert!(!base.is_null(), "frames before frame::init");
    // SAFETY: the array has a record for every frame of memory, is never freed, and consists of atomics.
    unsafe { &*base.add(index as usize) }
}

struct Buddy {
    /// Heads of the lists of free blocks.
    heads: [u32; MAX_ORDER + 1],
    /// Memory never used yet: first frame and end.
    fresh: [(u32, u32); RANGES],
}

static BUDDY: SpinLock<Buddy> =
    SpinLock::new(Rank::Frame, "frames", Buddy { heads: [NONE; MAX_ORDER + 1], fresh: [(0, 0); RANGES] });

/// Gives the allocator its memory: ranges of frame numbers (never frame 0), not overlapping. The records take the first frames of the
/// largest range.
///
/// # Safety
/// The frames are ordinary memory that nothing else uses, reachable by [`direct`]. Called once.
pub unsafe fn init(ranges: &[(u32, u32)]) {
    const BLOCK: u32 = 1 << MAX_ORDER;
    let mut buddy = BUDDY.lock();
    let largest = ranges.iter().copied().max_by_key(|r| r.1 - r.0).expect("no memory");
    let top = ranges.iter().map(|r| r.1).max().unwrap_or(0).next_multiple_of(BLOCK);
    let need = (top as usize * size_of::<Record>()).div_ceil(super::SIZE) as u32;
    RECORDS.store(direct(u64::from(largest.0) * super::SIZE as u64) as usize, Ordering::Relaxed);
    let mut total = 0;
    for (slot, &(start, end)) in buddy.fresh.iter_mut().zip(ranges) {
        let start = if start == largest.0 { start + need } else { start };
        *slot = (start, end);
        total += end.saturating_sub(start) as usize;
        // Blocks that lie partly outside the range enter piecemeal: what is outside must not look free.
        clear(start - start % BLOCK);
        clear((end - 1) - (end - 1) % BLOCK);
    }
    TOTAL.store(total, Ordering::Relaxed);
    FREE_FRAMES.store(total, Ordering::Relaxed);
}

/// Clears the records of the largest block that starts at `block`: whatever the memory held before, none looks free.
fn clear(block: u32) {
    for index in block..block + (1 << MAX_ORDER) {
        record(index).state.store(0, Ordering::Relaxed);
    }
}

impl Buddy {
    /// Takes a block of `1 << order` frames.
    fn take(&mut self, order: usize) -> Option<u32> {
        loop {
            if let Some(found) = (order..=MAX_ORDER).find(|&o| self.heads[o] != NONE) {
                let index = self.heads[found];
                self.unlink(index, found);
                for smaller in (order..found).rev() {
                    self.link(index + (1 << smaller), smaller);
                }
                return Some(index);
            }
            self.enter()?;
        }
    }

    /// Gives back a block of `1 << order` frames, and joins it with free neighbours.
    fn give(&mut self, mut index: u32, mut order: usize) {
        while order < MAX_ORDER {
            let buddy = index ^ (1 << order);
            if record(buddy).state.load(Ordering::Relaxed) != FREE | order as u32 {
                break;
            }
            self.unlink(buddy, order);
            index &= !(1 << order);
            order += 1;
        }
        self.link(index, order);
    }

    /// Enters the next block of memory that was never used. `None` when there is none left.
    fn enter(&mut self) -> Option<()> {
        let (start, end) = self.fresh.iter_mut().find(|(start, end)| start < end)?;
        let mut at = *start;
        let stop = (at + 1).next_multiple_of(1 << MAX_ORDER).min(*end);
        *start = stop;
        if stop - at == 1 << MAX_ORDER {
            clear(at);
        }
        while at < stop {
            let order = (at.trailing_zeros() as usize).min((stop - at).ilog2() as usize).min(MAX_ORDER);
            self.link(at, order);
            at += 1 << order;
        }
        Some(())
    }

    fn link(&mut self, index: u32, order: usize) {
        let next = self.heads[order];
        let this = record(index);
        this.state.store(FREE | order as u32, Ordering::Relaxed);
        this.next.store(next, Ordering::Relaxed);
        this.previous.store(NONE, Ordering::Relaxed);
        if next != NONE {
            record(next).previous.store(index, Ordering::Relaxed);
        }
        self.heads[order] = index;
    }

    fn unlink(&mut self, index: u32, order: usize) {
        let this = record(index);
        let (next, previous) = (this.next.load(Ordering::Relaxed), this.previous.load(Ordering::Relaxed));
        this.state.store(0, Ordering::Relaxed);
        if next != NONE {
            record(next).previous.store(previous, Ordering::Relaxed);
        }
        if previous == NONE {
            self.heads[order] = next;
        } else {
            record(previous).next.store(next, Ordering::Relaxed);
        }
    }
}

/// Changes the number of free frames, under the lock.
fn count_free(_: &Buddy, change: isize) {
    FREE_FRAMES.store(FREE_FRAMES.load(Ordering::Relaxed).wrapping_add_signed(change), Ordering::Relaxed);
}

/// Takes a block of `1 << order` frames. Their records' `refs` are the taker's business.
pub fn take(order: usize) -> Option<u32> {
    let mut buddy = BUDDY.lock();
    let index = buddy.take(order)?;
    count_free(&buddy, -(1 << order));
    Some(index)
}

/// Gives back a block taken with [`take`] (or any part of one, split along powers of two).
pub fn give(index: u32, order: usize) {
    let mut buddy = BUDDY.lock();
    buddy.give(index, order);
    count_free(&buddy, 1 << order);
}

/// Takes up to `into.len()` single frames under one lock; how many. A whole block of them comes in one step when there is one.
pub fn take_many(into: &mut [u32]) -> usize {
    let mut buddy = BUDDY.lock();
    let mut count = 0;
    let order = into.len().ilog2() as usize;
    if let Some(first) = buddy.take(order) {
        for (offset, slot) in into[..1 << order].iter_mut().enumerate() {
            *slot = first + offset as u32;
        }
        count = 1 << order;
    } else {
        while count < into.len() {
            let Some(index) = buddy.take(0) else { break };
            into[count] = index;
            count += 1;
        }
    }
    count_free(&buddy, -(count as isize));
    count
}

/// Gives back single frames under one lock.
pub fn give_many(frames: &[u32]) {
    let mut buddy = BUDDY.lock();
    for &index in frames {
        buddy.give(index, 0);
    }
    count_free(&buddy, frames.len() as isize);
}

/// Frames managed, and how many of them are free here (the CPUs' caches not counted).
pub fn counts() -> (usize, usize) {
    (TOTAL.load(Ordering::Relaxed), FREE_FRAMES.load(Ordering::Relaxed))
}
