//! What the boot found, and the start of the other CPUs.

/// The kernel command line, as QEMU's `-append` gave it.
pub fn cmdline() -> &'static str {
    todo!()
}

/// CPUs that are on-line: 1 until [`start_others`] has run, then all that were found (at most [`crate::cpu::MAX`]).
pub fn cpu_count() -> usize {
    todo!()
}

/// CPUs the firmware tables name, whether started or not (at most [`crate::cpu::MAX`]).
pub fn cpus_found() -> usize {
    todo!()
}

/// Starts every other CPU and waits until all run. Each calls `entry` on its own idle stack, with its
/// descriptor tables, per-CPU data and timer set up.
pub fn start_others(entry: fn() -> !) {
    let _ = entry;
    todo!()
}
