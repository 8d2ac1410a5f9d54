//! File systems, and the table of their types that mount(2) looks in.
//!
//! Each implements the traits of `vfs::inode` and calls neither `task` nor `syscall`; only the views of what runs, `procfs` and `cgroupfs`, look up
//! into `task`.

pub mod bytes;
pub mod cgroupfs;
pub mod devtmpfs;
pub mod fat;
pub mod nsfs;
pub mod overlay;
pub mod procfs;
pub mod tarfs;
pub mod text;
pub mod tmpfs;
pub mod xv6fs;

use crate::vfs::FsType;

/// Every type that can be mounted.
pub static TYPES: &[&FsType] = &[
    &tmpfs::TYPE,
    &tmpfs::RAMFS,
    &devtmpfs::TYPE,
    &fat::TYPE,
    &tarfs::TYPE,
    &overlay::TYPE,
    &procfs::TYPE,
    &cgroupfs::TYPE,
    &xv6fs::TYPE,
    &crate::tty::devpts::TYPE,
];
