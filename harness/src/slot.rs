//! slot: how many machines run at once, across all processes of a test run.
//!
//! Each CPU of a guest is a busy thread of the host's; more machines than cores only make every one of them miss its
//! deadlines. A [`Slot`] is one of a fixed number of file locks under `build/slots`, so it binds test threads and test
//! processes alike, and is free again when its holder dies.

use crate::failure::Failure;
use crate::workspace;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The right to run one machine, until dropped.
#[derive(Debug)]
pub struct Slot {
    _lock: File,
}

impl Slot {
    /// Takes a slot, waiting for one if need be. There are two; `XV6_MACHINES` sets another number.
    ///
    /// # Errors
    /// `Setup` when the lock files cannot be used.
    pub fn take() -> Result<Self, Failure> {
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
                return Ok(Self { _lock: lock });
            }
        }
        // All are taken: those who wait spread over them.
        let lock = open((NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() as usize) % number)?;
        lock.lock().map_err(|e| Failure::setup("wait for a machine's slot", e))?;
        Ok(Self { _lock: lock })
    }
}
