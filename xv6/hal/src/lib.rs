//! `hal`: the machine made safe. The one crate of the kernel that may write `unsafe`.
//!
//! It owns boot (PVH entry to `kernel_main`), traps, page tables, physical frames, the kernel heap, the
//! context switch, user-memory access, per-CPU data, spin locks, the clock and the devices; the
//! kernel above it is policy in safe Rust. The machine is x86_64 under QEMU's microvm. On any other
//! target the crate compiles to a *hosted* version, good enough for the kernel's unit tests: frames and
//! page tables work on an arena, locks on `std` threads; what needs the machine panics and says so.
#![no_std]
#![cfg_attr(
    not(target_os = "none"),
    expect(dead_code, reason = "the hosted version leaves the machine's parts unused")
)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

pub mod boot;
pub mod cpu;
pub mod dev;
pub mod frame;
pub mod heap;
pub mod irq;
pub mod log;
mod mem;
#[cfg(loom)]
pub mod model;
pub mod paging;
pub mod panic;
pub mod percpu;
mod phys;
pub mod power;
pub mod sync;
mod tally;
pub mod thread;
pub mod time;
#[cfg(target_os = "none")]
mod trap;
pub mod user;
#[cfg(target_os = "none")]
mod virtio;
#[cfg(target_os = "none")]
mod x86;

pub use percpu::PerCpu;
pub use tally::Tally;
