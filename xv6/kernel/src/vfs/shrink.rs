//! The bound on the dentry cache: one clock over all cached dentries.
//!
//! [`admit`] appends each newly cached dentry to a ring and, past the limit, lets the hand pass two others: a dentry looked up
//! since the last pass gets another round, one that only the cache holds is evicted, one in use stays. [`shrink`] does
//! the same on memory reclaim's behalf.
//!
//! Locks: the ring's spin lock is taken alone; victims are dropped without it.

use super::census::DENTRIES;
use super::dentry::Dentry;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::sync::{Rank, SpinLock};

static RING: SpinLock<VecDeque<Weak<Dentry>>> = SpinLock::new(Rank::Dentry, "dentry ring", VecDeque::new());
/// Dead entries that the ring always bears.
const SLACK: usize = 64;

static EVICTED: AtomicUsize = AtomicUsize::new(0);

/// The dentries to keep before the hand moves: one for every two frames of memory (about 5 % of it), between 1024 and 65,536.
fn limit() -> usize {
    (hal::frame::total() / 2).clamp(1024, 65_536)
}

/// Takes a dentry into the ring.
pub(super) fn admit(dentry: &Arc<Dentry>) {
    let over = {
        let mut ring = RING.lock();
        ring.push_back(Arc::downgrade(dentry));
        // Entries of removed names keep their memory: once they are most of the ring, they go.
        if ring.len() > 2 * DENTRIES.total() + SLACK {
            ring.retain(|entry| entry.strong_count() > 0);
            fit(&mut ring);
        }
        ring.len() > limit()
    };
    if over {
        shrink(2);
    }
}

/// Lets the hand pass `steps` dentries; returns how many were evicted. Memory reclaim calls it with no dentry lock held.
pub fn shrink(steps: usize) -> usize {
    let mut evicted = 0;
    for _ in 0..steps {
        let Some(weak) = RING.lock().pop_front() else { break };
        let Some(dentry) = weak.upgrade() else { continue };
        if !dentry.used.swap(false, Ordering::Relaxed) {
            if let Some(gone) = dentry.evict() {
                drop(gone);
                evicted += 1;
                continue;
            }
            if dentry.is_dead() {
                continue;
            }
        }
        RING.lock().push_back(weak);
    }
    fit(&mut RING.lock());
    EVICTED.fetch_add(evicted, Ordering::Relaxed);
    evicted
}

/// Gives back the ring's room when little of it is used.
fn fit(ring: &mut VecDeque<Weak<Dentry>>) {
    if ring.capacity() > 4 * ring.len() + SLACK {
        ring.shrink_to(2 * ring.len());
    }
}

/// Dentries in the ring, and how many were ever evicted: for debugging.
pub fn counters() -> (usize, usize) {
    (RING.lock().len(), EVICTED.load(Ordering::Relaxed))
}
