//! Namespaces (namespaces(7)): what a group of processes sees as its own pids, host name, mounts, users, IPC, network and cgroups.
//!
//! Key types: [`NsProxy`], the set a thread is in; [`PidNamespace`], [`UtsNamespace`], [`IpcNamespace`], [`NetNamespace`],
//! [`CgroupNamespace`], [`UserNamespace`]; [`NsRef`], any one of them, as `/proc/PID/ns/X` and setns(2) handle them.
//! The mount namespace lives in `vfs`. Each has a [`NsCommon`]: its inode number and the user namespace that owns it.
//!
//! Locks: a namespace guards its own small state with a spin lock (`Rank::Namespace`); a proxy is immutable and shared.

mod change;
pub mod pid;
mod proxy;
mod simple;
mod user;

pub use change::{enter_new_user, in_user, may_enter};
pub use pid::PidNamespace;
pub use proxy::{CloneNs, NsProxy, NsRef};
pub use simple::{CgroupNamespace, IpcNamespace, NetNamespace, UtsNamespace};
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

/// The next namespace inode number; the first are Linux's own for the initial namespaces.
pub(crate) fn next_ino() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0xF000_0000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
