//! The virtual file system: mounts, dentries, path walk, open files.
//!
//! ```text
//!   walk, open            a text becomes a Path, a Path an open File
//!   change, attr, dirops  names come and go; attributes change
//!   text                  who writes a program, who runs it
//!   mount, mountpoint, namespace, mountcall   the tree of mounts, and the calls that change it
//!   dentry, shrink        the cache of names
//!   openfile, content, pipe, fifo, epoll, eventfd, anon, internal   what a descriptor can name
//!   fdtable, fscontext    what a process has
//!   inode, file           the traits that file systems and devices implement
//! ```
//!
//! A call on a path goes: `syscall` reads the text, [`walk`] finds the dentry and mount, permissions and mount flags are checked here, and
//! the inode of some `fs/*` does the rest.

pub mod anon;
pub mod attr;
pub mod boot;
pub mod census;
pub mod change;
pub mod content;
pub mod dentry;
pub mod devnum;
mod dirops;
pub mod epoll;
pub mod eventfd;
pub mod fdtable;
mod fifo;
pub mod file;
pub mod flock;
pub mod fscontext;
pub mod fstype;
pub mod inode;
pub mod internal;
mod mapped;
pub mod mount;
pub mod mountcall;
mod mountpoint;
pub mod namespace;
pub mod open;
pub mod openfile;
pub mod path;
pub mod perm;
pub mod pipe;
pub mod record_lock;
mod ring;
pub mod shrink;
pub mod socketpair;
pub mod superblock;
pub mod text;
pub mod umount;
pub mod walk;

#[cfg(test)]
pub mod tests;

pub use dentry::Dentry;
pub use fdtable::FdTable;
pub use fscontext::FsContext;
pub use fstype::{FsType, MountArgs};
pub use mount::{Mount, MountFlags};
pub use namespace::MountNamespace;
pub use openfile::File;
pub use path::Path;
pub use superblock::{Superblock, new_dev};
pub use walk::{Walk, WalkFlags, lookup_parent, walk};

use inode::Time;

/// The time of day, for file times.
pub fn now() -> Time {
    let ns = crate::time::realtime_ns();
    Time { sec: (ns / 1_000_000_000) as i64, nsec: (ns % 1_000_000_000) as u32 }
}
