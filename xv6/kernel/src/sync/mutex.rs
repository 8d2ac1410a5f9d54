//! A mutual exclusion lock that sleeps: for critical sections that wait for a disk, copy user memory or take long.
//!
//! Built on `hal::sync::SleepCell` (the value) and a [`WaitQueue`] (the waiting). Debug builds check [`Rank`]s for each thread.

use super::{Rank, WaitQueue};
use crate::task;
use core::ops::{Deref, DerefMut};
use hal::sync::atomic::{AtomicU32, Ordering, fence};
use hal::sync::{Exclusive, SleepCell};

/// A value that one thread at a time may use; the others sleep.
pub struct Mutex<T: ?Sized> {
    rank: Rank,
    name: &'static str,
    /// Threads inside `lock` that found the cell taken: an unlock with none of them touches no queue.
    contenders: AtomicU32,
    queue: WaitQueue,
    cell: SleepCell<T>,
}

impl<T> Mutex<T> {
    /// A free lock around `value`; `name` appears in reports of a broken lock order.
    pub const fn new(rank: Rank, name: &'static str, value: T) -> Mutex<T> {
        Mutex { rank, name, contenders: AtomicU32::new(0), queue: WaitQueue::new(), cell: SleepCell::new(value) }
    }

    /// The value, when the lock is no longer needed.
    pub fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, sleeping until it is free. Signals do not interrupt it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        task::locks::check(self.rank, self.name);
        let value = match self.cell.try_exclusive() {
            Some(value) => value,
            None => {
                self.contenders.fetch_add(1, Ordering::SeqCst);
                // Pairs with the fence in `drop`: counted, then looked; given back, then looked for whom it counts.
                fence(Ordering::SeqCst);
                let value = self.queue.wait(|| self.cell.try_exclusive());
                self.contenders.fetch_sub(1, Ordering::SeqCst);
                value
            }
        };
        task::locks::acquired(self.rank);
        MutexGuard { lock: self, value: Some(value) }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let value = self.cell.try_exclusive()?;
        task::locks::acquired(self.rank);
        Some(MutexGuard { lock: self, value: Some(value) })
    }

    /// The value, through the only reference there is.
    pub fn get_mut(&mut self) -> &mut T {
        self.cell.get_mut()
    }
}

/// Access to a locked [`Mutex`]'s value; dropping it unlocks.
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
    /// `None` only while being dropped: the cell must be free before the queue is woken.
    value: Option<Exclusive<'a, T>>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("a live guard has the value")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a live guard has the value")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        task::locks::released(self.lock.rank);
        // Pairs with the fence in `lock`: either the contender sees the cell free, or we see the contender.
        fence(Ordering::SeqCst);
        if self.lock.contenders.load(Ordering::SeqCst) != 0 {
            self.lock.queue.wake_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mutex, Rank};

    #[test]
    fn one_guard_at_a_time() {
        let lock = Mutex::new(Rank::Leaf, "test", 1);
        {
            let mut guard = lock.lock();
            *guard += 1;
            assert!(lock.try_lock().is_none());
        }
        assert_eq!(*lock.lock(), 2);
    }
}
