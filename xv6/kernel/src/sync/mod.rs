//! Sleeping locks and wait queues.

use crate::error::Result;
use hal::sync::{SpinGuard, SpinLock};

/// Order of sleeping locks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Rank {
    FileOffset,
    Tty,
    MountTopology,
    CgroupTree,
    Namespace,
    Rename,
    Directory,
    CopyUp,
    Inode,
    Pipe,
    AddressSpace,
    PageCacheFill,
    FsLog,
    BlockDevice,
    Leaf,
}

/// A lock.
pub struct Mutex<T>(SpinLock<T>);
/// Its guard.
pub type MutexGuard<'a, T> = SpinGuard<'a, T>;
impl<T> Mutex<T> {
    /// New.
    pub const fn new(_rank: Rank, name: &'static str, value: T) -> Mutex<T> {
        Mutex(SpinLock::new(hal::sync::Rank::Leaf, name, value))
    }
    /// Lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }
    /// Lock, if free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }
    /// The value, through the only reference.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Waiters.
pub struct WaitQueue;
impl Default for WaitQueue {
    fn default() -> Self {
        WaitQueue::new()
    }
}
impl WaitQueue {
    /// New.
    pub const fn new() -> WaitQueue {
        WaitQueue
    }
    /// Wakes one.
    pub fn wake_one(&self) {}
    /// Wakes all.
    pub fn wake_all(&self) {}
    /// Waits.
    pub fn wait<R>(&self, mut cond: impl FnMut() -> Option<R>) -> R {
        cond().expect("a condition that holds")
    }
    /// Waits.
    pub fn wait_interruptible<R>(&self, _deadline: Option<u64>, mut cond: impl FnMut() -> Option<R>) -> Result<R> {
        Ok(cond().expect("a condition that holds"))
    }
}

/// One waiter for any of several wait queues (poll(2)).
#[derive(Default)]
pub struct Poller;
impl Poller {
    /// New.
    pub fn new() -> Poller {
        Poller
    }
    /// Joins.
    pub fn register(&mut self, _queue: &WaitQueue) {}
    /// Waits.
    pub fn wait(&self, _deadline: Option<u64>) -> Result<bool> {
        Ok(false)
    }
}
