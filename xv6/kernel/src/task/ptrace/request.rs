//! The tracer's side: beginning and ending, and what it may do with a tracee that is stopped. `syscall::ptrace` decodes into these.

use super::stop::{EVENT_STOP, State, syscall_info as info_of};
use super::{Kind, Mode, Options, Order, Stopped, forget, link, may_access, tracing_thread_ended};
use crate::error::{Errno, Result};
use crate::task::signal::{self, SigInfo, Signal};
use crate::task::thread::WORK_TRACE;
use crate::task::{Cap, Process, Task, sched};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// How a tracee goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResumeMode {
    /// `PTRACE_CONT`.
    Continue,
    /// `PTRACE_SYSCALL`.
    Syscall,
    /// `PTRACE_SINGLESTEP`.
    Step,
}

/// `PTRACE_TRACEME`: the parent's thread that forked traces the caller. `EPERM` if it is traced already, or may do what its parent may not.
pub fn trace_me(task: &Arc<Task>) -> Result<()> {
    let parent = parent_thread(&task.process).ok_or(Errno::EPERM)?;
    let (theirs, ours) = (parent.cred(), task.cred());
    let covered = Arc::ptr_eq(&theirs.user, &ours.user) && ours.permitted.within(theirs.permitted);
    if !covered && !theirs.capable_in(&ours.user, Cap::SysPtrace) {
        return Err(Errno::EPERM.during("asking a lesser parent to trace"));
    }
    link(&parent.process, Arc::downgrade(&parent), task, false, Options::empty())?;
    if parent.exiting.load(Ordering::Acquire) {
        // It may have looked already for what it leaves untraced.
        tracing_thread_ended(&parent);
    }
    Ok(())
}

/// The parent's thread that made `process`, or once that has ended, the first that lives; `None` if there is none.
fn parent_thread(process: &Process) -> Option<Arc<Task>> {
    let mut threads = process.parent()?.threads();
    threads.retain(|thread| !thread.exiting.load(Ordering::Acquire));
    let made_by = process.made_by.load(Ordering::Relaxed);
    let maker = threads.iter().find(|thread| thread.own_number() == made_by);
    maker.or(threads.first()).cloned()
}

/// `PTRACE_ATTACH`, which stops the thread, and `PTRACE_SEIZE`, which does not and sets options. `ESRCH`, `EPERM`.
pub fn attach(caller: &Arc<Task>, tid: u32, seize: Option<Options>) -> Result<()> {
    let target = find(caller, tid)?;
    if Arc::ptr_eq(&target.process, &caller.process) || target.mm().is_none() {
        return Err(Errno::EPERM.during("tracing oneself or the kernel"));
    }
    may_access(caller, &target.process, Mode::Real)?;
    if target.exiting.load(Ordering::Acquire) || target.process.exiting.load(Ordering::Acquire) {
        return Err(Errno::EPERM.during("tracing a thread that ends"));
    }
    link(&caller.process, Arc::downgrade(caller), &target, seize.is_some(), seize.unwrap_or_default())?;
    if seize.is_none() {
        signal::send_to_task(&target, Signal::STOP);
    }
    if target.process.is_stopped() {
        // It rests already: it comes out, and stops anew for its tracer.
        prod(&target);
    }
    Ok(())
}

/// Has a thread look at its signals and at what its tracer wants.
fn prod(target: &Arc<Task>) {
    signal::wake(target);
}

fn find(caller: &Task, tid: u32) -> Result<Arc<Task>> {
    let pid = caller.pid_ns().find(tid).ok_or(Errno::ESRCH)?;
    pid.task().ok_or(Errno::ESRCH.into())
}

/// The caller's tracee with this number; `ESRCH` if there is none, or another thread of the caller's process traces it.
pub fn tracee(caller: &Task, tid: u32) -> Result<Arc<Task>> {
    let target = find(caller, tid)?;
    let ours = {
        let trace = target.trace.lock();
        core::ptr::eq(trace.tracer.as_ptr(), Arc::as_ptr(&caller.process)) && core::ptr::eq(trace.by.as_ptr(), caller)
    };
    if ours { Ok(target) } else { Err(Errno::ESRCH.during("using a thread that one does not trace")) }
}

/// Calls `f` with the stop that `target` is in; `ESRCH` if it runs or listens.
fn with_stopped<R>(target: &Task, f: impl FnOnce(&mut Stopped) -> R) -> Result<R> {
    let mut trace = target.trace.lock();
    let listening = trace.listening;
    match &mut trace.stopped {
        Some(stopped) if !stopped.going && !listening => Ok(f(stopped)),
        _ => Err(Errno::ESRCH.during("using a tracee that is not stopped")),
    }
}

/// Calls `f` with the registers of a stopped tracee.
pub fn with_state<R>(target: &Task, f: impl FnOnce(&mut State) -> R) -> Result<R> {
    with_stopped(target, |stopped| f(&mut stopped.state))
}

/// Lets a stopped tracee go on, with signal number `signal` or 0.
pub fn resume(target: &Arc<Task>, mode: ResumeMode, signal: u32) -> Result<()> {
    if signal > 64 {
        return Err(Errno::EIO.into());
    }
    {
        let mut trace = target.trace.lock();
        match &mut trace.stopped {
            Some(stopped) if !stopped.going => stopped.going = true,
            _ => return Err(Errno::ESRCH.during("resuming a tracee that is not stopped")),
        }
        trace.listening = false;
        trace.inject = signal;
        trace.order = match mode {
            ResumeMode::Continue => Order::Continue,
            ResumeMode::Syscall => Order::Syscall,
            ResumeMode::Step => Order::Step,
        };
    }
    sched::unpark(target);
    Ok(())
}

/// `PTRACE_DETACH`: ends the tracing of a stopped tracee, which goes on with `signal` or 0.
pub fn detach(caller: &Task, target: &Arc<Task>, signal: u32) -> Result<()> {
    if signal > 64 {
        return Err(Errno::EIO.into());
    }
    {
        let mut trace = target.trace.lock();
        match &mut trace.stopped {
            Some(stopped) if !stopped.going => stopped.going = true,
            _ => return Err(Errno::ESRCH.during("detaching from a tracee that is not stopped")),
        }
        (trace.tracer, trace.listening, trace.inject) = (Weak::new(), false, signal);
        target.traced.store(false, Ordering::Release);
    }
    target.clear_work(WORK_TRACE);
    forget(&caller.process, target);
    prod(target);
    Ok(())
}

/// `PTRACE_INTERRUPT`: a seized tracee stops soon. `EIO` if it was attached to otherwise.
pub fn interrupt(target: &Arc<Task>) -> Result<()> {
    {
        let mut trace = target.trace.lock();
        if !trace.seized {
            return Err(Errno::EIO.during("interrupting a tracee that was not seized"));
        }
        let stands = trace.stopped.as_ref().is_some_and(|stopped| !stopped.going) && !trace.listening;
        trace.interrupt |= !stands;
    }
    prod(target);
    Ok(())
}

/// `PTRACE_LISTEN`: a seized tracee in a group stop stays in it, and a `SIGCONT` is told. `EIO` elsewhere.
pub fn listen(target: &Arc<Task>) -> Result<()> {
    {
        let mut trace = target.trace.lock();
        let seized = trace.seized;
        match &trace.stopped {
            Some(stopped) if !stopped.going => {
                if !seized || !matches!(stopped.kind, Kind::Group | Kind::Event(EVENT_STOP)) {
                    return Err(Errno::EIO.into());
                }
            }
            _ => return Err(Errno::ESRCH.into()),
        }
        trace.listening = true;
    }
    // The process may have been continued before.
    sched::unpark(target);
    Ok(())
}

/// `PTRACE_KILL`.
pub fn kill(target: &Arc<Task>) {
    signal::send_to_process(&target.process, Signal::KILL);
}

/// `PTRACE_SETOPTIONS`.
pub fn set_options(target: &Task, options: Options) -> Result<()> {
    with_stopped(target, |_| ())?;
    target.trace.lock().options = options;
    Ok(())
}

/// `PTRACE_GETEVENTMSG`.
pub fn event_message(target: &Task) -> Result<u64> {
    with_stopped(target, |stopped| stopped.message)
}

/// `PTRACE_GETSIGINFO`: `EINVAL` in a group stop.
pub fn signal_info(target: &Task) -> Result<SigInfo> {
    with_stopped(target, |stopped| stopped.info.clone())?.ok_or(Errno::EINVAL.into())
}

/// `PTRACE_GET_SYSCALL_INFO`.
pub fn syscall_info(target: &Task) -> Result<Vec<u8>> {
    let (info, regs) = with_stopped(target, |stopped| (info_of(stopped), stopped.state.regs))?;
    Ok(info.encode(&regs))
}
