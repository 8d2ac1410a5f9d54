//! What a process has used so far: CPU time and page faults, of the threads that have ended and of those that live, and the CPU time of its children
//! (getrusage(2), times(2), `/proc/PID/stat`). What it has read and written is [`super::iocount`]'s affair.
//!
//! Locks: `spent`; a process's and its parent's are never held together.

use super::{CpuTimes, Process, Task};
use core::sync::atomic::Ordering;

impl Process {
    /// CPU time of all threads so far.
    pub fn times(&self) -> CpuTimes {
        let spent = self.spent.lock().0;
        self.threads().iter().fold(spent, |sum, task| sum.plus(task.times()))
    }

    /// CPU time of the children waited for.
    pub fn child_times(&self) -> CpuTimes {
        self.spent.lock().1
    }

    /// Page faults of all threads so far.
    pub fn faults(&self) -> u64 {
        let ended = self.ended_faults.load(Ordering::Relaxed);
        self.threads().iter().fold(ended, |sum, task| sum + task.faults())
    }

    /// Keeps what a thread that ends has used.
    pub(super) fn keep_usage(&self, task: &Task) {
        let times = task.times();
        {
            let mut spent = self.spent.lock();
            spent.0 = spent.0.plus(times);
        }
        self.ended_faults.fetch_add(task.faults(), Ordering::Relaxed);
        self.inherit_io(task.io.totals());
    }

    /// Adds what a child that is reaped has used, and its children.
    pub(super) fn inherit_usage(&self, child: &Process) {
        let (own, of_children) = *child.spent.lock();
        {
            let mut spent = self.spent.lock();
            spent.1 = spent.1.plus(own).plus(of_children);
        }
        let moved = *child.io.lock();
        self.inherit_io(moved);
    }
}
