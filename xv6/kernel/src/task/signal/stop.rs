//! Stopping, continuing and ending a whole process.
//!
//! A stop is a state of the process; each of its threads comes to rest in [`rest`] on its way to user mode, and the last to do so tells
//! the parent. An end is a flag and a status that every thread finds on its way to user mode, or in a sleep that death may end.
//!
//! Locks: `Process::signals`.

use super::send::{ChildEvent, discard_everywhere, notify_parent, wake};
use super::{SigSet, Signal};
use crate::task::{Process, Task, sched};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// Ends the process with wait(2) status `status`, unless its end has begun already: every thread will exit.
pub(in crate::task) fn begin_exit(process: &Arc<Process>, status: u32) {
    {
        let mut signals = process.signals.lock();
        if status & 0x7f == Signal::KILL.number() {
            process.killed.store(true, Ordering::Release);
        }
        if !process.exiting.load(Ordering::Acquire) {
            process.status.store(status, Ordering::Release);
            process.exiting.store(true, Ordering::Release);
        }
        signals.stopped = None;
    }
    for task in process.threads() {
        wake(&task);
    }
    process.threads_gone.wake_all();
}

/// Starts a stop by `signal`; the threads come to rest one by one.
pub(super) fn begin_stop(process: &Arc<Process>, signal: Signal) {
    {
        let mut signals = process.signals.lock();
        if signals.stopped.is_some() || process.exiting.load(Ordering::Acquire) {
            return;
        }
        signals.stopped = Some(signal);
        signals.resting = 0;
        signals.stops += 1;
        signals.reported = false;
        signals.continue_unreported = false;
    }
    for task in process.threads() {
        wake(&task);
    }
}

/// Counts a thread that comes to rest in a stop: the number of that stop; `None` if it is over.
pub(in crate::task) fn come_to_rest(process: &Arc<Process>) -> Option<u64> {
    let stop = {
        let mut signals = process.signals.lock();
        signals.stopped?;
        signals.resting += 1;
        signals.stops
    };
    report_if_at_rest(process);
    Some(stop)
}

/// Rests until the process is continued or the thread is to end, or somebody traces it.
pub(super) fn rest(task: &Arc<Task>) {
    let process = &task.process;
    let Some(stop) = come_to_rest(process) else { return };
    task.entity.stopped.store(true, Ordering::Relaxed);
    let still = || {
        if super::fatal_signal_pending(task) {
            return false;
        }
        let signals = process.signals.lock();
        signals.stopped.is_some() && signals.stops == stop && !task.is_traced()
    };
    while still() {
        sched::park(true, None);
    }
    task.entity.stopped.store(false, Ordering::Relaxed);
}

/// Tells the parent of a stop once every thread rests. Called when a thread comes to rest, and when one ends.
pub(in crate::task) fn report_if_at_rest(process: &Arc<Process>) {
    let threads = process.thread_count();
    let report = {
        let mut signals = process.signals.lock();
        match signals.stopped {
            Some(signal) if signals.resting >= threads && threads != 0 && !signals.reported => {
                signals.reported = true;
                signals.stop_unreported = true;
                Some(signal)
            }
            _ => None,
        }
    };
    if let Some(signal) = report {
        report_to_parent(process, &ChildEvent::Stopped(signal));
    }
}

/// What `SIGCONT` does on arrival, whatever its disposition: forgets pending stops, and continues a stopped process.
pub(super) fn resume(process: &Arc<Process>, threads: &[Arc<Task>]) {
    let continued = {
        let mut signals = process.signals.lock();
        discard_everywhere(&mut signals.pending, threads, SigSet::STOPS);
        let was = signals.stopped.take().is_some();
        if was {
            signals.continue_unreported = true;
            signals.stop_unreported = false;
        }
        was
    };
    if continued {
        for task in threads {
            wake(task);
        }
        report_to_parent(process, &ChildEvent::Continued);
    }
}

fn report_to_parent(process: &Arc<Process>, event: &ChildEvent) {
    if let Some(parent) = process.parent() {
        notify_parent(process, &parent, event);
    }
}
