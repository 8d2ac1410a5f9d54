//! xv6fs: the on-disk file system of xv6 Conductor, as a library without `std` and without `unsafe`.
//!
//! One implementation writes and reads: the kernel mounts a [`Disk`] over virtio, `fsbuild` one over a host file, the
//! host tests one in memory. [`Fs`] takes `&mut self` everywhere; the caller brings the lock.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod disk;
mod error;
mod fs;
mod types;

pub use disk::{BLOCK_SIZE, Disk, MemDisk};
pub use error::{Error, Result};
pub use fs::{Fs, check};
pub use types::{
    DirEntry, FormatOptions, Ino, Kind, MountOptions, NewNode, ROOT_INO, RenameFlags, Report, SetAttr, Stat, StatFs,
};
