//! [`Notifier`]: tells the pollers of a control file that it changed (cgroups(7): `cgroup.events` raises `POLLPRI`).
//!
//! A reader remembers the generation it read; poll(2) reports a change while the present one differs.

use crate::sync::WaitQueue;
use core::sync::atomic::{AtomicU64, Ordering};

/// A generation number and those who wait for the next one.
pub struct Notifier {
    generation: AtomicU64,
    queue: WaitQueue,
}

impl Notifier {
    pub(super) const fn new() -> Notifier {
        Notifier { generation: AtomicU64::new(0), queue: WaitQueue::new() }
    }

    /// The present generation.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Where pollers wait.
    pub fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// The file's text has changed.
    pub(super) fn notify(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.queue.wake_all();
    }
}
