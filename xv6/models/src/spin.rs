//! Spin locks, `Once` and sleep cells: two CPUs and no scheduler, every execution.

use hal::model::{Bound, check, start};
use hal::sync::atomic::{AtomicUsize, Ordering};
use hal::sync::{Once, Rank, SleepCell, SpinLock};
use std::sync::Arc;

fn lock() -> Arc<SpinLock<u32>> {
    let lock = Arc::new(SpinLock::new(Rank::Leaf, "model", 0));
    assert_eq!(*lock.lock(), 0);
    lock
}

#[test]
fn a_spin_lock_admits_one_and_hands_over_what_it_guards() {
    check(Bound::None, || {
        let lock = lock();
        let other = lock.clone();
        let done = Arc::new(AtomicUsize::new(0));
        let told = done.clone();
        told.load(Ordering::Relaxed);
        start(1, move || {
            *other.lock() += 1;
            told.fetch_add(1, Ordering::Release);
        });
        *lock.lock() += 1;
        if done.load(Ordering::Acquire) == 1 {
            assert_eq!(*lock.lock(), 2);
        }
    });
}

#[test]
fn a_try_takes_only_a_free_lock() {
    check(Bound::None, || {
        let lock = lock();
        let other = lock.clone();
        start(1, move || {
            if let Some(mut value) = other.try_lock() {
                *value += 1;
            }
        });
        if let Some(mut value) = lock.try_lock() {
            *value += 1;
        }
        assert!(*lock.lock() > 0, "two that try a free lock, and neither got it");
    });
}

#[test]
fn once_shows_whole_values_only() {
    check(Bound::None, || {
        let once = Arc::new(Once::new());
        assert!(once.get().is_none());
        let other = once.clone();
        start(1, move || {
            assert_eq!(other.call_once(|| [1; 2]), &[1; 2]);
        });
        if let Some(value) = once.get() {
            assert_eq!(value, &[1; 2]);
        }
        assert_eq!(once.call_once(|| [1; 2]), &[1; 2]);
    });
}

#[test]
fn a_sleep_cell_is_exclusive_or_shared() {
    check(Bound::None, || {
        let cell = Arc::new(SleepCell::new(0));
        drop(cell.try_exclusive().expect("free"));
        let other = cell.clone();
        start(1, move || {
            if let Some(mut value) = other.try_exclusive() {
                *value += 1;
            }
        });
        if let Some(value) = cell.try_shared() {
            let again = cell.try_shared().expect("shared twice");
            assert_eq!(*value, *again);
        }
        if let Some(mut value) = cell.try_exclusive() {
            *value += 1;
        }
    });
}
