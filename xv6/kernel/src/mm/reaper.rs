//! Letting go of address spaces where their end must not happen: their files' closing may need locks that the caller holds.
//!
//! [`release`] drops a reference; if it was the last, the space goes on a list that [`reap`] empties, called by the flusher thread.

use super::{AddressSpace, flusher};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::sync::{Rank, SpinLock};

static ENDED: SpinLock<Vec<AddressSpace>> = SpinLock::new(Rank::Mm, "ended address spaces", Vec::new());

/// Drops a reference without running the end of the address space here.
pub fn release(space: Arc<AddressSpace>) {
    if let Some(space) = Arc::into_inner(space) {
        ENDED.lock().push(space);
        flusher::wake();
    }
}

/// Ends the address spaces that were released. Call it with no locks held.
pub(super) fn reap() {
    let ended = core::mem::take(&mut *ENDED.lock());
    drop(ended);
}
