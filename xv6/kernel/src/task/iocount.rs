//! [`IoCounts`]: what a thread has moved by read(2), write(2) and their kin, and what of its work went to disks and came from them
//! (`/proc/PID/io`, proc_pid_io(5)).
//!
//! Only the thread itself counts, so plain loads and stores do: a locked instruction would cost each call.

use super::with_current;
use crate::error::{Errno, Result};
use core::array;
use core::sync::atomic::{AtomicU64, Ordering};

/// What is counted, in the order of [`NAMES`].
const KINDS: usize = 7;

/// What each count is called in `/proc/PID/io`.
pub const NAMES: [&str; KINDS] =
    ["rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes"];

/// Bytes that calls have read; next come those that they have written.
const BYTES: usize = 0;
/// Calls that read; next come those that write.
const CALLS: usize = 2;
/// Bytes asked of disks.
const FETCHED: usize = 4;
/// Bytes that became dirty, and so will be written to a disk.
const DIRTIED: usize = 5;
/// Dirty bytes, anybody's, that were dropped before they were written.
const CANCELLED: usize = 6;

/// Counts so far, in the order of [`NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoTotals(pub [u64; KINDS]);

impl IoTotals {
    /// Bytes asked of disks.
    pub fn fetched(&self) -> u64 {
        self.0[FETCHED]
    }

    /// Bytes that became dirty, to be written to disks.
    pub fn dirtied(&self) -> u64 {
        self.0[DIRTIED]
    }

    /// The sum of both.
    pub fn plus(self, other: IoTotals) -> IoTotals {
        IoTotals(array::from_fn(|kind| self.0[kind].wrapping_add(other.0[kind])))
    }
}

/// One thread's counters.
#[derive(Default)]
pub struct IoCounts([AtomicU64; KINDS]);

impl IoCounts {
    /// Counts a call that read, and passes its result on.
    pub fn read(&self, moved: Result<usize>) -> Result<usize> {
        self.call(0, moved)
    }

    /// Counts a call that wrote, and passes its result on.
    pub fn wrote(&self, moved: Result<usize>) -> Result<usize> {
        self.call(1, moved)
    }

    fn call(&self, way: usize, moved: Result<usize>) -> Result<usize> {
        match &moved {
            // A descriptor of the wrong mode: the call did not get so far.
            Err(error) if error.errno == Errno::EBADF => {}
            _ => self.add(CALLS + way, 1),
        }
        if let Ok(bytes) = &moved {
            self.add(BYTES + way, *bytes);
        }
        moved
    }

    fn add(&self, kind: usize, more: usize) {
        let counter = &self.0[kind];
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(more as u64), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn totals(&self) -> IoTotals {
        IoTotals(array::from_fn(|kind| self.0[kind].load(Ordering::Relaxed)))
    }
}

/// The running thread, if any, has asked a disk for `bytes`.
pub fn fetched(bytes: usize) {
    with_current(|task| task.io.add(FETCHED, bytes));
}

/// The running thread, if any, has made `bytes` of a file on a disk dirty that were clean.
pub fn dirtied(bytes: usize) {
    with_current(|task| task.io.add(DIRTIED, bytes));
}

/// The running thread, if any, has dropped `bytes` that were dirty: they will not be written.
pub fn cancelled(bytes: usize) {
    with_current(|task| task.io.add(CANCELLED, bytes));
}
