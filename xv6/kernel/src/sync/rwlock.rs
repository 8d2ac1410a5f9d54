//! A readers-writer lock that sleeps. A waiting writer holds new readers back, so it is never starved.
//!
//! A thread that holds a read guard must not take another of the same lock: a writer in between would stop both.
//! Built as [`super::Mutex`] is.

use super::{Rank, WaitQueue};
use crate::task;
use core::ops::{Deref, DerefMut};
use hal::sync::atomic::{AtomicU32, Ordering, fence};
use hal::sync::{Exclusive, Shared, SleepCell};

/// A value that many threads may read or one may change; the others sleep.
pub struct RwLock<T: ?Sized> {
    rank: Rank,
    name: &'static str,
    /// Threads that wait, reading or writing.
    contenders: AtomicU32,
    /// Writers among them.
    writers: AtomicU32,
    queue: WaitQueue,
    cell: SleepCell<T>,
}

impl<T> RwLock<T> {
    /// A free lock around `value`; `name` appears in reports of a broken lock order.
    pub const fn new(rank: Rank, name: &'static str, value: T) -> RwLock<T> {
        RwLock {
            rank,
            name,
            contenders: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            queue: WaitQueue::new(),
            cell: SleepCell::new(value),
        }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock for reading.
    pub fn read(&self) -> ReadGuard<'_, T> {
        task::locks::check(self.rank, self.name);
        let attempt = || if self.writers.load(Ordering::SeqCst) == 0 { self.cell.try_shared() } else { None };
        let value = match attempt() {
            Some(value) => value,
            None => {
                self.contend();
                let value = self.queue.wait(attempt);
                self.contenders.fetch_sub(1, Ordering::SeqCst);
                value
            }
        };
        task::locks::acquired(self.rank);
        ReadGuard { lock: self, value: Some(value) }
    }

    /// Takes the lock for writing.
    pub fn write(&self) -> WriteGuard<'_, T> {
        task::locks::check(self.rank, self.name);
        let value = match self.cell.try_exclusive() {
            Some(value) => value,
            None => {
                self.writers.fetch_add(1, Ordering::SeqCst);
                self.contend();
                let value = self.queue.wait(|| self.cell.try_exclusive());
                self.writers.fetch_sub(1, Ordering::SeqCst);
                self.contenders.fetch_sub(1, Ordering::SeqCst);
                value
            }
        };
        task::locks::acquired(self.rank);
        WriteGuard { lock: self, value: Some(value) }
    }

    /// Counts the running thread among those that wait.
    fn contend(&self) {
        self.contenders.fetch_add(1, Ordering::SeqCst);
        // Pairs with the fence in `release`: counted, then looked; given back, then looked for whom it counts.
        fence(Ordering::SeqCst);
    }

    fn release(&self) {
        task::locks::released(self.rank);
        // Pairs with the fence in `contend`.
        fence(Ordering::SeqCst);
        if self.contenders.load(Ordering::SeqCst) != 0 {
            // Readers and writers wait together, and which of them may go is decided by trying.
            self.queue.wake_all();
        }
    }
}

/// Shared access to a [`RwLock`]'s value.
pub struct ReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    value: Option<Shared<'a, T>>,
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("a live guard has the value")
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.lock.release();
    }
}

/// Sole access to a [`RwLock`]'s value.
pub struct WriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    value: Option<Exclusive<'a, T>>,
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("a live guard has the value")
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a live guard has the value")
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.lock.release();
    }
}

#[cfg(test)]
mod tests {
    use super::{Rank, RwLock};

    #[test]
    fn readers_share_and_a_writer_is_alone() {
        let lock = RwLock::new(Rank::Leaf, "test", 5);
        {
            let first = lock.read();
            let second = lock.read();
            assert_eq!(*first + *second, 10);
        }
        *lock.write() = 6;
        assert_eq!(*lock.read(), 6);
    }
}
