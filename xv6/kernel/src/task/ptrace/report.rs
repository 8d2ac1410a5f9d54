//! What wait(2) tells a tracer: its tracees' stops, and the ends of those that are no children of its own.
//!
//! A child's end is reported as any child's (`task::wait`). Locks: `tracer`, then (not together) one `trace`.

use super::{forget, unlink};
use crate::task::signal::{self, CLD_EXITED, CLD_KILLED, CLD_TRAPPED, SigData, SigInfo, Signal};
use crate::task::wait::{Report, WaitOptions, Which};
use crate::task::{Pid, Process, Task};
use alloc::sync::Arc;
use core::mem;
use core::sync::atomic::Ordering;

/// The most ends kept for a tracer that does not wait: the oldest are forgotten.
const ENDED_MAX: usize = 4096;

/// The end of a traced thread.
#[derive(Clone)]
pub struct TraceReport {
    pid: Arc<Pid>,
    process: Arc<Process>,
    status: u32,
}

/// Tells `tracer` by `SIGCHLD`, and its waiters.
pub(super) fn notify(tracer: &Arc<Process>, pid: &Pid, process: &Process, code: i32, status: i32) {
    let nr = tracer.pid.namespace().map_or(0, |namespace| pid.nr_or_zero(namespace));
    let data = SigData::Child { pid: nr, uid: uid_for(tracer, process), status, utime: 0, stime: 0 };
    signal::send_info_to_process(tracer, SigInfo { signal: Signal::CHLD, code, data });
    tracer.child_changed.wake_all();
}

/// The real user id of `process` as `viewer`'s user namespace shows it.
fn uid_for(viewer: &Process, process: &Process) -> u32 {
    match (process.cred(), viewer.cred()) {
        (Some(theirs), Some(ours)) => ours.user.uid_from_kernel(theirs.uid),
        _ => 0,
    }
}

/// Puts the end of a traced thread where its tracer's wait(2) finds it.
fn tell(tracer: &Arc<Process>, report: TraceReport) {
    let mut forgotten = None;
    {
        let mut list = tracer.tracer.lock();
        if list.closed {
            return;
        }
        if list.ended.len() >= ENDED_MAX {
            forgotten = Some(list.ended.remove(0));
        }
        list.ended.push(report.clone());
    }
    drop(forgotten);
    let (code, status) = match report.status & 0x7f {
        0 => (CLD_EXITED, report.status >> 8),
        killer => (CLD_KILLED, killer),
    };
    notify(tracer, &report.pid, &report.process, code, status as i32);
}

/// A thread has ended, which leaves its process next. A first thread's end is the process's.
pub fn thread_ended(task: &Arc<Task>) {
    let (tracer, status) = {
        let mut trace = task.trace.lock();
        task.traced.store(false, Ordering::Release);
        (mem::take(&mut trace.tracer).upgrade(), trace.exit_status)
    };
    let Some(tracer) = tracer else { return };
    forget(&tracer, task);
    let process = &task.process;
    let pid = task.tid();
    if !Arc::ptr_eq(&pid, &process.pid) {
        let status = if process.exiting.load(Ordering::Acquire) { process.status() } else { status };
        tell(&tracer, TraceReport { pid, process: process.clone(), status });
    } else if !process.executing.load(Ordering::Acquire) {
        // Whoever executes a program takes this id over, and with it the report of the end.
        *process.traced_by.lock() = Arc::downgrade(&tracer);
    }
}

/// A process has become a zombie: a tracer that is not its parent is told, too.
pub fn process_ended(process: &Arc<Process>, parent: Option<&Arc<Process>>) {
    let tracer = mem::take(&mut *process.traced_by.lock()).upgrade();
    if let Some(tracer) = tracer
        && !parent.is_some_and(|parent| Arc::ptr_eq(parent, &tracer))
    {
        tell(&tracer, TraceReport { pid: process.pid.clone(), process: process.clone(), status: process.status() });
    }
}

/// A tracer has ended: its tracees go on untraced, or die with it (`PTRACE_O_EXITKILL`).
pub fn tracer_ended(process: &Arc<Process>) {
    let (tracees, ended) = {
        let mut list = process.tracer.lock();
        list.closed = true;
        (mem::take(&mut list.tracees), mem::take(&mut list.ended))
    };
    drop(ended);
    for task in tracees {
        let (ours, kills) = {
            let trace = task.trace.lock();
            let ours = core::ptr::eq(trace.tracer.as_ptr(), Arc::as_ptr(process));
            (ours, trace.options.contains(super::Options::EXITKILL))
        };
        if ours {
            release(&task, kills);
        }
    }
}

/// The tracee of a tracer that has ended goes on untraced, or dies with it.
fn release(task: &Arc<Task>, kills: bool) {
    unlink(task);
    if kills {
        signal::send_to_process(&task.process, Signal::KILL);
    }
}

/// A thread has ended, others of its process may go on: what that thread alone traced is traced no more.
pub fn tracing_thread_ended(thread: &Arc<Task>) {
    let tracer = &thread.process;
    let tracees = tracer.tracer.lock().tracees.clone();
    for task in tracees {
        let (ours, kills) = {
            let trace = task.trace.lock();
            let ours = core::ptr::eq(trace.by.as_ptr(), Arc::as_ptr(thread));
            (ours, trace.options.contains(super::Options::EXITKILL))
        };
        if ours {
            forget(tracer, &task);
            release(&task, kills);
        }
    }
}

/// Whether the thread or process `pid` is one that `which` names.
fn is_asked(which: &Which, namespace: &crate::ns::PidNamespace, pid: &Arc<Pid>, process: &Arc<Process>) -> bool {
    match which {
        Which::Any => true,
        Which::Pid(number) => pid.nr_in(namespace) == Some(*number),
        Which::Group(number) => process.group().pid.nr_in(namespace) == Some(*number),
        Which::Process(asked) => Arc::ptr_eq(asked, process) && Arc::ptr_eq(pid, &process.pid),
    }
}

/// A report that `which` asks for, of a thread that the caller's process traces. Sets `found` if there are such threads at all.
pub fn take_report(task: &Arc<Task>, which: &Which, options: WaitOptions, found: &mut bool) -> Option<Report> {
    let tracees = {
        let list = task.process.tracer.lock();
        if list.tracees.is_empty() && list.ended.is_empty() {
            return None;
        }
        (list.tracees.clone(), list.ended.clone())
    };
    let (tracees, ended) = tracees;
    let namespace = task.pid_ns();
    let keep = options.contains(WaitOptions::NOWAIT);
    let report = |pid: &Pid, process: &Process, status, trapped| {
        let usage = process.usage().plus(process.child_usage());
        Report { pid: pid.nr_or_zero(&namespace), uid: uid_for(&task.process, process), status, usage, trapped }
    };
    for end in ended.iter().filter(|end| is_asked(which, &namespace, &end.pid, &end.process)) {
        *found = true;
        if options.contains(WaitOptions::EXITED) && (keep || claim(&task.process, end)) {
            return Some(report(&end.pid, &end.process, end.status, false));
        }
    }
    for tracee in tracees {
        let pid = tracee.tid();
        if !is_asked(which, &namespace, &pid, &tracee.process) {
            continue;
        }
        *found = true;
        let code = {
            let mut trace = tracee.trace.lock();
            match &mut trace.stopped {
                Some(stopped) if !stopped.reported && !stopped.going => {
                    stopped.reported = !keep;
                    Some(stopped.code)
                }
                _ => None,
            }
        };
        if let Some(code) = code {
            return Some(report(&pid, &tracee.process, code << 8 | 0x7f, true));
        }
    }
    None
}

/// Takes the report off the list; false if another thread of the tracer was faster.
fn claim(tracer: &Process, end: &TraceReport) -> bool {
    let taken = {
        let mut list = tracer.tracer.lock();
        let at = list.ended.iter().position(|other| Arc::ptr_eq(&other.pid, &end.pid));
        at.map(|at| list.ended.remove(at))
    };
    taken.is_some()
}

/// The signal that tells of a stop.
pub(super) fn stopped(tracer: &Arc<Process>, task: &Arc<Task>, code: u32) {
    notify(tracer, &task.tid(), &task.process, CLD_TRAPPED, code as i32);
}
