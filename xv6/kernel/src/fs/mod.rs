//! File systems, and the table of their types that mount(2) looks in.
//!
//! Each implements the traits of `vfs::inode` and calls neither `task` nor `syscall`.

pub mod bytes;
pub mod devtmpfs;
pub mod fat;
pub mod overlay;
pub mod tarfs;
pub mod tmpfs;

use crate::vfs::FsType;

/// Every type that can be mounted.
pub static TYPES: &[&FsType] =
    &[&tmpfs::TYPE, &tmpfs::RAMFS, &devtmpfs::TYPE, &fat::TYPE, &tarfs::TYPE, &overlay::TYPE, &crate::tty::devpts::TYPE];
