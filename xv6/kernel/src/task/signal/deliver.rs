//! Delivery: what a thread does about its signals before it returns to user mode.
//!
//! Also the place where interrupted system calls restart or end in `EINTR` (signal(7)). Locks: as the module says, none held across a
//! copy to the user stack.

use super::action::{SA_NODEFER, SA_RESETHAND, SA_RESTART};
use super::{
    DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigInfo, SigSet, Signal, fatal_signal_pending, frame, send,
    set_blocked, stop,
};
use crate::error::Errno;
use crate::task::thread::WORK_SIGNAL;
use crate::task::{Task, ptrace};
use alloc::sync::Arc;
use hal::user::UserContext;

/// What the thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::task) enum Outcome {
    /// Back to user mode.
    Resume,
    /// The process ends.
    Exit,
}

/// Handles stops, the end of the process and pending signals. Runs in the thread itself, its user registers at hand.
pub(in crate::task) fn handle_pending(task: &Arc<Task>, user: &mut UserContext) -> Outcome {
    loop {
        // Cleared before looking: what arrives later sets it again.
        task.clear_work(WORK_SIGNAL);
        if fatal_signal_pending(task) {
            return Outcome::Exit;
        }
        let traced = task.is_traced();
        if traced {
            ptrace::interrupted(task, user);
        }
        if task.process.is_stopped() {
            if !traced {
                stop::rest(task);
                continue;
            }
            if ptrace::group_stop(task, user) {
                continue;
            }
        }
        let Some(info) = take(task) else { break };
        let info = if traced { ptrace::signalled(task, user, info) } else { Some(info) };
        let Some(info) = info else { continue };
        if fatal_signal_pending(task) {
            return Outcome::Exit;
        }
        let signal = info.signal;
        let actions = task.actions();
        let action = actions.get(signal);
        match action.handler {
            SIG_IGN => {}
            SIG_DFL => {
                if default(task, signal) == Outcome::Exit {
                    return Outcome::Exit;
                }
            }
            _ => {
                if action.flags & SA_RESETHAND != 0 {
                    actions.set(signal, SigAction::default());
                }
                run_handler(task, user, &info, &action);
            }
        }
    }
    // No handler ran for it (one that did has set `orig_rax`): the interrupted call runs again, under its old mask.
    restart(user);
    super::restore_blocked(task);
    Outcome::Resume
}

/// Takes the next deliverable signal of the thread or its process.
fn take(task: &Arc<Task>) -> Option<SigInfo> {
    let mut shared = task.process.signals.lock();
    let mut own = task.signals.lock();
    let allowed = SigSet(u64::MAX).without(own.blocked);
    own.pending.take(allowed).or_else(|| shared.pending.take(allowed))
}

/// The default action.
fn default(task: &Arc<Task>, signal: Signal) -> Outcome {
    let process = &task.process;
    match signal.default_action() {
        DefaultAction::Ignore | DefaultAction::Continue => Outcome::Resume,
        _ if process.is_ns_init() && !SigSet::UNBLOCKABLE.has(signal) => Outcome::Resume,
        DefaultAction::Stop => {
            // Nobody could continue an orphaned group: its members do not stop for the terminal (setpgid(2)).
            if signal == Signal::STOP || !process.group().is_orphaned() {
                stop::begin_stop(process, signal);
            }
            Outcome::Resume
        }
        DefaultAction::Terminate => {
            debug_assert!(send::is_fatal_by_default(signal));
            stop::begin_exit(process, signal.number());
            Outcome::Exit
        }
    }
}

/// Builds the handler's frame and points the registers at it; a stack that cannot take it is `SIGSEGV`.
fn run_handler(task: &Arc<Task>, user: &mut UserContext, info: &SigInfo, action: &SigAction) {
    if let Some(errno) = interrupted(user) {
        let again = match errno {
            Errno::ERESTARTNOINTR => true,
            Errno::ERESTARTSYS => action.flags & SA_RESTART != 0,
            _ => false,
        };
        if again {
            rewind(user);
        } else {
            user.regs.rax = -(Errno::EINTR as i64) as u64;
        }
    }
    user.regs.orig_rax = u64::MAX;
    let mask = {
        let mut own = task.signals.lock();
        own.saved.take().unwrap_or(own.blocked)
    };
    if frame::push(task, user, info, action, mask).is_err() {
        // The frame of SIGSEGV itself did not fit either: then it kills.
        if info.signal == Signal::SEGV {
            task.actions().set(Signal::SEGV, SigAction::default());
        }
        set_blocked(task, mask);
        send::force(task, SigInfo::kernel(Signal::SEGV));
        return;
    }
    let mut blocked = task.signals.lock().blocked.or(SigSet(action.mask));
    if action.flags & SA_NODEFER == 0 {
        blocked = blocked.with(info.signal);
    }
    set_blocked(task, blocked);
}

/// The restart code that the call in progress ended with.
fn interrupted(user: &UserContext) -> Option<Errno> {
    if user.regs.orig_rax == u64::MAX {
        return None;
    }
    let codes = [Errno::ERESTARTSYS, Errno::ERESTARTNOINTR, Errno::ERESTARTNOHAND, Errno::ERESTARTBLOCK];
    codes.into_iter().find(|&code| user.regs.rax == -(code as i64) as u64)
}

/// Makes the thread execute its `syscall` instruction (two bytes) again.
fn rewind(user: &mut UserContext) {
    user.regs.rax = user.regs.orig_rax;
    user.regs.rip = user.regs.rip.wrapping_sub(2);
}

/// Linux's number of restart_syscall(2).
const RESTART_SYSCALL: u64 = 219;

fn restart(user: &mut UserContext) {
    if let Some(errno) = interrupted(user) {
        rewind(user);
        if errno == Errno::ERESTARTBLOCK {
            user.regs.rax = RESTART_SYSCALL;
        }
        user.regs.orig_rax = u64::MAX;
    }
}
