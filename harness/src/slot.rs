//! slot: how many machines run at once, across all processes of a test run.
//!
//! Each CPU of a guest is a busy thread of the host's; more machines than cores only make every one of them miss its
//! deadlines. A [`Slot`] is one of a fixed number of file locks under `build/slots`, so it binds test threads and test
//! processes alike, and is free again when its holder dies. A thread that has one shares it among all its machines: two tests that each
//! waited for a second slot would wait for ever.

use crate::failure::Failure;
use crate::workspace;
use std::cell::RefCell;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

thread_local! {
    /// The slot that this thread has taken, while it is held.
    static MINE: RefCell<Weak<File>> = const { RefCell::new(Weak::new()) };
}

/// The right to run machines on one thread, until dropped.
#[derive(Debug)]
pub struct Slot {
    _lock: Arc<File>,
}

impl Slot {
    /// Takes a slot, waiting for one if need be. There are two; `XV6_MACHINES` sets another number.
    ///
    /// # Errors
    /// `Setup` when the lock files cannot be used.
    pub fn take() -> Result<Self, Failure> {
        if let Some(lock) = MINE.with_borrow(Weak::upgrade) {
            return Ok(Self { _lock: lock });
        }
        let lock = Arc::new(Self::lock()?);
        MINE.set(Arc::downgrade(&lock));
        Ok(Self { _lock: lock })
    }

    /// The lock on a slot's file.
    fn lock() -> Result<File, Failure> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = std::env::var("XV6_MACHINES").ok().and_then(|n| n.parse().ok()).unwrap_or(2).max(1);
        let dir = workspace::build_dir("slots")?;
        let open = |slot: usize| {
            let path = dir.join(slot.to_string());
            File::create(&path).map_err(|e| Failure::setup(format_args!("create {}", path.display()), e))
        };
        for slot in 0..number {
            let lock = open(slot)?;
            if lock.try_lock().is_ok() {
                return Ok(lock);
            }
        }
        // All are taken: those who wait spread over them.
        let lock = open((NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() as usize) % number)?;
        lock.lock().map_err(|e| Failure::setup("wait for a machine's slot", e))?;
        Ok(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn a_thread_needs_one_slot_for_all_its_machines() {
        let slots: Vec<Slot> = (0..10).map(|_| Slot::take().expect("a slot")).collect();
        assert_eq!(slots.len(), 10);
    }
}
