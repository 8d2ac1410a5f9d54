//! File systems, and the table of their types that mount(2) looks in.
//!
//! Each implements the traits of `vfs::inode` and calls neither `task` nor `syscall`.

pub mod devtmpfs;
pub mod tmpfs;

use crate::vfs::FsType;

/// Every type that can be mounted.
pub static TYPES: &[&FsType] = &[&tmpfs::TYPE, &tmpfs::RAMFS, &devtmpfs::TYPE];
