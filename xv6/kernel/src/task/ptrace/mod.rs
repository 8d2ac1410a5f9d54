//! Tracing: one process watches and steers the threads of others (ptrace(2)), as `trace`, strace and gdb do.
//!
//! A thread has a [`Tracee`] from the first time that somebody traces it. Its tracer is a thread that attached to it, or for `TRACEME` the parent's
//! thread that forked; only that thread may act, while all of its process may wait for the tracee. A traced thread stops
//! at what its tracer asked for and tells it by wait(2) and `SIGCHLD`; the tracer then looks and changes (`request`) and lets it go on. The
//! registers live on the tracee's kernel stack, so a stop copies them here and copies them back.
//!
//! ```text
//!              TRACEME, ATTACH, SEIZE, a traced parent's clone
//!   untraced ──────────────────────────────────────────────────► running ◄────────────────────────┐
//!      ▲                                                             │ system call, signal, event, │ CONT, SYSCALL,
//!      │ DETACH, the tracer's end                                    ▼ INTERRUPT, group stop       │ SINGLESTEP
//!      └──────────────────────────────────────────────────────── stopped ──────────────────────────┘
//!                                                          LISTEN │   ▲ SIGCONT, INTERRUPT
//!                                                                 ▼   │
//!                                                               listening
//!   SIGKILL, and another thread's execve(2), end every stop.
//! ```
//!
//! An untraced thread pays nothing: [`WORK_TRACE`](super::thread::WORK_TRACE) is one more bit of the word that is looked at before user mode,
//! and only a thread that has it takes the slow way (`user::traced_turn`).
//!
//! Locks: a thread's `trace` and a process's `tracees`, spin locks of rank `Leaf`, never held together nor while anybody is woken. What
//! one says may be old when the other is looked at, so both ends check: a tracee whose tracer is gone untraces itself.

mod access;
mod regs;
mod report;
mod request;
mod stop;

pub use access::{Mode, may_access};
pub use regs::{SyscallInfo, UserRegs};
pub use report::TraceReport;
pub(super) use report::{process_ended, take_report, thread_ended, tracer_ended, tracing_thread_ended};
pub use request::{
    ResumeMode, attach, detach, event_message, interrupt, kill, listen, resume, set_options, signal_info, syscall_info,
    trace_me, tracee, with_state,
};
pub use stop::State;
pub(super) use stop::{
    Enter, cloned, executed, exiting, follow, group_stop, interrupted, is_wanted, run, signalled, syscall_entered,
    syscall_left, vfork_done,
};

use super::signal::SigInfo;
use super::{Process, Task};
use crate::error::{Errno, Result};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use hal::sync::{Rank, SpinLock};

bitflags::bitflags! {
    /// `PTRACE_SETOPTIONS`: `PTRACE_O_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Options: u32 {
        /// Stops at system calls have their own code.
        const SYSGOOD = 1;
        /// Follow children, and stop after fork(2).
        const FORK = 1 << 1;
        /// The same for vfork(2).
        const VFORK = 1 << 2;
        /// The same for other clones.
        const CLONE = 1 << 3;
        /// Stop after execve(2).
        const EXEC = 1 << 4;
        /// Stop once a vfork(2) child has left its parent's memory.
        const VFORK_DONE = 1 << 5;
        /// Stop before the end.
        const EXIT = 1 << 6;
        /// The tracer's end kills.
        const EXITKILL = 1 << 20;
    }
}

/// What kind of stop a tracee is in, and with it the code that wait(2) shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Before a system call.
    Entry,
    /// After one.
    Exit,
    /// A signal is about to be delivered.
    Signal,
    /// The whole process is stopped by a signal.
    Group,
    /// `PTRACE_EVENT_*`.
    Event(u32),
}

/// What the tracer ordered last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Order {
    /// Go on to the next signal or event.
    #[default]
    Continue,
    /// ... or system call.
    Syscall,
    /// ... or instruction.
    Step,
}

/// A thread's side of being traced.
#[derive(Default)]
pub struct Tracee {
    /// Nobody: not traced now.
    tracer: Weak<Process>,
    /// The thread of the tracer that alone may act, and whose end ends the tracing.
    by: Weak<Task>,
    seized: bool,
    options: Options,
    order: Order,
    /// The stop it is in, its code, and what a tracer can look at there.
    stopped: Option<Stopped>,
    /// `PTRACE_LISTEN`: stopped still, but a `SIGCONT` counts.
    listening: bool,
    /// `PTRACE_INTERRUPT` has not been answered yet.
    interrupt: bool,
    /// What the tracer sends it on with: a signal, or 0.
    inject: u32,
    /// The number of the process's stop that the tracer let it run through.
    passed: u64,
    /// exit(2)'s status, as wait(2) shows it.
    exit_status: u32,
}

impl Tracee {
    /// Keeps the status of exit(2).
    pub(super) fn set_exit_status(&mut self, status: u32) {
        self.exit_status = status;
    }
}

/// A stop.
pub(super) struct Stopped {
    kind: Kind,
    code: u32,
    /// wait(2) has shown it.
    reported: bool,
    /// The tracer has resumed it; it has not noticed yet.
    going: bool,
    message: u64,
    info: Option<SigInfo>,
    state: State,
}

/// A tracer's side: the threads it traces, and the ends of such that it has not waited for.
#[derive(Default)]
pub struct Tracer {
    tracees: Vec<Arc<Task>>,
    ended: Vec<TraceReport>,
    /// The process ends: it traces nobody any more.
    closed: bool,
}

/// A thread's place for its [`Tracee`].
pub type TraceeCell = SpinLock<Tracee>;
/// A process's place for its [`Tracer`].
pub type TracerCell = SpinLock<Tracer>;

/// A thread that nobody traces.
pub fn untraced() -> TraceeCell {
    SpinLock::new(Rank::Leaf, "tracee", Tracee::default())
}

/// A process that traces nobody.
pub fn no_tracer() -> TracerCell {
    SpinLock::new(Rank::Leaf, "tracer", Tracer::default())
}

/// The process that traces `task`.
pub fn tracer_of(task: &Task) -> Option<Arc<Process>> {
    if !task.is_traced() {
        return None;
    }
    task.trace.lock().tracer.upgrade()
}

/// Whether a program that `task` executes must not gain privileges, because its tracer could take them over.
pub(super) fn holds_back(task: &Task) -> bool {
    let Some(tracer) = tracer_of(task) else { return false };
    !tracer.cred().is_some_and(|cred| cred.capable_in(&task.cred().user, super::Cap::SysPtrace))
}

/// Makes `tracer` trace `task`. `EPERM` if somebody does already, or the tracer is ending.
fn link(tracer: &Arc<Process>, by: Weak<Task>, task: &Arc<Task>, seized: bool, options: Options) -> Result<()> {
    {
        let mut trace = task.trace.lock();
        if task.traced.load(Ordering::Relaxed) {
            return Err(Errno::EPERM.during("tracing a traced thread"));
        }
        let (exit_status, stopped) = (trace.exit_status, trace.stopped.take());
        let tracer = Arc::downgrade(tracer);
        *trace = Tracee { tracer, by, seized, options, exit_status, stopped, ..Tracee::default() };
        task.traced.store(true, Ordering::Release);
    }
    {
        let mut list = tracer.tracer.lock();
        if !list.closed {
            list.tracees.push(task.clone());
            return Ok(());
        }
    }
    unlink(task);
    Err(Errno::EPERM.during("tracing by a process that ends"))
}

/// Ends the tracing of `task`, at the tracee's side. If it is stopped it goes on, with the signal that it stopped for.
fn unlink(task: &Arc<Task>) {
    {
        let mut trace = task.trace.lock();
        trace.tracer = Weak::new();
        trace.listening = false;
        task.traced.store(false, Ordering::Release);
    }
    task.clear_work(super::thread::WORK_TRACE);
    super::signal::wake(task);
}

/// Takes `task` off the list of `tracer`.
fn forget(tracer: &Process, task: &Arc<Task>) {
    let mut list = tracer.tracer.lock();
    let at = list.tracees.iter().position(|tracee| Arc::ptr_eq(tracee, task));
    let gone = at.map(|at| list.tracees.swap_remove(at));
    drop(list);
    drop(gone);
}
