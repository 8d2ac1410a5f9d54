//! Wait queues: threads sleep until a condition holds, and whoever makes it hold wakes them (xv6's sleep and wakeup).
//!
//! A waiter registers before it looks at the condition, so a wake-up between the look and the sleep is never lost. Entries
//! are `Arc<Waiter>`; a wake-up takes them out, and a waiter that gives up marks its entry dead, to be dropped when
//! the queue next grows. A wake-up that `wake_one` gave to a waiter that gave up is passed on.
//!
//! Locks: each queue's spin lock (`Rank::Wait`), never held while a task is woken. Waking is allowed in interrupt handlers.

use crate::error::{Errno, Result};
use crate::task::{self, Task, sched};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::sync::atomic::{AtomicU8, Ordering};
use hal::sync::{Rank, SpinLock};

/// Not woken yet.
const WAITING: u8 = 0;
/// Taken out of a queue by a wake-up.
const WOKEN: u8 = 1;
/// No longer interested: queues may forget it.
const DEAD: u8 = 2;

/// Entries beyond which a queue looks for dead ones before it grows.
const PRUNE_AT: usize = 16;

/// One thread's place in one or more queues.
pub struct Waiter {
    task: Weak<Task>,
    state: AtomicU8,
}

impl Waiter {
    /// A waiter for the running thread.
    pub fn new() -> Arc<Waiter> {
        Arc::new(Waiter { task: sched::current_weak(), state: AtomicU8::new(WAITING) })
    }

    /// True once a queue has woken it.
    pub fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Makes it wait anew (it must register again).
    pub fn rearm(&self) {
        self.state.store(WAITING, Ordering::Release);
    }

    /// Says that it no longer waits; true if a wake-up had already been spent on it.
    pub fn retire(&self) -> bool {
        self.state.swap(DEAD, Ordering::AcqRel) == WOKEN
    }

    /// Spends a wake-up on it; false if it does not wait.
    fn wake(&self) -> bool {
        if self.state.compare_exchange(WAITING, WOKEN, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        if let Some(task) = self.task.upgrade() {
            sched::unpark(&task);
        }
        true
    }
}

/// Gives back the room that a crowd took.
fn fit(waiters: &mut Vec<Arc<Waiter>>) {
    if waiters.is_empty() && waiters.capacity() > PRUNE_AT {
        *waiters = Vec::new();
    }
}

/// How a thread sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Until what it waits for comes, which is soon: it has something to do.
    Waits,
    /// The same, but a signal ends it, too.
    HearsSignals,
    /// It has nothing to do.
    Rests,
}

/// Threads waiting for something to happen.
pub struct WaitQueue {
    waiters: SpinLock<Vec<Arc<Waiter>>>,
}

impl Default for WaitQueue {
    fn default() -> Self {
        WaitQueue::new()
    }
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> WaitQueue {
        WaitQueue { waiters: SpinLock::new(Rank::Wait, "wait queue", Vec::new()) }
    }

    /// Adds an entry, to be taken out by a wake-up or forgotten once it is retired.
    pub fn register(&self, waiter: &Arc<Waiter>) {
        let mut waiters = self.waiters.lock();
        if waiters.len() >= PRUNE_AT && waiters.len() == waiters.capacity() {
            waiters.retain(|entry| entry.state.load(Ordering::Relaxed) == WAITING);
        }
        waiters.push(waiter.clone());
    }

    /// Takes the entry out, if it is still there.
    fn unregister(&self, waiter: &Arc<Waiter>) {
        let mut waiters = self.waiters.lock();
        if let Some(index) = waiters.iter().rposition(|entry| Arc::ptr_eq(entry, waiter)) {
            waiters.remove(index);
            fit(&mut waiters);
        }
    }

    /// True if nobody waits (a hint: the answer may be old at once).
    pub fn is_empty(&self) -> bool {
        self.waiters.lock().is_empty()
    }

    /// Wakes the thread that has waited longest.
    pub fn wake_one(&self) {
        loop {
            let waiter = {
                let mut waiters = self.waiters.lock();
                if waiters.is_empty() {
                    return;
                }
                let first = waiters.remove(0);
                fit(&mut waiters);
                first
            };
            if waiter.wake() {
                return;
            }
        }
    }

    /// Wakes every thread that waits now.
    pub fn wake_all(&self) {
        let waiters = {
            let mut waiters = self.waiters.lock();
            if waiters.is_empty() {
                return;
            }
            core::mem::take(&mut *waiters)
        };
        for waiter in &waiters {
            waiter.wake();
        }
    }

    /// Sleeps until `cond` gives a value. Not interrupted by signals: for short waits that surely end. State `D`: the load averages count it.
    pub fn wait<R>(&self, mut cond: impl FnMut() -> Option<R>) -> R {
        // The host's tests run side by side in threads that the kernel does not know and cannot put to sleep: they look again.
        #[cfg(test)]
        while crate::task::try_current().is_none() {
            if let Some(value) = cond() {
                return value;
            }
            std::thread::yield_now();
        }
        self.wait_for_ever(Sort::Waits, &mut cond)
    }

    /// [`WaitQueue::wait`] for a kernel thread that has nothing to do, however long: state `S`.
    pub fn rest<R>(&self, mut cond: impl FnMut() -> Option<R>) -> R {
        self.wait_for_ever(Sort::Rests, &mut cond)
    }

    fn wait_for_ever<R>(&self, sort: Sort, cond: &mut dyn FnMut() -> Option<R>) -> R {
        match self.wait_inner(sort, None, cond) {
            Ok(value) => value,
            Err(_) => unreachable!("an uninterruptible wait without a deadline ends by its condition only"),
        }
    }

    /// Sleeps until `cond` gives a value; `ERESTARTSYS` when a signal must be handled first, `ETIMEDOUT` when the
    /// monotonic clock (ns) passes `deadline`. The condition is looked at once more before either error.
    pub fn wait_interruptible<R>(&self, deadline: Option<u64>, mut cond: impl FnMut() -> Option<R>) -> Result<R> {
        self.wait_inner(Sort::HearsSignals, deadline, &mut cond)
    }

    /// [`WaitQueue::rest`], or until the monotonic clock (ns) passes `deadline`.
    pub fn wait_until<R>(&self, deadline: u64, mut cond: impl FnMut() -> Option<R>) -> Option<R> {
        self.wait_inner(Sort::Rests, Some(deadline), &mut cond).ok()
    }

    fn wait_inner<R>(&self, sort: Sort, deadline: Option<u64>, cond: &mut dyn FnMut() -> Option<R>) -> Result<R> {
        if let Some(value) = cond() {
            return Ok(value);
        }
        let waiter = Waiter::new();
        loop {
            self.register(&waiter);
            // From here on a wake-up is remembered, so looking now and sleeping after loses none.
            let verdict = match cond() {
                Some(value) => Some(Ok(value)),
                None if sort == Sort::HearsSignals && task::signal_pending_current() => {
                    Some(Err(Errno::ERESTARTSYS.into()))
                }
                None if deadline.is_some_and(|deadline| hal::time::now_ns() >= deadline) => {
                    Some(Err(Errno::ETIMEDOUT.into()))
                }
                None => None,
            };
            if let Some(verdict) = verdict {
                self.unregister(&waiter);
                if waiter.retire() && verdict.is_err() {
                    self.wake_one();
                }
                return verdict;
            }
            // The look may have slept itself, on a lock, and so have used up the unparking of a wake-up that took this entry out.
            if !waiter.is_woken() {
                sched::park(sort != Sort::Waits, deadline);
            }
            if waiter.is_woken() {
                waiter.rearm();
            } else {
                self.unregister(&waiter);
                // Woken between the two: the entry is gone already, and the state says so.
                waiter.rearm();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WaitQueue;

    #[test]
    fn a_condition_that_holds_does_not_sleep() {
        let queue = WaitQueue::new();
        assert_eq!(queue.wait(|| Some(3)), 3);
        let mut asked = 0;
        let value = queue.wait_interruptible(None, || {
            asked += 1;
            (asked == 2).then_some(asked)
        });
        assert_eq!(value.expect("the second look succeeds"), 2);
        assert!(queue.is_empty());
    }
}
