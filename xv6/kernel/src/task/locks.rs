//! The lock-order check of sleeping locks: which ranks a thread holds. Debug builds only; release builds compile it away.
//!
//! Neighbours: `sync::Mutex` and `sync::RwLock` call it. No locks: each thread changes only its own counters.

use crate::sync::Rank;
use core::sync::atomic::{AtomicU8, Ordering};

/// How many ranks there can be.
const RANKS: usize = Rank::Leaf as usize + 1;

/// How many locks of each rank a thread holds.
#[derive(Default)]
pub struct Held {
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "only debug builds check"))]
    count: [AtomicU8; RANKS],
}

impl Held {
    #[cfg(debug_assertions)]
    fn innermost(&self) -> Option<usize> {
        (0..RANKS).rev().find(|&rank| self.count[rank].load(Ordering::Relaxed) != 0)
    }
}

/// Runs `inner` as a new level of the order: a stacked file system calls the one below it while it holds its own locks, which lie
/// outside of all locks there, whatever their ranks.
pub fn stacked<R>(inner: impl FnOnce() -> R) -> R {
    #[cfg(debug_assertions)]
    let outer = super::try_current().map(|task| {
        let counts: [u8; RANKS] = core::array::from_fn(|rank| task.held.count[rank].swap(0, Ordering::Relaxed));
        (task, counts)
    });
    let result = inner();
    #[cfg(debug_assertions)]
    if let Some((task, counts)) = outer {
        for (count, outer) in task.held.count.iter().zip(counts) {
            count.fetch_add(outer, Ordering::Relaxed);
        }
    }
    result
}

/// Panics if the running thread may not take a lock of `rank` now: it holds an inner one, or a spin lock.
pub fn check(rank: Rank, name: &str) {
    #[cfg(debug_assertions)]
    {
        assert_eq!(hal::sync::held(), 0, "taking the sleeping lock {name:?} under a spin lock");
        super::with_current(|task| {
            if let Some(inner) = task.held.innermost() {
                assert!(inner <= rank as usize, "lock order: {name:?} ({rank:?}) taken while holding rank {inner}");
            }
        });
    }
    let _ = (rank, name);
}

/// Notes that the running thread took a lock of `rank`.
pub fn acquired(rank: Rank) {
    #[cfg(debug_assertions)]
    super::with_current(|task| {
        task.held.count[rank as usize].fetch_add(1, Ordering::Relaxed);
    });
    let _ = rank;
}

/// Notes that the running thread released a lock of `rank`.
pub fn released(rank: Rank) {
    #[cfg(debug_assertions)]
    super::with_current(|task| {
        task.held.count[rank as usize].fetch_sub(1, Ordering::Relaxed);
    });
    let _ = (rank, Ordering::Relaxed);
}
