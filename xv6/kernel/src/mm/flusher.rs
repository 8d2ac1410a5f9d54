//! The flusher: the kernel thread that writes dirty pages back after a while, and ends address spaces that could not end where they were
//! released.
//!
//! It sleeps until something is dirty, then gives it [`DELAY`] to gather company, and goes round all dirty files. No polling: with nothing dirty
//! it has no deadline.

use super::{dirty, reaper, sync_all};
use crate::sync::WaitQueue;
use core::sync::atomic::{AtomicBool, Ordering};
use hal::sync::{Rank, SpinLock};

/// How long a page may be dirty before the flusher writes it, in nanoseconds.
const DELAY: u64 = 5_000_000_000;

static QUEUE: WaitQueue = WaitQueue::new();
/// There is something to do.
static WORK: AtomicBool = AtomicBool::new(false);
/// There is something to do at once.
static HURRY: AtomicBool = AtomicBool::new(false);

/// Something besides pages is to be written: see [`expect_flush`].
static MORE: AtomicBool = AtomicBool::new(false);
/// Who writes it.
static HOOK: SpinLock<Option<fn()>> = SpinLock::new(Rank::Mm, "flusher hook", None);

/// `hook` is called after each round of dirty pages: a file system commits its log there.
pub fn flush_with(hook: fn()) {
    *HOOK.lock() = Some(hook);
}

/// A file system has changes in memory that are no pages: a round comes after a while. Takes no sleeping lock.
pub fn expect_flush() {
    if !MORE.load(Ordering::Relaxed) && !MORE.swap(true, Ordering::AcqRel) {
        wake();
    }
}

/// Something became dirty, or a space was released.
pub(super) fn wake() {
    if !WORK.swap(true, Ordering::AcqRel) {
        QUEUE.wake_all();
    }
}

/// There are many dirty pages: do not wait.
pub(super) fn hurry() {
    if !HURRY.swap(true, Ordering::AcqRel) {
        QUEUE.wake_all();
    }
}

/// Runs forever, as a kernel thread.
pub fn run() {
    loop {
        QUEUE.rest(|| (WORK.load(Ordering::Acquire) || HURRY.load(Ordering::Acquire)).then_some(()));
        WORK.store(false, Ordering::Release);
        reaper::reap();
        if !dirty::is_empty() || MORE.load(Ordering::Acquire) {
            let deadline = hal::time::now_ns() + DELAY;
            QUEUE.wait_until(deadline, || HURRY.load(Ordering::Acquire).then_some(()));
            reaper::reap();
            HURRY.store(false, Ordering::Release);
            MORE.store(false, Ordering::Release);
            if let Err(error) = sync_all() {
                hal::log::record(hal::log::Level::Error, format_args!("mm: writing dirty pages: {error:?}"));
            }
            let hook = *HOOK.lock();
            if let Some(hook) = hook {
                hook();
            }
        }
        HURRY.store(false, Ordering::Release);
        if !dirty::is_empty() {
            // Pages that were being written to: they come with the next round.
            WORK.store(true, Ordering::Release);
        }
    }
}
