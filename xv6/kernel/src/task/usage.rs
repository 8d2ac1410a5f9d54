//! [`Usage`]: what threads have used so far, of one, of a process, or of the children that it has waited for (getrusage(2), wait4(2), times(2),
//! `/proc/PID/stat`, `/proc/PID/io`). How a thread counts what it reads and writes is [`super::iocount`]'s affair.
//!
//! Locks: `spent`; a process's and its parent's are never held together.

use super::iocount::IoTotals;
use super::{CpuTimes, Process, Task};
use core::sync::atomic::Ordering;

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time.
    pub times: CpuTimes,
    /// Page faults.
    pub faults: u64,
    /// Context switches of threads that waited.
    pub voluntary: u64,
    /// Context switches of threads that would have gone on.
    pub forced: u64,
    /// What was read and written.
    pub io: IoTotals,
    /// The most bytes of memory that one process had present at once.
    pub peak: usize,
}

impl Usage {
    /// Both together; of the peaks, the higher.
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            times: self.times.plus(other.times),
            faults: self.faults + other.faults,
            voluntary: self.voluntary + other.voluntary,
            forced: self.forced + other.forced,
            io: self.io.plus(other.io),
            peak: self.peak.max(other.peak),
        }
    }
}

impl Task {
    /// What the thread has used so far; of memory, what its process has.
    pub fn usage(&self) -> Usage {
        let (voluntary, forced) = self.switch_counts();
        let now = self.mm().map_or(0, |mm| mm.resident_peak());
        let peak = now.max(self.process.peak.load(Ordering::Relaxed));
        Usage { times: self.times(), faults: self.faults(), voluntary, forced, io: self.io.totals(), peak }
    }
}

impl Process {
    /// What all threads have used so far.
    pub fn usage(&self) -> Usage {
        let spent = self.spent.lock().0;
        self.threads().iter().fold(spent, |sum, task| sum.plus(task.usage()))
    }

    /// What the children waited for have used, and theirs.
    pub fn child_usage(&self) -> Usage {
        self.spent.lock().1
    }

    /// CPU time of all threads so far.
    pub fn times(&self) -> CpuTimes {
        let spent = self.spent.lock().0.times;
        self.threads().iter().fold(spent, |sum, task| sum.plus(task.times()))
    }

    /// CPU time of the children waited for.
    pub fn child_times(&self) -> CpuTimes {
        self.spent.lock().1.times
    }

    /// Page faults of all threads so far.
    pub fn faults(&self) -> u64 {
        let ended = self.spent.lock().0.faults;
        self.threads().iter().fold(ended, |sum, task| sum + task.faults())
    }

    /// What all threads have read and written so far, the waited-for children too.
    pub fn io(&self) -> IoTotals {
        let (ended, children) = {
            let spent = self.spent.lock();
            (spent.0.io, spent.1.io)
        };
        self.threads().iter().fold(ended.plus(children), |sum, task| sum.plus(task.io.totals()))
    }

    /// Notes the peak of a memory that a thread leaves.
    pub(super) fn note_peak(&self, bytes: usize) {
        self.peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Keeps what a thread that ends has used.
    pub(super) fn keep_usage(&self, task: &Task) {
        let usage = task.usage();
        let mut spent = self.spent.lock();
        spent.0 = spent.0.plus(usage);
    }

    /// Adds what a child that is reaped has used, and its children.
    pub(super) fn inherit_usage(&self, child: &Process) {
        let (own, of_children) = *child.spent.lock();
        let mut spent = self.spent.lock();
        spent.1 = spent.1.plus(own).plus(of_children);
    }
}
