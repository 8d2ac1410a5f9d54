//! flock(2): advisory locks on whole files, owned by the open file.
//!
//! One table for all files, keyed by the inode's address, which an open file with a lock keeps alive. Closing the last descriptor of an
//! open file releases its lock.
//!
//! Locks: one mutex around the table, never held while waiting; waiters sleep on one queue and look again.

use super::File;
use crate::error::{Errno, Result};
use crate::sync::{Mutex, Rank, WaitQueue};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// A lock as flock(2) names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flock {
    /// `LOCK_SH`.
    Shared,
    /// `LOCK_EX`.
    Exclusive,
    /// `LOCK_UN`.
    Unlock,
}

/// By inode: the open files (by address) that hold a lock, and whether exclusively.
static TABLE: Mutex<BTreeMap<usize, Vec<(usize, bool)>>> = Mutex::new(Rank::Leaf, "flock table", BTreeMap::new());
static CHANGED: WaitQueue = WaitQueue::new();

fn key(file: &File) -> usize {
    Arc::as_ptr(&file.inode).cast::<()>() as usize
}

fn owner(file: &File) -> usize {
    core::ptr::from_ref(file) as usize
}

/// Applies `op`; waits for others unless `nonblocking` (`EAGAIN`). A conversion first gives up the old lock (flock(2)).
pub fn apply(file: &File, op: Flock, nonblocking: bool) -> Result<()> {
    if op == Flock::Unlock {
        release(file);
        return Ok(());
    }
    let exclusive = op == Flock::Exclusive;
    if try_lock(file, exclusive) {
        return Ok(());
    }
    if nonblocking {
        return Err(Errno::EAGAIN.into());
    }
    CHANGED.wait_interruptible(None, || try_lock(file, exclusive).then_some(()))
}

fn try_lock(file: &File, exclusive: bool) -> bool {
    let mut table = TABLE.lock();
    let holders = table.entry(key(file)).or_default();
    let mine = owner(file);
    let had = holders.iter().any(|&(other, _)| other == mine);
    holders.retain(|&(other, _)| other != mine);
    let free = holders.iter().all(|&(_, theirs)| !exclusive && !theirs);
    if free {
        holders.push((mine, exclusive));
        file.flocked.store(true, Ordering::Relaxed);
    }
    drop(table);
    if had {
        CHANGED.wake_all();
    }
    free
}

/// Releases what `file` holds, if anything.
pub(super) fn release(file: &File) {
    let mut table = TABLE.lock();
    if let Some(holders) = table.get_mut(&key(file)) {
        holders.retain(|&(other, _)| other != owner(file));
        if holders.is_empty() {
            table.remove(&key(file));
        }
    }
    drop(table);
    CHANGED.wake_all();
}
