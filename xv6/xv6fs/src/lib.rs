//! xv6fs: the on-disk file system of xv6 Conductor, as a library without `std` and without `unsafe`.
//!
//! One implementation writes and reads: the kernel mounts a [`Disk`] over virtio, `fsbuild` one over a host file, the
//! host tests one in memory. [`Fs`] takes `&mut self` everywhere; the caller brings the lock. Times are nanoseconds
//! since 1970.
//!
//! # The disk
//!
//! ```text
//!  block 0       1       2                                                                      blocks - 1
//!  +-------+-------+-----------+-------------+-------------+---------------+--------------------------+
//!  | super | state |    log    | inode       | block       | inode table   | data: file contents, map |
//!  | block |       |           | bitmap      | bitmap      | 16 a block    | blocks, buckets, xattrs  |
//!  +-------+-------+-----------+-------------+-------------+---------------+--------------------------+
//!    |       |       |
//!    |       |       +- header: checksum, home numbers; then the blocks of one transaction
//!    |       +- free counts, head of the orphan list; rewritten by every commit, through the log
//!    +- geometry, checksum; never rewritten
//!
//!  inode (256 bytes)                       map block (level 0)            data
//!  +------------------------------+        +------------------------+     +---------+---------+--
//!  | mode owner times size nlink  |   +--->| key start len          |---->| block   | block   | ...
//!  | map: 12 x (key, start, len)  |---+    | ... 340 of them        |     +---------+---------+--
//!  +------------------------------+        +------------------------+
//!
//!  directory: the same map is its index; each extent is one bucket of names, its key their smallest hash
//!  +------------------------------+        +------------------------------------------+
//!  | map: key 0, key 0x2f3.., ... |------->| (hash, inode, kind, name) (hash, ...) .. |
//!  +------------------------------+        +------------------------------------------+
//! ```
//!
//! # How it keeps its promises
//!
//! - **Atomic.** Every change of metadata happens in the cache and reaches the disk through the log ([`Fs::commit`]); an
//!   operation is whole in one transaction. File contents are written in place before the commit that
//!   makes them part of a file. So after any power cut the volume is as some commit left it.
//! - **Honest.** [`Fs::commit`] returns when the device's flush did. A failed write turns the volume read-only.
//! - **Full means `ENOSPC`**, told before anything is changed; [`Fs::reserve`] lets a caller that delays its writes
//!   know early. Removing never needs room.
//! - **Damage is an error**, never a panic or an endless loop; [`check`] lists it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod alloc_map;
mod blocks;
mod bytes;
mod cache;
mod check;
mod dir;
mod disk;
mod error;
mod extent;
mod file;
mod format;
mod fs;
mod inode;
mod layout;
mod log;
mod namei;
mod orphan;
mod rename;
mod types;
mod xattr;

pub use blocks::BlockWriter;
pub use check::check;
pub use disk::{BLOCK_SIZE, Disk, MemDisk};
pub use error::{Error, Result};
pub use file::MAX_FILE_BLOCKS;
pub use fs::Fs;
pub use types::{
    DirEntry, FormatOptions, Ino, Kind, MountOptions, NewNode, ROOT_INO, RenameFlags, Report, SetAttr, Stat, StatFs,
};
