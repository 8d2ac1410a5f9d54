//! The clock (TSC) and each CPU's one-shot timer (LAPIC).

/// Nanoseconds since boot, monotonic, the same on all CPUs.
pub fn now_ns() -> u64 {
    todo!()
}

/// Wall-clock time at `now_ns() == 0`, in nanoseconds since 1970-01-01 UTC, from the RTC (so precise to a second).
pub fn wall_boot_ns() -> u64 {
    todo!()
}

/// Arms the running CPU's timer for a time on the [`now_ns`] clock, or disarms it. A deadline that has passed fires at
/// once; a far one may fire early: the handler looks at the clock and arms again.
pub fn arm(deadline_ns: Option<u64>) {
    let _ = deadline_ns;
    todo!()
}
