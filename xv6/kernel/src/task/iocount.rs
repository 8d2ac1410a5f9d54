//! [`IoCounts`]: what a thread has moved by read(2), write(2) and their kin, and what its process has (`/proc/PID/io`).
//!
//! Only the thread itself counts, so plain loads and stores do: a locked instruction would cost each call.

use super::Process;
use crate::error::{Errno, Result};
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes and calls, in and out, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoTotals {
    /// Bytes read, and written.
    pub bytes: [u64; 2],
    /// Calls that read, and that write.
    pub calls: [u64; 2],
}

impl IoTotals {
    /// The sum of both.
    pub fn plus(self, other: IoTotals) -> IoTotals {
        let sum = |a: [u64; 2], b: [u64; 2]| [a[0].wrapping_add(b[0]), a[1].wrapping_add(b[1])];
        IoTotals { bytes: sum(self.bytes, other.bytes), calls: sum(self.calls, other.calls) }
    }
}

/// One thread's counters.
#[derive(Default)]
pub struct IoCounts {
    bytes: [AtomicU64; 2],
    calls: [AtomicU64; 2],
}

impl IoCounts {
    /// Counts a call that read, and passes its result on.
    pub fn read(&self, moved: Result<usize>) -> Result<usize> {
        self.count(0, moved)
    }

    /// Counts a call that wrote, and passes its result on.
    pub fn wrote(&self, moved: Result<usize>) -> Result<usize> {
        self.count(1, moved)
    }

    fn count(&self, way: usize, moved: Result<usize>) -> Result<usize> {
        let add = |counter: &AtomicU64, more: u64| {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        };
        match &moved {
            // A descriptor of the wrong mode: the call did not get so far.
            Err(error) if error.errno == Errno::EBADF => {}
            _ => add(&self.calls[way], 1),
        }
        if let Ok(bytes) = &moved {
            add(&self.bytes[way], *bytes as u64);
        }
        moved
    }

    /// What was counted so far.
    pub fn totals(&self) -> IoTotals {
        let both = |counters: &[AtomicU64; 2]| [0, 1].map(|way: usize| counters[way].load(Ordering::Relaxed));
        IoTotals { bytes: both(&self.bytes), calls: both(&self.calls) }
    }
}

impl Process {
    /// What it has read and written, its waited-for children too.
    pub fn io(&self) -> IoTotals {
        let ended = *self.io.lock();
        self.threads().iter().fold(ended, |sum, task| sum.plus(task.io.totals()))
    }

    /// Adds what a thread that ends, or a child that is reaped, has moved.
    pub(super) fn inherit_io(&self, moved: IoTotals) {
        let mut io = self.io.lock();
        *io = io.plus(moved);
    }
}
