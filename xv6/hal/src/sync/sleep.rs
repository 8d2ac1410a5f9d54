//! The unsafe half of the kernel's sleeping locks: [`SleepCell`], a value that is taken without ever waiting.
//!
//! The kernel's `sync::Mutex` and `sync::RwLock` add the waiting (wait queues, ranks, scheduling) in safe code; this file
//! only keeps the promise that an exclusive guard is alone and that shared guards see no exclusive one.
//!
//! State word: 0 free, [`EXCLUSIVE`] taken exclusively, else the number of shared holders. No locks of its own.

use super::atomic::{Access, AtomicU32, Ordering, Watch};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

/// The state of a cell that is taken exclusively.
const EXCLUSIVE: u32 = u32::MAX;

/// A value behind a lock that can be tried but never waited for.
pub struct SleepCell<T: ?Sized> {
    state: AtomicU32,
    watch: Watch,
    value: UnsafeCell<T>,
}

// SAFETY: the cell owns its value; moving the cell moves the value.
unsafe impl<T: ?Sized + Send> Send for SleepCell<T> {}
// SAFETY: `state` admits either one exclusive guard (needs `T: Send`) or any number of shared ones (need `T: Sync`).
unsafe impl<T: ?Sized + Send + Sync> Sync for SleepCell<T> {}

impl<T> SleepCell<T> {
    /// A free cell that holds `value`.
    pub const fn new(value: T) -> SleepCell<T> {
        SleepCell { state: AtomicU32::new(0), watch: Watch::new(), value: UnsafeCell::new(value) }
    }

    /// The value, when the cell itself is no longer needed.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> SleepCell<T> {
    /// Takes the cell exclusively, or `None` if anyone has it.
    pub fn try_exclusive(&self) -> Option<Exclusive<'_, T>> {
        self.state.compare_exchange(0, EXCLUSIVE, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Exclusive { cell: self, access: self.watch.write() })
    }

    /// Takes the cell shared, or `None` if somebody has it exclusively.
    pub fn try_shared(&self) -> Option<Shared<'_, T>> {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state >= EXCLUSIVE - 1 {
                return None;
            }
            match self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Shared { cell: self, access: self.watch.read() }),
                Err(seen) => state = seen,
            }
        }
    }

    /// True while anyone has the cell.
    pub fn is_taken(&self) -> bool {
        self.state.load(Ordering::Relaxed) != 0
    }

    /// The value, through the only reference there is.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Sole access to a cell's value, until dropped.
pub struct Exclusive<'a, T: ?Sized> {
    cell: &'a SleepCell<T>,
    access: Access,
}

impl<T: ?Sized> Deref for Exclusive<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: `state` is EXCLUSIVE until this guard is dropped, and only this guard was given out for it.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T: ?Sized> DerefMut for Exclusive<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and `&mut self` makes this the only reference made from the guard.
        unsafe { &mut *self.cell.value.get() }
    }
}

impl<T: ?Sized> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        self.access.end();
        self.cell.state.store(0, Ordering::Release);
    }
}

/// Shared access to a cell's value, until dropped.
pub struct Shared<'a, T: ?Sized> {
    cell: &'a SleepCell<T>,
    access: Access,
}

impl<T: ?Sized> Deref for Shared<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: `state` counts this guard, so no exclusive guard exists while it lives.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T: ?Sized> Drop for Shared<'_, T> {
    fn drop(&mut self) {
        self.access.end();
        self.cell.state.fetch_sub(1, Ordering::Release);
    }
}
