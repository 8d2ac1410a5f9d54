//! `conductor init`: prepares the store, and removes what a power cut left half-made. `run` does it too.

use crate::error::Result;
use crate::store::Store;

/// Runs the verb.
pub fn run() -> Result<u8> {
    Store::open()?.sweep()?;
    Ok(0)
}
