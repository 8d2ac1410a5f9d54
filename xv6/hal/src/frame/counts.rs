//! The counts of references to frames. A count changes under a lock that it shares with its neighbours', not by an atomic step of its own: who
//! shares or lets go of many frames (fork, exit) keeps the lock from one frame to the next, where each atomic step would cost an emulated CPU as much as
//! ten ordinary instructions, and a real one a bus cycle.
//!
//! ```text
//!   frame number:   31 ......... 12 | 11 ............. 0
//!                        block      | which of its 4,096
//!                          |
//!                          +-- modulo LOCKS: the lock of the counts of the block's 16 MiB
//! ```
//!
//! Reading needs no lock. Locks: [`Rank::Count`], one at a time; under it only the free frames' ([`super::buddy`]).

use super::{Frame, PRIVATE, PRIVATES, REFS, buddy, cache};
use crate::sync::{Rank, SpinGuard, SpinLock};
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

/// Frames in a block: `1 << BLOCK`.
const BLOCK: u32 = 12;
const LOCKS: usize = 32;

static COUNTS: [SpinLock<()>; LOCKS] = [const { SpinLock::new(Rank::Count, "frame counts", ()) }; LOCKS];

/// Shares and lets go of many frames. While it lives, its CPU must not clone or drop a frame in any other way (debug builds panic).
pub struct Counts {
    /// The block whose counts' lock is held; [`NO_BLOCK`]: none is.
    block: u32,
    held: Option<SpinGuard<'static, ()>>,
    /// Private frames that are free by now, and not yet taken off their number.
    freed_private: u32,
}

const NO_BLOCK: u32 = u32::MAX;

impl Default for Counts {
    /// No lock is held yet.
    #[inline]
    fn default() -> Counts {
        Counts { block: NO_BLOCK, held: None, freed_private: 0 }
    }
}

impl Counts {
    /// As [`Frame::clone`].
    #[inline]
    pub fn share(&mut self, frame: &Frame) -> Frame {
        self.add(frame.index);
        Frame { index: frame.index }
    }

    /// As dropping `frame`.
    #[inline]
    pub fn release(&mut self, frame: Frame) {
        let index = ManuallyDrop::new(frame).index;
        self.take(index);
        let refs = &buddy::record(index).refs;
        // Acquire and release: what each owner did to the frame happens before what the last one does, which may look without the lock.
        let left = refs.load(Ordering::Acquire) - 1;
        if left & REFS == 0 {
            self.freed_private += left / PRIVATE;
            cache::give(index);
        } else {
            refs.store(left, Ordering::Release);
        }
    }

    /// One more reference to frame `index`, which has one.
    #[inline]
    pub(super) fn add(&mut self, index: u32) {
        self.take(index);
        let refs = &buddy::record(index).refs;
        refs.store(refs.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Holds the lock of frame `index`'s count.
    #[inline(always)]
    fn take(&mut self, index: u32) {
        if self.block != index >> BLOCK {
            self.take_of(index >> BLOCK);
        }
    }

    /// Lets go of the lock that is held, then takes `block`'s: two are never held together.
    #[cold]
    #[inline(never)]
    fn take_of(&mut self, block: u32) {
        self.held = None;
        self.held = Some(COUNTS[block as usize % LOCKS].lock());
        self.block = block;
    }
}

impl Drop for Counts {
    #[inline]
    fn drop(&mut self) {
        if self.freed_private != 0 {
            PRIVATES.sub(self.freed_private as usize);
        }
    }
}

#[cfg(all(test, not(target_os = "none")))]
mod tests {
    use super::Counts;
    use crate::frame::Frame;
    use alloc::vec::Vec;

    #[test]
    fn counts_changed_by_many_at_once_are_exact() {
        let frames: Vec<Frame> = (0..8).map(|_| Frame::zeroed().expect("memory")).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let mut counts = Counts::default();
                        let shared: Vec<Frame> = frames.iter().map(|frame| counts.share(frame)).collect();
                        drop(counts);
                        let single = frames[0].clone();
                        let mut counts = Counts::default();
                        shared.into_iter().for_each(|frame| counts.release(frame));
                        counts.release(single);
                    }
                });
            }
        });
        assert!(frames.iter().all(|frame| frame.refs() == 1));
    }
}
