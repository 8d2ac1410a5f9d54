//! The xv6 container kernel: policy without `unsafe`. The machine itself is `hal`'s business; this crate decides.
//!
//! Rooms, upper to lower (a room calls only rooms below it; what a lower room needs from above comes through a trait it defines):
//!
//! ```text
//!   boot             from `kernel_main` to process 1
//!   syscall          decode, call, encode: one table row and one thin function per call
//!   task  exec       threads and processes, signals, scheduling, waiting; program loading
//!   vfs  tty         mounts, dentries, path walk, open files, pipes, polling; terminals
//!   ns  cgroup       what a container sees; what it may use
//!   fs/*             tmpfs, devtmpfs, procfs, cgroupfs, overlay, tarfs, fat, xv6fs: they implement `vfs` traits
//!   mm               address spaces, faults, page cache, reclaim, user copies
//!   sync  time       sleeping locks, wait queues, timers
//!   drivers          device numbers and blocking disk I/O over hal
//! ```
#![cfg_attr(target_os = "none", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod boot;
pub mod cgroup;
pub mod drivers;
pub mod error;
pub mod exec;
pub mod fs;
pub mod mm;
pub mod ns;
pub mod power;
pub mod sync;
pub mod syscall;
pub mod task;
pub mod time;
pub mod tty;
pub mod version;
pub mod vfs;
