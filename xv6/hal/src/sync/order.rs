//! The lock order, checked in debug builds: each CPU (off the machine, each thread) keeps the ranked locks it holds. Release builds keep nothing.

use super::Rank;

/// Notes that a lock is about to be taken by waiting; panics if one of equal or larger rank is held.
#[inline]
pub fn check(rank: Rank, name: &'static str) {
    #[cfg(debug_assertions)]
    checked::check(rank, name);
    #[cfg(not(debug_assertions))]
    let _ = (rank, name);
}

/// Notes that the lock at `lock` has been taken.
#[inline]
pub fn taken(lock: *const (), rank: Rank, name: &'static str) {
    #[cfg(debug_assertions)]
    checked::taken(lock, rank, name);
    #[cfg(not(debug_assertions))]
    let _ = (lock, rank, name);
}

/// Notes that the lock at `lock` is being released.
#[inline]
pub fn released(lock: *const ()) {
    #[cfg(debug_assertions)]
    checked::released(lock);
    #[cfg(not(debug_assertions))]
    let _ = lock;
}

/// Spin locks the running CPU holds, in debug builds; 0 in release builds, where they are not counted. Who is about to
/// sleep asserts that it is 0.
#[inline]
pub fn held() -> usize {
    #[cfg(debug_assertions)]
    return checked::count();
    #[cfg(not(debug_assertions))]
    0
}

#[cfg(debug_assertions)]
mod checked {
    use super::Rank;
    use core::cell::Cell;

    /// The most locks held at once.
    const DEPTH: usize = 24;

    type Entry = (usize, Rank, &'static str);

    /// The locks held by one CPU.
    struct Held {
        entries: [Cell<Entry>; DEPTH],
        count: Cell<usize>,
    }

    impl Held {
        const fn new() -> Self {
            Self { entries: [const { Cell::new((0, Rank::Once, "")) }; DEPTH], count: Cell::new(0) }
        }
    }

    #[cfg(target_os = "none")]
    mod place {
        use super::Held;
        use crate::cpu;

        struct All([Held; cpu::MAX]);

        // SAFETY: each CPU uses its own, and is never preempted.
        unsafe impl Sync for All {}

        static ALL: All = All([const { Held::new() }; cpu::MAX]);

        pub fn with<R>(f: impl FnOnce(&Held) -> R) -> R {
            f(&ALL.0[cpu::id()])
        }
    }

    #[cfg(not(target_os = "none"))]
    mod place {
        use super::Held;

        #[cfg(not(loom))]
        std::thread_local! {
            static HELD: Held = const { Held::new() };
        }
        #[cfg(loom)]
        loom::thread_local! {
            static HELD: Held = Held::new();
        }

        pub fn with<R>(f: impl FnOnce(&Held) -> R) -> R {
            HELD.with(f)
        }
    }

    pub fn check(rank: Rank, name: &'static str) {
        let worst = place::with(|held| {
            let entries = held.entries[..held.count.get()].iter().map(Cell::get);
            entries.max_by_key(|entry| entry.1).filter(|entry| entry.1 >= rank)
        });
        if let Some((_, held_rank, held_name)) = worst {
            panic!("lock order: {name:?} ({rank:?}) wanted while {held_name:?} ({held_rank:?}) is held");
        }
    }

    pub fn taken(lock: *const (), rank: Rank, name: &'static str) {
        place::with(|held| {
            let count = held.count.get();
            assert!(count < DEPTH, "too many spin locks held, with {name:?}");
            held.entries[count].set((lock.addr(), rank, name));
            held.count.set(count + 1);
        });
    }

    pub fn released(lock: *const ()) {
        place::with(|held| {
            let count = held.count.get();
            let found = held.entries[..count].iter().rposition(|entry| entry.get().0 == lock.addr());
            let found = found.expect("a lock released where it was not taken");
            held.entries[found].set(held.entries[count - 1].get());
            held.count.set(count - 1);
        });
    }

    pub fn count() -> usize {
        place::with(|held| held.count.get())
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::held;
    use crate::sync::{Rank, SpinLock};

    #[test]
    fn locks_are_counted_and_tries_are_free() {
        let (outer, inner) = (SpinLock::new(Rank::Task, "outer", 1), SpinLock::new(Rank::Leaf, "inner", 2));
        let a = outer.lock();
        let b = inner.lock();
        assert_eq!((*a, *b, held()), (1, 2, 2));
        drop(a);
        assert_eq!(held(), 1);
        assert!(outer.try_lock().is_some());
        assert!(inner.try_lock().is_none());
        drop(b);
        assert_eq!(held(), 0);
    }
}
