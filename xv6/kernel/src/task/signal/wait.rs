//! What system calls do with a thread's own signals: set actions, wait for signals, set the alternate stack.
//!
//! Locks: as the module says.

use super::frame::{SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use super::{AltStack, SigAction, SigInfo, SigSet, Signal, send};
use crate::error::{Errno, Result};
use crate::task::{Task, ptrace, sched};
use alloc::sync::Arc;

/// The smallest alternate stack (`MINSIGSTKSZ`).
const MIN_STACK: u64 = 2048;

/// The thread's action for `signal`.
pub fn action(task: &Task, signal: Signal) -> SigAction {
    task.actions().get(signal)
}

/// Sets the action for `signal`; returns the old one. A signal that is ignored from now on is no longer pending.
pub fn set_action(task: &Arc<Task>, signal: Signal, action: SigAction) -> SigAction {
    let old = task.actions().set(signal, action);
    if action.ignores(signal) {
        let threads = task.process.threads();
        let mut shared = task.process.signals.lock();
        send::discard_everywhere(&mut shared.pending, &threads, SigSet::only(signal));
    }
    old
}

/// Whether a signal is pending that the thread does not block, or it must leave its sleep for its end or its tracer.
pub fn has_deliverable(task: &Task) -> bool {
    if super::fatal_signal_pending(task) || ptrace::is_wanted(task) {
        return true;
    }
    let shared = task.process.signals.lock();
    let own = task.signals.lock();
    let pending = shared.pending.set().or(own.pending.set());
    !pending.without(own.blocked).is_empty() || shared.stopped.is_some()
}

/// sigtimedwait(2): takes a pending signal of `set`, waiting for one until the monotonic `deadline`: then `EAGAIN`. `EINTR` when another signal must be
/// handled.
pub fn wait_for(task: &Arc<Task>, set: SigSet, deadline: Option<u64>) -> Result<SigInfo> {
    let take = |waiting: SigSet| {
        let mut shared = task.process.signals.lock();
        let mut own = task.signals.lock();
        own.waiting = waiting;
        own.pending.take(set).or_else(|| shared.pending.take(set))
    };
    let verdict = loop {
        if let Some(info) = take(set) {
            break Ok(info);
        }
        if has_deliverable(task) {
            break Err(Errno::EINTR.into());
        }
        if deadline.is_some_and(|deadline| hal::time::now_ns() >= deadline) {
            break Err(Errno::EAGAIN.into());
        }
        sched::park(true, deadline);
    };
    task.signals.lock().waiting = SigSet::EMPTY;
    verdict
}

/// sigaltstack(2) by a thread with stack pointer `rsp`: sets the stack if asked, returns the old one. `EPERM` while running on it, `ENOMEM` if it is too
/// small.
pub fn change_alt_stack(task: &Task, rsp: u64, new: Option<AltStack>) -> Result<AltStack> {
    let mut own = task.signals.lock();
    let mut old = own.alt_stack;
    let on_it = old.holds(rsp);
    if on_it {
        old.flags |= SS_ONSTACK;
    }
    let Some(new) = new else { return Ok(old) };
    if on_it {
        return Err(Errno::EPERM.into());
    }
    match new.flags & !SS_AUTODISARM {
        SS_DISABLE => own.alt_stack = AltStack::new(0, 0, SS_DISABLE),
        0 | SS_ONSTACK if new.size < MIN_STACK => return Err(Errno::ENOMEM.into()),
        0 | SS_ONSTACK => own.alt_stack = AltStack::new(new.sp, new.size, new.flags & SS_AUTODISARM),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(old)
}
