//! Namespaces (namespaces(7)).

mod user;

pub use user::{IdMap, IdRange, UserNamespace};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// What every namespace has.
pub struct NsCommon {
    /// The inode number that `/proc/PID/ns/X` shows, unique for a boot.
    pub ino: u64,
    /// The user namespace whose capabilities rule it.
    pub owner: Arc<UserNamespace>,
}

impl NsCommon {
    /// For a new namespace owned by `owner`.
    pub fn new(owner: Arc<UserNamespace>) -> NsCommon {
        NsCommon { ino: next_ino(), owner }
    }
}

/// The set of namespaces a thread is in.
pub struct NsProxy {
    /// Mounts.
    pub mnt: Arc<crate::vfs::MountNamespace>,
}

/// The next namespace inode number.
pub(crate) fn next_ino() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0xF000_0000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
