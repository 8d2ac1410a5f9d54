//! POSIX signals (signal(7)): sending, pending, dispositions, delivery, stop and continue.
//!
//! Key types: [`Signal`], [`SigSet`], [`SigInfo`]; [`Actions`], what a process does with each; [`ThreadSignals`] and
//! [`ProcessSignals`], what is pending and blocked. `send` puts a signal in a queue and wakes somebody to take it; `deliver`
//! runs in the receiving thread on its way to user mode; `frame` is what a handler finds on its stack.
//!
//! Locks: `Process::signals` (`Rank::ProcessSignals`), then one `Task::signals` (`Rank::ThreadSignals`); actions have their own, outside both.

mod action;
mod deliver;
mod frame;
mod info;
mod queue;
mod send;
mod set;
mod stop;
mod wait;

pub use action::{Actions, SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_DFL, SIG_IGN, SigAction};
pub(super) use deliver::{Outcome, handle_pending};
pub use frame::AltStack;
pub(crate) use frame::sigreturn;
pub use info::{
    CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, CLD_TRAPPED, SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER,
};
pub use info::{SIGINFO_BYTES, SigData, SigInfo};
pub use queue::Pending;
#[cfg(loom)]
pub use send::wake;
#[cfg(not(loom))]
pub(super) use send::wake;
pub(super) use send::{ChildEvent, notify_parent};
pub use send::{
    force, may_signal, send_as_user, send_info_to_process, send_info_to_task, send_to_group, send_to_process,
    send_to_task,
};
pub use set::{Default as DefaultAction, SigSet, Signal};
pub(super) use stop::{begin_exit, come_to_rest, report_if_at_rest};
pub use wait::{action, change_alt_stack, has_deliverable, set_action, wait_for};

use super::thread::WORK_SIGNAL;
use super::{Process, Task};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// What one thread blocks and has pending.
#[derive(Default)]
pub struct ThreadSignals {
    /// Not delivered while in here.
    pub blocked: SigSet,
    /// For this thread alone.
    pub pending: Pending,
    /// The mask to go back to after sigsuspend(2), ppoll(2) and the like.
    pub saved: Option<SigSet>,
    /// sigtimedwait(2) waits for these, although they are blocked.
    pub(super) waiting: SigSet,
    /// sigaltstack(2).
    pub(crate) alt_stack: AltStack,
    /// Trap number, error code and address of the last fault, for the signal frame.
    pub(super) fault: [u64; 3],
}

/// What a whole process has pending, and whether it is stopped.
#[derive(Default)]
pub struct ProcessSignals {
    /// For whichever thread takes it first.
    pub pending: Pending,
    /// The signal that stopped it, while stopped.
    pub stopped: Option<Signal>,
    /// Threads that have come to rest in this stop.
    pub(super) resting: usize,
    /// Counts stops, so that a thread that rests notices a continuation it slept through.
    pub(super) stops: u64,
    /// The parent has been told of this stop.
    pub(super) reported: bool,
    /// A stop that wait(2) has not reported yet.
    pub(super) stop_unreported: bool,
    /// A continuation that wait(2) has not reported yet.
    pub(super) continue_unreported: bool,
}

impl ProcessSignals {
    /// A stop that wait(2) has not reported yet.
    pub(super) fn stop_unreported(&self) -> bool {
        self.stop_unreported
    }

    pub(super) fn set_stop_unreported(&mut self, unreported: bool) {
        self.stop_unreported = unreported;
    }

    /// A continuation that wait(2) has not reported yet.
    pub(super) fn continue_unreported(&self) -> bool {
        self.continue_unreported
    }

    pub(super) fn set_continue_unreported(&mut self, unreported: bool) {
        self.continue_unreported = unreported;
    }
}

/// Ends an init by `signal`, whatever it does with that signal (reboot(2) inside its pid namespace).
pub fn kill_init(init: &Arc<Process>, signal: Signal) {
    stop::begin_exit(init, signal.number());
}

/// Whether a signal waits for `task` that it should handle before it sleeps (again). May be true a little too often.
pub fn signal_pending(task: &Task) -> bool {
    task.work_is(WORK_SIGNAL)
}

/// Whether `task` is about to die, with its process or alone (another thread's execve(2)): a sleep that only death may end looks at this.
pub fn fatal_signal_pending(task: &Task) -> bool {
    task.exiting.load(Ordering::Acquire) || task.process.exiting.load(Ordering::Acquire)
}

/// Whether the thread blocks or ignores `signal`: a background process may then write to its terminal (termios(3), `TOSTOP`).
pub fn is_blocked_or_ignored(task: &Task, signal: Signal) -> bool {
    let action = task.actions().get(signal);
    action.handler == SIG_IGN || task.signals.lock().blocked.has(signal)
}

/// The signals pending for the thread and its process, and blocked by it (`/proc/PID/status`: SigPnd, ShdPnd, SigBlk).
pub fn masks(task: &Task) -> (SigSet, SigSet, SigSet) {
    let shared = task.process.signals.lock().pending.set();
    let own = task.signals.lock();
    (own.pending.set(), shared, own.blocked)
}

/// The signals that are ignored and those that have a handler (`/proc/PID/status`: SigIgn, SigCgt).
pub fn summary(task: &Task) -> (SigSet, SigSet) {
    task.actions().summary()
}

/// Sets the mask of blocked signals (`SIGKILL` and `SIGSTOP` stay out), and returns the old one.
pub fn set_blocked(task: &Arc<Task>, mask: SigSet) -> SigSet {
    change_blocked(task, |_| mask)
}

/// As [`set_blocked`], to what `change` makes of the old mask.
pub fn change_blocked(task: &Arc<Task>, change: impl FnOnce(SigSet) -> SigSet) -> SigSet {
    let (old, ready, left) = {
        let shared = task.process.signals.lock();
        let mut own = task.signals.lock();
        let mask = change(own.blocked).without(SigSet::UNBLOCKABLE);
        let old = core::mem::replace(&mut own.blocked, mask);
        let waiting = shared.pending.set();
        let ready = waiting.or(own.pending.set()).without(mask);
        // What this thread now blocks, another may take.
        (old, !ready.is_empty(), waiting.and(mask.without(old)))
    };
    if ready {
        task.set_work(WORK_SIGNAL);
    }
    if !left.is_empty() {
        send::hand_over(task, left);
    }
    old
}

/// The signals that the thread blocks.
pub fn blocked(task: &Task) -> SigSet {
    task.signals.lock().blocked
}

/// Sets the mask for the length of one system call (ppoll(2), sigsuspend(2)). A call that a signal ends leaves it to delivery to put the old one back;
/// one that ends by itself calls [`restore_blocked`].
pub fn set_blocked_for_call(task: &Arc<Task>, mask: SigSet) {
    let old = set_blocked(task, mask);
    task.signals.lock().saved = Some(old);
}

/// Puts the mask back that [`set_blocked_for_call`] replaced, when the call ends by itself.
pub fn restore_blocked(task: &Arc<Task>) {
    let saved = task.signals.lock().saved.take();
    if let Some(saved) = saved {
        set_blocked(task, saved);
    }
}
