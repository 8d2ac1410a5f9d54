//! Signal dispositions (sigaction(2)): what a process does with each signal.
//!
//! [`Actions`] is shared by the threads of a process (and by `CLONE_SIGHAND` relatives). Locks: its table, `Rank::SigActions`.

use super::{SigSet, Signal};
use crate::task::signal::set::Default as DefaultAction;
use alloc::sync::Arc;
use hal::sync::{Rank, SpinLock};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `sa_handler`: the default action.
pub const SIG_DFL: u64 = 0;
/// `sa_handler`: ignore.
pub const SIG_IGN: u64 = 1;

/// `sa_flags`: stopped children send no `SIGCHLD`.
pub const SA_NOCLDSTOP: u64 = 1;
/// `sa_flags`: children leave no zombies.
pub const SA_NOCLDWAIT: u64 = 2;
/// `sa_flags`: run on the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// `sa_flags`: restart interrupted calls.
pub const SA_RESTART: u64 = 0x1000_0000;
/// `sa_flags`: do not block the signal while it is handled.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// `sa_flags`: back to the default once delivered.
pub const SA_RESETHAND: u64 = 0x8000_0000;
/// `sa_flags`: `restorer` is set.
pub const SA_RESTORER: u64 = 0x0400_0000;

/// The kernel's `struct sigaction`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, Default)]
#[repr(C)]
#[expect(missing_docs, reason = "sigaction(2) documents the fields")]
pub struct SigAction {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}

impl SigAction {
    /// True if `signal` with this action is thrown away on arrival.
    pub fn ignores(&self, signal: Signal) -> bool {
        self.handler == SIG_IGN || self.handler == SIG_DFL && signal.default_action() == DefaultAction::Ignore
    }
}

/// The table of a process.
pub struct Actions {
    table: SpinLock<[SigAction; 64]>,
}

impl Default for Actions {
    fn default() -> Self {
        Actions { table: SpinLock::new(Rank::SigActions, "signal actions", [SigAction::default(); 64]) }
    }
}

impl Actions {
    /// The action for `signal`.
    pub fn get(&self, signal: Signal) -> SigAction {
        self.table.lock()[signal.index()]
    }

    /// Sets the action for `signal`, and returns the old one.
    pub fn set(&self, signal: Signal, action: SigAction) -> SigAction {
        core::mem::replace(&mut self.table.lock()[signal.index()], action)
    }

    /// A copy, for a fork.
    pub fn fork(&self) -> Arc<Actions> {
        Arc::new(Actions { table: SpinLock::new(Rank::SigActions, "signal actions", *self.table.lock()) })
    }

    /// A copy as execve(2) leaves it: handlers back to the default, ignored signals stay ignored.
    pub fn exec(&self) -> Arc<Actions> {
        let copy = self.fork();
        for action in copy.table.lock().iter_mut() {
            let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
            *action = SigAction { handler, ..SigAction::default() };
        }
        copy
    }

    /// The ignored and the caught signals (`SigIgn:`, `SigCgt:` in `/proc/PID/status`).
    pub fn summary(&self) -> (SigSet, SigSet) {
        let table = self.table.lock();
        let mut ignored = SigSet::EMPTY;
        let mut caught = SigSet::EMPTY;
        for (index, action) in table.iter().enumerate() {
            let Some(signal) = Signal::new(index as u32 + 1) else { continue };
            match action.handler {
                SIG_DFL => {}
                SIG_IGN => ignored = ignored.with(signal),
                _ => caught = caught.with(signal),
            }
        }
        (ignored, caught)
    }
}
