//! Waiting without spinning: [`Mutex`] and [`RwLock`], which sleep, [`WaitQueue`], on which threads wait for a condition, and
//! [`Poller`], one waiter for many queues.
//!
//! Short critical sections that never sleep use `hal::sync::SpinLock` instead; its ranks are `hal::sync::Rank`. The sleeping locks have
//! one order too: [`Rank`], outermost first, checked for each thread in debug builds. Every sleeping lock lies outside
//! every spin lock, so sleeping under a spin lock is a panic in debug builds.

mod mutex;
mod poller;
mod rwlock;
mod wait;

pub use crate::task::breathe;
pub use crate::task::locks::stacked;
pub use mutex::{Mutex, MutexGuard};
pub use poller::Poller;
pub use rwlock::{ReadGuard, RwLock, WriteGuard};
pub use wait::{WaitQueue, Waiter};

/// The one order of sleeping locks, outermost first: a lock may be taken while holding only locks of the same or a smaller
/// rank. Two locks of one rank need an order of their own (parent before child, lower address first).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// A file's offset (`vfs::File`), held across a whole read or write.
    FileOffset,
    /// A terminal's line discipline.
    Tty,
    /// The shape of a mount tree.
    MountTopology,
    /// The cgroup tree.
    CgroupTree,
    /// What a namespace holds.
    Namespace,
    /// One rename at a time in a file system (overlay, and the VFS between directories).
    Rename,
    /// A directory's entries (parent before child).
    Directory,
    /// A copy-up in progress.
    CopyUp,
    /// A file's content and metadata.
    Inode,
    /// A regular file's size and the order of its writes.
    FileContent,
    /// A pipe's or FIFO's buffer.
    Pipe,
    /// An address space's areas. Inside `Inode`: a user copy under an inode lock may fault.
    AddressSpace,
    /// Filling or writing back pages of a cache.
    PageCacheFill,
    /// A file system's log or big lock.
    FsLog,
    /// A block device's queue.
    BlockDevice,
    /// Locks that take no other sleeping lock inside.
    Leaf,
}
