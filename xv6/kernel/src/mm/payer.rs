//! Who is charged for memory that no process maps: the pages of memory files outlive the processes that filled them, and when memory runs out
//! it must be known whose they are.
//!
//! [`Payer`] is what `mm` sees of a cgroup; the kernel registers at boot how to find that of the running thread. No locks.

use alloc::sync::Arc;
use hal::sync::Once;

/// A group that pays for pages.
pub trait Payer: Send + Sync {
    /// Charges `pages` more, or gives some back. Never refused.
    fn pay(&self, pages: isize);
}

/// Finds who pays for what the running thread takes; `None` for the kernel itself.
pub type Finder = fn() -> Option<Arc<dyn Payer>>;

static FINDER: Once<Finder> = Once::new();

/// Registers how to find a payer.
pub fn set_finder(finder: Finder) {
    FINDER.call_once(|| finder);
}

/// Who pays for what the running thread takes.
pub(super) fn of_running() -> Option<Arc<dyn Payer>> {
    FINDER.get().and_then(|find| find())
}
