//! Clocks and timers. The monotonic clock is `hal::time::now_ns`; wall-clock time is that plus an offset, which
//! clock_settime(2) may change. [`timer`] wakes threads and rings alarms at deadlines.
//!
//! No locks here; `timer` has its own.

pub mod timer;

use crate::vfs::inode::Time;
use core::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// What clock_settime(2) added to the wall clock, in nanoseconds.
static ADJUSTMENT: AtomicI64 = AtomicI64::new(0);

/// Nanoseconds since boot.
pub fn monotonic_ns() -> u64 {
    hal::time::now_ns()
}

/// Nanoseconds since 1970-01-01 UTC.
pub fn realtime_ns() -> u64 {
    (hal::time::wall_boot_ns() + hal::time::now_ns()).saturating_add_signed(ADJUSTMENT.load(Ordering::Relaxed))
}

/// Sets the wall clock.
pub fn set_realtime_ns(ns: u64) {
    let unadjusted = hal::time::wall_boot_ns() + hal::time::now_ns();
    ADJUSTMENT.store(ns.wrapping_sub(unadjusted) as i64, Ordering::Relaxed);
}

/// The monotonic deadline that a wall-clock deadline means now.
pub fn realtime_to_monotonic(ns: u64) -> u64 {
    hal::time::now_ns().saturating_add(ns.saturating_sub(realtime_ns()))
}

/// The wall clock, as inodes keep times.
pub fn now() -> Time {
    let ns = realtime_ns();
    Time { sec: (ns / SECOND) as i64, nsec: (ns % SECOND) as u32 }
}
