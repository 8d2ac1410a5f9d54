//! Single frames, taken and given through a small stack on each CPU: no lock in the common case. Off the machine (host tests run
//! on many threads and have no CPU number) the stacks are left out.

use super::buddy;

/// Frames moved between a CPU's stack and the buddy allocator at once.
#[cfg(target_os = "none")]
const BATCH: usize = 32;

#[cfg(target_os = "none")]
mod stacks {
    use super::{BATCH, buddy};
    use crate::cpu;
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// One CPU's free frames. The length is atomic so that others can count.
    #[repr(align(64))]
    pub struct Stack {
        length: AtomicUsize,
        frames: UnsafeCell<[u32; 2 * BATCH]>,
    }

    // SAFETY: `frames` is used by the owning CPU only, which is never preempted; `length` is atomic.
    unsafe impl Sync for Stack {}

    pub static STACKS: [Stack; cpu::MAX] =
        [const { Stack { length: AtomicUsize::new(0), frames: UnsafeCell::new([0; 2 * BATCH]) } }; cpu::MAX];

    impl Stack {
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

    /// The running CPU's stack.
    #[inline(always)]
    pub fn mine() -> &'static Stack {
        &STACKS[cpu::id() & (cpu::MAX - 1)]
    }

    /// Free frames in all stacks.
    pub fn count() -> usize {
        STACKS.iter().map(|stack| stack.length.load(Ordering::Relaxed)).sum()
    }
}

/// Takes a frame.
#[cfg(target_os = "none")]
#[inline]
pub fn take() -> Option<u32> {
    let stack = stacks::mine();
    stack.pop().or_else(|| {
        stack.refill();
        stack.pop()
    })
}

/// Gives a frame back.
#[cfg(target_os = "none")]
#[inline]
pub fn give(index: u32) {
    let stack = stacks::mine();
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
    buddy::take(0)
}

/// Gives a frame back.
#[cfg(not(target_os = "none"))]
pub fn give(index: u32) {
    buddy::give(index, 0);
}

/// Free frames held back in the CPUs' stacks.
#[cfg(not(target_os = "none"))]
pub fn count() -> usize {
    0
}
