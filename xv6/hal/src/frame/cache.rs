//! Single frames, taken and given through a small stack on each CPU: no lock in the common case. A second stack has frames of zeros: page tables
//! are empty when they end, and the next ones need not be zeroed again. Off the machine (host tests run on many threads and have no CPU number)
//! the stacks are left out.

use super::buddy;

/// Frames moved between a CPU's stack and the buddy allocator at once.
#[cfg(target_os = "none")]
const BATCH: usize = 32;
/// Frames of zeros kept on a CPU: what the page tables of a few small programs take.
#[cfg(target_os = "none")]
const ZEROED: usize = 32;

#[cfg(target_os = "none")]
mod stacks {
    use super::{BATCH, ZEROED, buddy};
    use crate::cpu;
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// One CPU's free frames. The length is atomic so that others can count.
    #[repr(align(64))]
    pub struct Stack<const ROOM: usize> {
        length: AtomicUsize,
        frames: UnsafeCell<[u32; ROOM]>,
    }

    // SAFETY: `frames` is used by the owning CPU only, which is never preempted; `length` is atomic.
    unsafe impl<const ROOM: usize> Sync for Stack<ROOM> {}

    /// Frames with whatever is in them.
    pub static STACKS: [Stack<{ 2 * BATCH }>; cpu::MAX] = [const { Stack::new() }; cpu::MAX];
    /// Frames of zeros.
    pub static ZEROS: [Stack<ZEROED>; cpu::MAX] = [const { Stack::new() }; cpu::MAX];

    impl<const ROOM: usize> Stack<ROOM> {
        const fn new() -> Self {
            Stack { length: AtomicUsize::new(0), frames: UnsafeCell::new([0; ROOM]) }
        }

        /// Takes the newest frame.
        #[inline(always)]
        pub fn pop(&self) -> Option<u32> {
            let length = self.length.load(Ordering::Relaxed).checked_sub(1)?;
            self.length.store(length, Ordering::Relaxed);
            // SAFETY: only this CPU uses its stack, a copy of a number at a time.
            unsafe { (*self.frames.get()).get(length).copied() }
        }

        /// Adds a frame, if there is room.
        #[inline(always)]
        pub fn push(&self, index: u32) -> bool {
            let length = self.length.load(Ordering::Relaxed);
            // SAFETY: as in `pop`.
            let Some(slot) = (unsafe { (*self.frames.get()).get_mut(length) }) else { return false };
            *slot = index;
            self.length.store(length + 1, Ordering::Relaxed);
            true
        }
    }

    impl Stack<{ 2 * BATCH }> {
        /// Fills the empty stack with a batch, the lowest address on top.
        #[cold]
        pub fn refill(&self) {
            // SAFETY: as in `pop`; the buddy allocator does not come back here.
            let (frames, _) = unsafe { &mut *self.frames.get() }.split_at_mut(BATCH);
            let count = buddy::take_many(frames);
            frames[..count].reverse();
            self.length.store(count, Ordering::Relaxed);
        }

        /// Gives the older half of the full stack away.
        #[cold]
        pub fn drain(&self) {
            // SAFETY: as in `refill`.
            let frames = unsafe { &mut *self.frames.get() };
            buddy::give_many(&frames[..BATCH]);
            frames.copy_within(BATCH.., 0);
            self.length.store(BATCH, Ordering::Relaxed);
        }
    }

    /// The running CPU's of `stacks`.
    #[inline(always)]
    pub fn mine<const ROOM: usize>(stacks: &'static [Stack<ROOM>; cpu::MAX]) -> &'static Stack<ROOM> {
        &stacks[cpu::id() & (cpu::MAX - 1)]
    }

    /// Free frames in all stacks.
    pub fn count() -> usize {
        let length = |(any, zeroed): (&Stack<{ 2 * BATCH }>, &Stack<ZEROED>)| {
            any.length.load(Ordering::Relaxed) + zeroed.length.load(Ordering::Relaxed)
        };
        STACKS.iter().zip(&ZEROS).map(length).sum()
    }
}

/// Takes a frame.
#[cfg(target_os = "none")]
#[inline]
pub fn take() -> Option<u32> {
    let stack = stacks::mine(&stacks::STACKS);
    stack.pop().or_else(|| {
        stack.refill();
        stack.pop().or_else(take_zeroed)
    })
}

/// Takes a frame of zeros, if this CPU has one.
#[cfg(target_os = "none")]
#[inline]
pub fn take_zeroed() -> Option<u32> {
    stacks::mine(&stacks::ZEROS).pop()
}

/// Gives back a frame of zeros.
#[cfg(target_os = "none")]
#[inline]
pub fn give_zeroed(index: u32) {
    if !stacks::mine(&stacks::ZEROS).push(index) {
        give(index);
    }
}

/// Gives a frame back.
#[cfg(target_os = "none")]
#[inline]
pub fn give(index: u32) {
    let stack = stacks::mine(&stacks::STACKS);
    if !stack.push(index) {
        stack.drain();
        stack.push(index);
    }
}

/// Free frames held back in the CPUs' stacks.
#[cfg(target_os = "none")]
pub fn count() -> usize {
    stacks::count()
}

/// Takes a frame.
#[cfg(not(target_os = "none"))]
pub fn take() -> Option<u32> {
    let taken = buddy::take(0);
    #[cfg(loom)]
    taken.inspect(|&index| crate::model::mmu::taken(index));
    taken
}

/// Gives a frame back.
#[cfg(not(target_os = "none"))]
pub fn give(index: u32) {
    #[cfg(loom)]
    crate::model::mmu::given(index);
    buddy::give(index, 0);
}

/// Takes a frame of zeros: none is kept.
#[cfg(not(target_os = "none"))]
pub fn take_zeroed() -> Option<u32> {
    None
}

/// Gives back a frame of zeros.
#[cfg(not(target_os = "none"))]
pub fn give_zeroed(index: u32) {
    give(index);
}

/// Free frames held back in the CPUs' stacks.
#[cfg(not(target_os = "none"))]
pub fn count() -> usize {
    0
}
