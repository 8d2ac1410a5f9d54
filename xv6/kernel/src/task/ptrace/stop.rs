//! The tracee's side: where a traced thread stops, and how it goes on. Everything here runs in the tracee itself.
//!
//! [`halt`] is the one place where it waits. A stop ends when the tracer resumes or leaves it, when the process is killed, and when another
//! thread executes a program; only the first changes what happens next.

use super::regs::SyscallInfo;
use super::{Kind, Options, Order, Stopped, link, report, tracer_of, unlink};
use crate::error::Errno;
use crate::task::clone::CloneFlags;
use crate::task::signal::{self, SI_USER, SigData, SigInfo, Signal};
use crate::task::thread::WORK_TRACE;
use crate::task::{Process, Task, sched};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use hal::user::{Event, FPU_BYTES, Registers, UserContext};

/// `PTRACE_EVENT_*`.
const EVENT_FORK: u32 = 1;
const EVENT_VFORK: u32 = 2;
const EVENT_CLONE: u32 = 3;
const EVENT_EXEC: u32 = 4;
const EVENT_VFORK_DONE: u32 = 5;
const EVENT_EXIT: u32 = 6;
pub(super) const EVENT_STOP: u32 = 128;

/// The flag of a stop at a system call, in its code and in `si_code` (`PTRACE_O_TRACESYSGOOD`).
const SYSGOOD: u32 = 0x80;

/// The trap flag: the CPU stops after one instruction.
const TRAP_FLAG: u64 = 0x100;

/// The user registers of a stopped thread, for the tracer to read and write.
pub struct State {
    /// The registers.
    pub regs: Registers,
    /// The FPU state, in FXSAVE64's format.
    pub fpu: [u8; FPU_BYTES],
}

/// How a traced thread goes into a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enter {
    /// As it asked, or as its tracer changed it.
    Call,
    /// Not at all.
    Skip,
}

/// Whether the thread should not stop any more.
fn is_dying(task: &Task, kind: Kind) -> bool {
    match kind {
        // Its process ends anyway: only a kill hurries it.
        Kind::Event(EVENT_EXIT) => task.process.killed.load(Ordering::Acquire),
        _ => task.exiting.load(Ordering::Acquire) || task.process.exiting.load(Ordering::Acquire),
    }
}

fn is_listening_over(task: &Task) -> bool {
    let trace = task.trace.lock();
    trace.listening && trace.interrupt
}

/// Stops and waits for the tracer. The signal it sends the thread on with, 0 for none; `None` if the stop ended otherwise, or none was due.
fn halt(
    task: &Arc<Task>,
    user: &mut UserContext,
    kind: Kind,
    code: u32,
    message: u64,
    info: Option<SigInfo>,
) -> Option<u32> {
    let tracer = tracer_of(task);
    let Some(tracer) = tracer else {
        if task.is_traced() {
            unlink(task);
        }
        return None;
    };
    let stops = task.process.signals.lock().stops;
    {
        let state = State { regs: user.regs, fpu: user.fpu_bytes() };
        let mut trace = task.trace.lock();
        if !task.is_traced() || is_dying(task, kind) {
            return None;
        }
        if kind == Kind::Event(EVENT_STOP) || kind == Kind::Group {
            trace.interrupt = false;
        }
        (trace.inject, trace.listening) = (0, false);
        trace.stopped = Some(Stopped { kind, code, reported: false, going: false, message, info, state });
    }
    task.entity.stopped.store(true, Ordering::Relaxed);
    report::stopped(&tracer, task, code);
    let (stopped, resumed, inject, order) = loop {
        let group_over = {
            let signals = task.process.signals.lock();
            signals.stopped.is_none() || signals.stops != stops
        };
        {
            let mut trace = task.trace.lock();
            let going = trace.stopped.as_ref().is_some_and(|stopped| stopped.going);
            if going || !task.is_traced() || is_dying(task, kind) {
                break (trace.stopped.take(), going, trace.inject, trace.order);
            }
        }
        if (group_over && task.trace.lock().listening) || is_listening_over(task) {
            // The stop it listened through is over, or the tracer wants it: that is a stop of its own.
            let code = EVENT_STOP << 8 | if group_over { Signal::TRAP.number() } else { code & 0xff };
            {
                let mut trace = task.trace.lock();
                (trace.listening, trace.interrupt) = (false, false);
                if let Some(stopped) = &mut trace.stopped {
                    (stopped.kind, stopped.code, stopped.reported) = (Kind::Event(EVENT_STOP), code, false);
                }
            }
            report::stopped(&tracer, task, code);
        }
        sched::park(true, None);
    };
    task.entity.stopped.store(false, Ordering::Relaxed);
    if let Some(Stopped { state, .. }) = stopped {
        user.regs = state.regs;
        user.set_fpu_bytes(&state.fpu);
    }
    if resumed && task.is_traced() && order != Order::Continue {
        task.set_work(WORK_TRACE);
    } else {
        task.clear_work(WORK_TRACE);
    }
    resumed.then_some(inject)
}

/// `siginfo_t` of a stop that no signal caused.
fn trap(task: &Task, code: u32) -> SigInfo {
    let data = SigData::Sender { pid: task.own_number(), uid: task.cred().uid };
    SigInfo { signal: Signal::TRAP, code: code as i32, data }
}

/// What a signal that the tracer injects looks like.
fn injected(task: &Task, signal: Signal) -> SigInfo {
    let namespace = task.pid_ns();
    let pid = tracer_of(task).map_or(0, |tracer| tracer.pid.nr_or_zero(&namespace));
    SigInfo { signal, code: SI_USER, data: SigData::Sender { pid, uid: 0 } }
}

/// A signal-delivery-stop: gives the signal that is to be delivered after it.
pub fn signalled(task: &Arc<Task>, user: &mut UserContext, info: SigInfo) -> Option<SigInfo> {
    let number = info.signal.number();
    match halt(task, user, Kind::Signal, number, 0, Some(info.clone())) {
        None => Some(info),
        Some(same) if same == number => Some(info),
        Some(other) => {
            let info = injected(task, Signal::new(other)?);
            let mut own = task.signals.lock();
            if own.blocked.has(info.signal) {
                let _ = own.pending.push(info);
                return None;
            }
            Some(info)
        }
    }
}

/// Whether the tracer has asked the thread to stop (`PTRACE_INTERRUPT`), and it has not yet.
pub fn is_wanted(task: &Task) -> bool {
    task.is_traced() && task.trace.lock().interrupt
}

/// Stops for `PTRACE_INTERRUPT`, if the tracer has asked for it.
pub fn interrupted(task: &Arc<Task>, user: &mut UserContext) {
    if task.trace.lock().interrupt {
        let code = EVENT_STOP << 8 | Signal::TRAP.number();
        halt(task, user, Kind::Event(EVENT_STOP), code, 0, Some(trap(task, code)));
    }
}

/// The part of a traced thread in a stop of its whole process. False if its tracer has let it run through this stop.
pub fn group_stop(task: &Arc<Task>, user: &mut UserContext) -> bool {
    let process = &task.process;
    let (signal, stops) = {
        let signals = process.signals.lock();
        (signals.stopped, signals.stops)
    };
    let Some(signal) = signal else { return true };
    let seized = {
        let trace = task.trace.lock();
        if trace.passed == stops {
            return false;
        }
        trace.seized
    };
    signal::come_to_rest(process);
    let code = signal.number() | if seized { EVENT_STOP << 8 } else { 0 };
    let resumed = halt(task, user, Kind::Group, code, 0, None).is_some();
    if resumed && task.is_traced() {
        task.trace.lock().passed = stops;
    }
    true
}

/// Runs user code once, for one instruction if the tracer asked for that.
pub fn run(task: &Task, user: &mut UserContext) -> Event {
    let step = task.trace.lock().order == Order::Step;
    if step {
        user.regs.rflags |= TRAP_FLAG;
    }
    let event = user.run();
    if step {
        user.regs.rflags &= !TRAP_FLAG;
    }
    event
}

/// A stop at a system call, if the tracer asked for such. True if it was not interrupted by the thread's end.
fn syscall_stop(task: &Arc<Task>, user: &mut UserContext, kind: Kind) -> bool {
    let sysgood = {
        let trace = task.trace.lock();
        if trace.order != Order::Syscall || !task.work_is(WORK_TRACE) {
            return true;
        }
        trace.options.contains(Options::SYSGOOD)
    };
    let code = Signal::TRAP.number() | if sysgood { SYSGOOD } else { 0 };
    let inject = halt(task, user, kind, code, 0, Some(trap(task, code)));
    if let Some(signal) = inject.and_then(Signal::new) {
        signal::send_info_to_task(task, injected(task, signal));
    }
    !is_dying(task, kind)
}

/// A traced thread enters a system call. The tracer may change its number and arguments, or have it skipped (number -1).
pub fn syscall_entered(task: &Arc<Task>, user: &mut UserContext) -> Enter {
    user.regs.rax = -(Errno::ENOSYS as i64) as u64;
    let alive = syscall_stop(task, user, Kind::Entry);
    if !alive || user.regs.orig_rax as i64 == -1 {
        return Enter::Skip;
    }
    user.regs.rax = user.regs.orig_rax;
    Enter::Call
}

/// A traced thread comes back from a system call.
pub fn syscall_left(task: &Arc<Task>, user: &mut UserContext) {
    syscall_stop(task, user, Kind::Exit);
    if task.trace.lock().order == Order::Step && task.work_is(WORK_TRACE) {
        signal::send_to_task(task, Signal::TRAP);
    }
}

/// What a tracer sees of the call that the thread stopped at.
pub(super) fn syscall_info(stopped: &Stopped) -> SyscallInfo {
    let regs = &stopped.state.regs;
    match stopped.kind {
        Kind::Entry => SyscallInfo::Entry([regs.orig_rax, regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9]),
        Kind::Exit => SyscallInfo::Exit(regs.rax as i64),
        _ => SyscallInfo::None,
    }
}

/// An event's stop, if the tracer asked for that event.
fn event(task: &Arc<Task>, user: &mut UserContext, option: Options, event: u32, message: u64) {
    if task.is_traced() && task.trace.lock().options.contains(option) {
        let code = event << 8 | Signal::TRAP.number();
        halt(task, user, Kind::Event(event), code, message, Some(trap(task, code)));
    }
}

/// Which option and event a clone with `flags` and this exit signal is.
fn kind_of_clone(flags: CloneFlags, exit_signal: u64) -> (Options, u32) {
    if flags.contains(CloneFlags::VFORK) {
        (Options::VFORK, EVENT_VFORK)
    } else if flags.contains(CloneFlags::THREAD) || exit_signal != u64::from(Signal::CHLD.number()) {
        (Options::CLONE, EVENT_CLONE)
    } else {
        (Options::FORK, EVENT_FORK)
    }
}

/// A thread about to let its new `child` run: if the tracer wants to follow it, the child is traced, too, and will stop first.
pub fn follow(task: &Task, child: &Arc<Task>, flags: CloneFlags, exit_signal: u64) {
    let Some(tracer) = tracer_of(task) else { return };
    let (by, seized, options) = {
        let trace = task.trace.lock();
        (trace.by.clone(), trace.seized, trace.options)
    };
    let asked = options.contains(kind_of_clone(flags, exit_signal).0) || flags.contains(CloneFlags::PTRACE);
    if !asked || flags.contains(CloneFlags::UNTRACED) || link(&tracer, by, child, seized, options).is_err() {
        return;
    }
    if seized {
        child.trace.lock().interrupt = true;
    } else {
        let _ = child.signals.lock().pending.push(SigInfo::kernel(Signal::STOP));
    }
}

/// The parent's stop after a clone.
pub fn cloned(task: &Arc<Task>, user: &mut UserContext, child: &Task, flags: CloneFlags, exit_signal: u64) {
    if !task.is_traced() || flags.contains(CloneFlags::UNTRACED) {
        return;
    }
    let (option, number) = kind_of_clone(flags, exit_signal);
    event(task, user, option, number, seen_by_tracer(task, &child.tid()));
}

/// The parent's stop once a vfork(2) child has left its memory.
pub fn vfork_done(task: &Arc<Task>, user: &mut UserContext, child: &crate::task::Pid) {
    let message = seen_by_tracer(task, child);
    event(task, user, Options::VFORK_DONE, EVENT_VFORK_DONE, message);
}

/// The stop after execve(2), whose caller was thread `former` before: an event, or for those who do not know events, a `SIGTRAP`.
pub fn executed(task: &Arc<Task>, user: &mut UserContext, former: &crate::task::Pid) {
    if !task.is_traced() {
        return;
    }
    let (seized, asked) = {
        let trace = task.trace.lock();
        (trace.seized, trace.options.contains(Options::EXEC))
    };
    if asked {
        let message = seen_by_tracer(task, former);
        event(task, user, Options::EXEC, EVENT_EXEC, message);
    } else if !seized {
        signal::send_info_to_task(task, SigInfo { code: SI_USER, ..SigInfo::kernel(Signal::TRAP) });
    }
}

/// The last stop of a thread, its registers and memory still there.
pub fn exiting(task: &Arc<Task>, user: &mut UserContext) {
    let ends = task.process.exiting.load(Ordering::Acquire);
    let status = if ends { task.process.status() } else { task.trace.lock().exit_status };
    event(task, user, Options::EXIT, EVENT_EXIT, status.into());
}

/// The number of `pid` in the tracer's namespace.
fn seen_by_tracer(task: &Task, pid: &crate::task::Pid) -> u64 {
    let number = |tracer: Arc<Process>| tracer.pid.namespace().map_or(0, |namespace| pid.nr_or_zero(namespace));
    tracer_of(task).map_or(0, number).into()
}
