//! From QEMU's first instruction to the kernel's `kernel_main`, and the start of the other CPUs.
//!
//! [`pvh`] brings the first CPU to long mode; [`boot_main`] builds the kernel's page table, gives memory to the frame allocator,
//! sets up traps, clock and devices, and calls `kernel_main` on a guarded stack. [`smp`] does the same for the others.

#[cfg(target_os = "none")]
mod acpi;
#[cfg(target_os = "none")]
pub(crate) mod layout;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod pvh;
#[cfg(target_os = "none")]
mod smp;

#[cfg(target_os = "none")]
pub(crate) use machine::{boot_main, online};

/// The kernel command line, as QEMU's `-append` gave it.
pub fn cmdline() -> &'static str {
    #[cfg(target_os = "none")]
    return machine::cmdline();
    #[cfg(not(target_os = "none"))]
    ""
}

/// CPUs that are on-line: 1 until [`start_others`] has run, then all that were found (at most [`crate::cpu::MAX`]).
pub fn cpu_count() -> usize {
    #[cfg(target_os = "none")]
    return online().count_ones() as usize;
    #[cfg(not(target_os = "none"))]
    1
}

/// CPUs the firmware tables name, whether started or not (at most [`crate::cpu::MAX`]).
pub fn cpus_found() -> usize {
    #[cfg(target_os = "none")]
    return smp::found();
    #[cfg(not(target_os = "none"))]
    1
}

/// Starts every other CPU and waits until all run. Each calls `entry` on its own idle stack, with its
/// descriptor tables, per-CPU data and timer set up.
pub fn start_others(entry: fn() -> !) {
    #[cfg(target_os = "none")]
    smp::start(entry);
    #[cfg(not(target_os = "none"))]
    let _ = entry;
}
