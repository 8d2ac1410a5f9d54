//! Single frames, taken and given through a small stack on each CPU: no lock in the common case. Off the machine (host tests run
//! on many threads and have no CPU number) the stacks are left out.

use super::buddy;

/// Frames moved between a CPU's stack and the buddy allocator at once.
#[cfg(target_os = "none")]
const BATCH: usize = 32;

#[cfg(target_os = "none")]
mod stacks {
    use super::BATCH;
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

    /// Runs `f` with the running CPU's stack and its length.
    pub fn with<R>(f: impl FnOnce(&mut [u32; 2 * BATCH], &mut usize) -> R) -> R {
        let stack = &STACKS[cpu::id() & (cpu::MAX - 1)];
        let mut length = stack.length.load(Ordering::Relaxed);
        // SAFETY: only this CPU uses its stack, and `f` (in this file's parent) does not come back here.
        let result = f(unsafe { &mut *stack.frames.get() }, &mut length);
        stack.length.store(length, Ordering::Relaxed);
        result
    }

    /// Free frames in all stacks.
    pub fn count() -> usize {
        STACKS.iter().map(|stack| stack.length.load(Ordering::Relaxed)).sum()
    }
}

/// Takes a frame.
#[cfg(target_os = "none")]
pub fn take() -> Option<u32> {
    stacks::with(|frames, length| {
        if *length == 0 {
            *length = buddy::take_many(&mut frames[..BATCH]);
            // Handed out from the end: the lowest address first.
            frames[..*length].reverse();
        }
        *length = length.checked_sub(1)?;
        Some(frames[*length])
    })
}

/// Gives a frame back.
#[cfg(target_os = "none")]
pub fn give(index: u32) {
    stacks::with(|frames, length| {
        if *length == frames.len() {
            *length -= BATCH;
            buddy::give_many(&frames[..BATCH]);
            frames.copy_within(BATCH.., 0);
        }
        frames[*length] = index;
        *length += 1;
    });
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
