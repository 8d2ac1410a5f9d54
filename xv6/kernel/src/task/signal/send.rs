//! Sending: into a queue, and a wake-up for a thread that can take it.
//!
//! Locks: as the module says; threads are woken outside them.

use super::info::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use super::{
    DefaultAction, SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_DFL, SIG_IGN, SigAction, SigData, SigInfo, SigSet, Signal, stop,
};
use crate::error::{Errno, Result};
use crate::task::cred::Cap;
use crate::task::thread::WORK_SIGNAL;
use crate::task::{Process, ProcessGroup, Task, sched};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// Nanoseconds in a clock tick (`sysconf(_SC_CLK_TCK)` is 100).
pub(crate) const TICK_NS: u64 = 10_000_000;

/// Sends a signal from the kernel to one thread.
pub fn send_to_task(task: &Arc<Task>, signal: Signal) {
    send_info_to_task(task, SigInfo::kernel(signal));
}

/// Sends a signal from the kernel to a process.
pub fn send_to_process(process: &Arc<Process>, signal: Signal) {
    send_info_to_process(process, SigInfo::kernel(signal));
}

/// Sends a signal from the kernel to every process of a group.
pub fn send_to_group(group: &Arc<ProcessGroup>, signal: Signal) {
    group.signal(&SigInfo::kernel(signal));
}

/// Sends `info`, which comes from the kernel, to one thread.
pub fn send_info_to_task(task: &Arc<Task>, info: SigInfo) {
    // The kernel's own signals are never refused for lack of room: they are standard ones.
    let _ = send(&task.process, Some(task), info, true);
}

/// Sends `info`, which comes from the kernel, to a process.
pub fn send_info_to_process(process: &Arc<Process>, info: SigInfo) {
    let _ = send(process, None, info, true);
}

/// Sends a signal from the user thread `sender`, permission checked by the caller; `EAGAIN` when a real-time queue is full.
pub fn send_as_user(sender: &Task, process: &Arc<Process>, thread: Option<&Arc<Task>>, info: SigInfo) -> Result<()> {
    // An init can be killed or stopped from outside its namespace only (pid_namespaces(7)).
    let from_outside = match process.pid.namespace() {
        Some(namespace) => sender.process.pid.nr_in(namespace).is_none(),
        None => false,
    };
    send(process, thread, info, from_outside)
}

/// kill(2)'s permission rule.
pub fn may_signal(sender: &Task, target: &Process, signal: Option<Signal>) -> Result<()> {
    let Some(theirs) = target.cred() else { return Ok(()) };
    let mine = sender.cred();
    if [mine.euid, mine.uid].iter().any(|&id| id == theirs.uid || id == theirs.suid)
        || mine.capable_in(&theirs.user, Cap::Kill)
    {
        return Ok(());
    }
    if signal == Some(Signal::CONT) && Arc::ptr_eq(&sender.process.session(), &target.session()) {
        return Ok(());
    }
    Err(Errno::EPERM.into())
}

/// Puts `info` where it belongs and wakes whoever can take it. `strong`: it may kill or stop an init.
fn send(process: &Arc<Process>, thread: Option<&Arc<Task>>, info: SigInfo, strong: bool) -> Result<()> {
    let signal = info.signal;
    let threads = process.threads();
    let Some(first) = threads.first() else { return Ok(()) };
    let action = thread.unwrap_or(first).actions().get(signal);
    if signal == Signal::CONT {
        stop::resume(process, &threads);
    }
    let taker = {
        let mut shared = process.signals.lock();
        if SigSet::STOPS.has(signal) {
            discard_everywhere(&mut shared.pending, &threads, SigSet::only(Signal::CONT));
        }
        if is_dropped(process, thread.unwrap_or(first), &action, signal, strong) {
            return Ok(());
        }
        if signal == Signal::KILL {
            None
        } else {
            match thread {
                Some(thread) => {
                    let mut own = thread.signals.lock();
                    own.pending.push(info)?;
                    let wants = !own.blocked.has(signal) || own.waiting.has(signal);
                    wants.then(|| thread.clone())
                }
                None => {
                    shared.pending.push(info)?;
                    let wants = |task: &&Arc<Task>| {
                        let own = task.signals.lock();
                        !own.blocked.has(signal) || own.waiting.has(signal)
                    };
                    threads.iter().find(wants).cloned()
                }
            }
        }
    };
    if signal == Signal::KILL {
        stop::begin_exit(process, signal.number());
    } else if let Some(task) = taker {
        wake(&task);
    }
    Ok(())
}

/// Tells a thread to look at its signals, asleep or awake.
pub fn wake(task: &Arc<Task>) {
    task.set_work(WORK_SIGNAL);
    sched::interrupt(task);
}

/// Whether the signal is thrown away on arrival: ignored and not blocked, or not strong enough for an init.
fn is_dropped(process: &Process, thread: &Task, action: &SigAction, signal: Signal, strong: bool) -> bool {
    let kernel_only = SigSet::UNBLOCKABLE.has(signal);
    {
        let own = thread.signals.lock();
        if own.blocked.has(signal) || own.waiting.has(signal) {
            return false;
        }
    }
    // A tracer sees every signal.
    if thread.is_traced() && signal != Signal::KILL {
        return false;
    }
    if process.is_ns_init() && action.handler == SIG_DFL && !(strong && kernel_only) {
        return true;
    }
    action.ignores(signal)
}

pub(super) fn discard_everywhere(shared: &mut super::Pending, threads: &[Arc<Task>], signals: SigSet) {
    shared.discard(signals);
    for thread in threads {
        thread.signals.lock().pending.discard(signals);
    }
}

/// Wakes other threads for signals that wait for the process, and that `task` no longer takes.
pub(super) fn hand_over(task: &Arc<Task>, waiting: SigSet) {
    for other in task.process.threads() {
        let takes = !waiting.without(other.signals.lock().blocked).is_empty();
        if takes && !Arc::ptr_eq(&other, task) {
            wake(&other);
        }
    }
}

/// Sends a signal that the thread itself caused (a fault) and cannot escape: blocked or ignored, it kills.
pub fn force(task: &Arc<Task>, info: SigInfo) {
    let signal = info.signal;
    let actions = task.actions();
    let action = actions.get(signal);
    let blocked = task.signals.lock().blocked.has(signal);
    if blocked || action.handler == SIG_IGN {
        actions.set(signal, SigAction::default());
        let mask = task.signals.lock().blocked.without(SigSet::only(signal));
        super::set_blocked(task, mask);
    }
    if actions.get(signal).handler == SIG_DFL && task.process.is_ns_init() {
        // Even an init dies of its own fault.
        stop::begin_exit(&task.process, signal.number());
        return;
    }
    let _ = task.signals.lock().pending.push(info);
    task.set_work(WORK_SIGNAL);
}

/// What a child tells its parent: that it exited, stopped or continued.
pub(in crate::task) enum ChildEvent {
    /// It ended with this wait(2) status.
    Exited(u32),
    /// It stopped by this signal.
    Stopped(Signal),
    /// It continued.
    Continued,
}

/// Sends the parent its `SIGCHLD` (or the signal that clone(2) asked for) and wakes its waiters. Returns true if an exited child is to
/// vanish without a zombie, because the parent ignores `SIGCHLD`.
pub(in crate::task) fn notify_parent(child: &Arc<Process>, parent: &Arc<Process>, event: &ChildEvent) -> bool {
    let action = parent.leader().map(|leader| leader.actions().get(Signal::CHLD)).unwrap_or_default();
    let mut vanishes = false;
    let (code, status, signal) = match *event {
        ChildEvent::Exited(status) => {
            let (code, value) = match status & 0x7f {
                0 => (CLD_EXITED, (status >> 8) as i32),
                killer => (CLD_KILLED, killer as i32),
            };
            let wanted = Signal::new(u32::from(child.exit_signal.load(Ordering::Relaxed)));
            if wanted == Some(Signal::CHLD) {
                vanishes = parent.vanishing_children.load(Ordering::Acquire)
                    || action.handler == SIG_IGN
                    || action.flags & SA_NOCLDWAIT != 0;
            }
            let silent = wanted == Some(Signal::CHLD) && action.handler == SIG_IGN;
            (code, value, if silent { None } else { wanted })
        }
        ChildEvent::Stopped(by) => (CLD_STOPPED, by.number() as i32, stop_signal(&action)),
        ChildEvent::Continued => (CLD_CONTINUED, Signal::CONT.number() as i32, stop_signal(&action)),
    };
    if let Some(signal) = signal {
        let namespace = parent.pid.namespace();
        let pid = namespace.map_or(0, |namespace| child.pid.nr_or_zero(namespace));
        let uid = match (child.cred(), parent.cred()) {
            (Some(theirs), Some(ours)) => ours.user.uid_from_kernel(theirs.uid),
            _ => 0,
        };
        let times = child.times();
        let data = SigData::Child { pid, uid, status, utime: times.user / TICK_NS, stime: times.system / TICK_NS };
        send_info_to_process(parent, SigInfo { signal, code, data });
    }
    parent.child_changed.wake_all();
    vanishes
}

fn stop_signal(action: &SigAction) -> Option<Signal> {
    (action.handler != SIG_IGN && action.flags & SA_NOCLDSTOP == 0).then_some(Signal::CHLD)
}

/// Whether the default action of `signal` would end a process.
pub(super) fn is_fatal_by_default(signal: Signal) -> bool {
    signal.default_action() == DefaultAction::Terminate
}
