//! One waiter for any of several wait queues: what poll(2), select(2) and epoll(7) sleep on.
//!
//! `FileOps::poll` registers the poller with every queue that could change its answer. Queues keep the entry until they wake it or
//! find it retired, so a poller needs no list of its queues. No locks of its own.

use super::wait::{WaitQueue, Waiter};
use crate::error::{Errno, Result};
use crate::task::{self, sched};
use alloc::sync::Arc;

/// One waiter for many queues; dropping it retires its entries.
pub struct Poller {
    waiter: Arc<Waiter>,
}

impl Default for Poller {
    fn default() -> Self {
        Poller::new()
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.waiter.retire();
    }
}

impl Poller {
    /// A poller for the running thread, in no queue yet.
    pub fn new() -> Poller {
        Poller { waiter: Waiter::new() }
    }

    /// Joins `queue`: its next wake-up wakes this poller. Register first, look at the condition after.
    pub fn register(&mut self, queue: &WaitQueue) {
        queue.register(&self.waiter);
    }

    /// Sleeps until a queue wakes it: `true`; `false` when the monotonic clock (ns) passes `deadline`; `ERESTARTNOHAND` when a
    /// signal must be handled first. Afterwards every queue must be registered with again, with a fresh poller.
    pub fn wait(&self, deadline: Option<u64>) -> Result<bool> {
        loop {
            if self.waiter.is_woken() {
                return Ok(true);
            }
            if task::signal_pending_current() {
                return Err(Errno::ERESTARTNOHAND.into());
            }
            if deadline.is_some_and(|deadline| hal::time::now_ns() >= deadline) {
                return Ok(false);
            }
            sched::park(true, deadline);
        }
    }
}
