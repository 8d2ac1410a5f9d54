//! A user thread's life: user code until something stops it, the answer, and what must happen before user code goes on.
//!
//! No locks. The registers live on the kernel stack of the thread; `Task` itself never sees them.

use super::exec::Start as Program;
use super::parts::Parts;
use super::sched::{self, Start};
use super::signal::{self, Outcome, SigData, SigInfo, Signal};
use super::thread::{Blueprint, WORK_CPU_TIME, WORK_RESCHEDULE, WORK_SIGNAL, WORK_TRACE};
use super::{Cred, Pid, Process, ProcessGroup, Session, Task, cputimer, exit, ptrace, rlimit};
use crate::cgroup;
use crate::error::Result;
use crate::exec::Image;
use crate::mm::{Access, FaultError};
use crate::ns::{NsProxy, PidNamespace};
use crate::syscall;
use crate::vfs::{FdTable, FsContext};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;
use hal::user::{Event, UserContext};

/// `si_code` of `SIGTRAP`, `SIGFPE`, `SIGILL` and `SIGBUS` faults (sigaction(2)).
const TRAP_TRACE: i32 = 2;
const FPE_INTDIV: i32 = 1;
const FPE_FLTINV: i32 = 7;
const ILL_ILLOPN: i32 = 2;
const BUS_ADRALN: i32 = 1;

/// Runs a thread's user code until the thread ends.
// A symbol of its own, which the linker puts beside the entry code: jumps within a page are an emulated CPU's cheapest.
#[inline(never)]
pub(super) fn run(task: &Arc<Task>, user: &mut UserContext) {
    let word = task.set_child_tid.swap(0, Ordering::Relaxed);
    if word != 0 {
        // A bad address is the program's own affair, as on Linux.
        let _ = crate::mm::user::write(word, &task.tid().nr_or_zero(&task.pid_ns()));
    }
    while !task.has_work() || before_user(task, user) {
        let event = user.run();
        if event == Event::Syscall {
            let timed = task.entity.enter_kernel();
            syscall::dispatch(task, user);
            if timed {
                task.entity.leave_kernel();
            }
        } else if event != Event::Interrupt {
            let timed = task.entity.enter_kernel();
            fault(task, user, event);
            if timed {
                task.entity.leave_kernel();
            }
        }
    }
    end(task, user);
}

/// The thread has run its last user code.
#[inline(never)]
fn end(task: &Arc<Task>, user: &mut UserContext) {
    ptrace::exiting(task, user);
    exit::finish_thread(task);
}

/// Signals, stops, the end, another thread's turn. False if the thread is to end.
// Not inlined, as what follows the loop, so that the loop stays in one page.
#[inline(never)]
fn before_user(task: &Arc<Task>, user: &mut UserContext) -> bool {
    while task.has_work() {
        if task.exiting.load(Ordering::Relaxed) {
            return false;
        }
        if task.work_is(WORK_CPU_TIME) {
            cputimer::check(task);
        }
        if task.work_is(WORK_SIGNAL) && signal::handle_pending(task, user) == Outcome::Exit {
            return false;
        }
        if task.work_is(WORK_RESCHEDULE) {
            sched::reschedule();
        }
        if task.work_is(WORK_TRACE) && !task.work_is(WORK_SIGNAL | WORK_RESCHEDULE) {
            traced_turn(task, user);
        }
    }
    true
}

/// User code until something stops it, and the answer, under the eyes of a tracer.
#[cold]
fn traced_turn(task: &Arc<Task>, user: &mut UserContext) {
    let event = ptrace::run(task, user);
    match event {
        Event::Interrupt => {}
        Event::Syscall => {
            if ptrace::syscall_entered(task, user) == ptrace::Enter::Call {
                syscall::dispatch(task, user);
            }
            ptrace::syscall_left(task, user);
        }
        event => fault(task, user, event),
    }
}

/// Repairs a fault, or turns it into a signal.
fn fault(task: &Arc<Task>, user: &mut UserContext, event: Event) {
    user.regs.orig_rax = u64::MAX;
    match event {
        Event::PageFault { addr, write, exec, present } => {
            task.count_fault();
            let access = match (exec, write) {
                (true, _) => Access::Exec,
                (_, true) => Access::Write,
                _ => Access::Read,
            };
            let verdict = task.mm().map_or(Err(FaultError::Segv(1)), |mm| mm.handle_fault(addr, access));
            let (signal, code) = match verdict {
                Ok(()) => return,
                Err(FaultError::Segv(code)) => (Signal::SEGV, code),
                Err(FaultError::Bus(code)) => (Signal::BUS, code),
                Err(FaultError::Oom) => return super::oom::kill_for_want(&task.process),
            };
            let error = u64::from(present) | u64::from(write) << 1 | 4 | u64::from(exec) << 4;
            raise(task, signal, code, addr as u64, [14, error, addr as u64]);
        }
        Event::Exception { vector, error } => {
            let rip = user.regs.rip;
            let (signal, code, addr) = match vector {
                0 => (Signal::FPE, FPE_INTDIV, rip),
                1 => (Signal::TRAP, TRAP_TRACE, rip),
                // By this code debuggers on x86 know their breakpoint (Linux's `do_int3`); `TRAP_BRKPT` is for other machines.
                3 => (Signal::TRAP, signal::SI_KERNEL, 0),
                6 => (Signal::ILL, ILL_ILLOPN, rip),
                16 | 19 => (Signal::FPE, FPE_FLTINV, rip),
                17 => (Signal::BUS, BUS_ADRALN, 0),
                11 | 12 => (Signal::BUS, signal::SI_KERNEL, 0),
                _ => (Signal::SEGV, signal::SI_KERNEL, 0),
            };
            raise(task, signal, code, addr, [u64::from(vector), u64::from(error), 0]);
        }
        Event::Syscall | Event::Interrupt => {}
    }
}

fn raise(task: &Arc<Task>, signal: Signal, code: i32, addr: u64, fault: [u64; 3]) {
    task.signals.lock().fault = fault;
    signal::force(task, SigInfo { signal, code, data: SigData::Fault { addr } });
}

/// Makes process 1 of `image`, with these files, directories and namespaces, and lets it run.
pub fn start_init(image: Image, files: Arc<FdTable>, fs: Arc<FsContext>, ns: NsProxy) -> Result<()> {
    let pid = Pid::allocate(PidNamespace::initial())?;
    let session = Session::new(pid.clone());
    let group = ProcessGroup::new(pid.clone(), session);
    let charge = cgroup::charge_task(&cgroup::root())?;
    let process = Process::new(pid.clone(), Weak::new(), group.clone(), rlimit::Limits::default(), 0);
    group.add(&process);
    PidNamespace::initial().set_init(&process);
    *process.exe.lock() = Some(image.exe.clone());
    let program = Program::of(&image);
    let parts = Parts {
        mm: Some(image.space),
        files: Some(files),
        fs: Some(fs),
        ns: Some(Arc::new(ns)),
        cred: Cred::root(),
        actions: Arc::default(),
    };
    let start = Start::User(Box::new(UserContext::new(program.entry, program.sp)));
    let entity = sched::Entity::new(sched::new_context()?, start, 0, u64::MAX, 0);
    let task = Task::new(Blueprint {
        tid: pid,
        process: process.clone(),
        entity,
        parts,
        signals: Default::default(),
        charge: Some(charge),
        comm: super::thread::comm_bytes(&image.comm),
    });
    process.publish();
    process.threads.lock().list.push(task.clone());
    sched::unpark(&task);
    Ok(())
}
