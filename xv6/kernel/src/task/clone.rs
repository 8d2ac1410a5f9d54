//! The birth of threads and processes: clone(2), fork(2), vfork(2), clone3(2).
//!
//! Everything that can fail comes first (the cgroup charge, memory, tables, ids); the child becomes visible at once, under the tree lock, and only if
//! no signal wants the parent's attention; a failure before that drops what was made. Locks: `process::tree` while publishing.

use super::parts::Parts;
use super::process;
use super::rlimit::{INFINITY, Resource};
use super::sched::{self, Start};
use super::signal::ThreadSignals;
use super::thread::{Blueprint, WORK_SIGNAL};
use super::{Cap, Pid, Process, Task, pidfd, ptrace};
use crate::cgroup;
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::ns::{self, CloneNs, PidNamespace};
use crate::sync::WaitQueue;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};
use hal::user::UserContext;

bitflags::bitflags! {
    /// clone(2)'s flags that do not name a namespace.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CloneFlags: u64 {
        /// Share memory.
        const VM = 0x0000_0100;
        /// Share root, working directory and umask.
        const FS = 0x0000_0200;
        /// Share open files.
        const FILES = 0x0000_0400;
        /// Share signal actions.
        const SIGHAND = 0x0000_0800;
        /// Return a pidfd.
        const PIDFD = 0x0000_1000;
        /// The tracer follows the child.
        const PTRACE = 0x0000_2000;
        /// The parent sleeps until the child has left its memory.
        const VFORK = 0x0000_4000;
        /// The caller's parent becomes the child's.
        const PARENT = 0x0000_8000;
        /// A thread of the same process.
        const THREAD = 0x0001_0000;
        /// Ignored: there are no System V semaphores.
        const SYSVSEM = 0x0004_0000;
        /// Set the thread pointer.
        const SETTLS = 0x0008_0000;
        /// Write the id to the parent's memory.
        const PARENT_SETTID = 0x0010_0000;
        /// Clear the id and wake its futex when the child ends.
        const CHILD_CLEARTID = 0x0020_0000;
        /// Ignored, and refused with a pidfd.
        const DETACHED = 0x0040_0000;
        /// No tracer follows the child.
        const UNTRACED = 0x0080_0000;
        /// Write the id to the child's memory.
        const CHILD_SETTID = 0x0100_0000;
        /// Ignored: there is no I/O context to share.
        const IO = 0x8000_0000;
        /// All handlers back to the default.
        const CLEAR_SIGHAND = 0x1_0000_0000;
    }
}

/// What clone3(2) is asked.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "clone(2) documents the fields of struct clone_args")]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: usize,
    pub child_tid: usize,
    pub parent_tid: usize,
    pub exit_signal: u64,
    /// The child's first stack pointer; 0 keeps the parent's.
    pub stack: usize,
    pub tls: u64,
}

/// A parent in vfork(2) waits for this.
#[derive(Default)]
pub struct VforkDone {
    done: AtomicBool,
    queue: WaitQueue,
}

impl VforkDone {
    /// The child has left the parent's memory.
    pub(super) fn finish(&self) {
        self.done.store(true, Ordering::Release);
        self.queue.wake_all();
    }

    /// Sleeps until then, or until the waiting process is killed.
    fn wait(&self, task: &Task) {
        self.queue.wait(|| (self.done.load(Ordering::Acquire) || super::fatal_signal_pending(task)).then_some(()));
    }
}

fn check(task: &Task, flags: CloneFlags, namespaces: CloneNs, args: &CloneArgs) -> Result<()> {
    let has = |flag| flags.contains(flag);
    let bad = has(CloneFlags::THREAD) && !has(CloneFlags::SIGHAND)
        || has(CloneFlags::SIGHAND) && !has(CloneFlags::VM)
        || has(CloneFlags::SIGHAND) && has(CloneFlags::CLEAR_SIGHAND)
        || has(CloneFlags::FS) && namespaces.intersects(CloneNs::MNT | CloneNs::USER)
        || has(CloneFlags::THREAD) && namespaces.intersects(CloneNs::PID | CloneNs::USER)
        || has(CloneFlags::THREAD) && !Arc::ptr_eq(&task.ns().pid_for_children, &task.pid_ns())
        || has(CloneFlags::PARENT) && task.process.is_ns_init()
        || has(CloneFlags::PIDFD) && (has(CloneFlags::THREAD) || has(CloneFlags::DETACHED))
        || args.exit_signal > 64
        || namespaces.contains(CloneNs::TIME);
    if bad {
        return Err(Errno::EINVAL.during("checking clone flags"));
    }
    if namespaces.intersects(CloneNs::all().difference(CloneNs::USER))
        && !namespaces.contains(CloneNs::USER)
        && !task.cred().capable_in(&task.cred().user, Cap::SysAdmin)
    {
        return Err(Errno::EPERM.during("making namespaces"));
    }
    Ok(())
}

/// Makes a thread or process as `args` say; returns its id as the caller sees it. `user` is the caller's state, which the child begins with.
pub fn clone(task: &Arc<Task>, user: &mut UserContext, args: &CloneArgs) -> Result<usize> {
    let flags = CloneFlags::from_bits_truncate(args.flags);
    let namespaces = CloneNs::from_bits_truncate(args.flags);
    if args.flags & !(flags.bits() | namespaces.bits()) != 0 {
        return Err(Errno::EINVAL.during("unknown clone flags"));
    }
    check(task, flags, namespaces, args)?;
    check_user_limit(task)?;
    let charge = cgroup::charge_task(&task.cgroup())?;
    let parts = share_parts(task, flags, namespaces)?;
    let pid_ns = parts.ns.as_ref().map_or_else(|| task.pid_ns(), |ns| ns.pid_for_children.clone());
    let pid = Pid::allocate(&pid_ns)?;
    let number = pid.nr_in(&task.pid_ns()).unwrap_or(0);

    let mut child_user = Box::new(user.clone());
    child_user.regs.rax = 0;
    child_user.regs.orig_rax = u64::MAX;
    if args.stack != 0 {
        child_user.regs.rsp = args.stack as u64;
    }
    if flags.contains(CloneFlags::SETTLS) {
        child_user.regs.fs_base = args.tls;
    }
    let entity = sched::Entity::new(
        sched::new_context()?,
        Start::User(child_user),
        task.entity.nice(),
        task.entity.affinity(),
        sched::birth_time(),
    );
    entity.set_policy(task.entity.policy());
    let signals = {
        let own = task.signals.lock();
        let keeps_stack = !flags.contains(CloneFlags::VM) || flags.contains(CloneFlags::VFORK);
        let alt_stack = if keeps_stack { own.alt_stack } else { Default::default() };
        ThreadSignals { blocked: own.blocked, alt_stack, ..ThreadSignals::default() }
    };
    let process =
        if flags.contains(CloneFlags::THREAD) { task.process.clone() } else { new_process(task, &pid, flags, args) };
    let plan = Blueprint {
        tid: pid.clone(),
        process: process.clone(),
        entity,
        parts,
        signals,
        charge: Some(charge),
        comm: task.comm_raw(),
    };
    let child = Task::new(plan);
    if flags.contains(CloneFlags::CHILD_CLEARTID) {
        child.clear_child_tid.store(args.child_tid, Ordering::Relaxed);
    }
    if flags.contains(CloneFlags::CHILD_SETTID) {
        child.set_child_tid.store(args.child_tid, Ordering::Relaxed);
    }
    let vfork = flags.contains(CloneFlags::VFORK).then(Arc::<VforkDone>::default);
    child.vfork.lock().clone_from(&vfork);
    let pidfd = if flags.contains(CloneFlags::PIDFD) { Some(pidfd::reserve(task, &process)?) } else { None };
    publish(task, &child, flags).inspect_err(|_| {
        if let Some(fd) = pidfd {
            let _ = task.files().close(fd);
        }
    })?;
    if flags.contains(CloneFlags::THREAD) {
        // A migration of the process that came in between has moved the threads it knew.
        let _tree = cgroup::tree::lock();
        let group = task.cgroup();
        child.with_charge(|charge| charge.move_to(&group));
    }
    if let Some(fd) = pidfd {
        // Linux, too, reports a bad address here only by not writing.
        let _ = memory::write(args.pidfd, &fd);
    }
    if flags.contains(CloneFlags::PARENT_SETTID) {
        let _ = memory::write(args.parent_tid, &number);
    }
    ptrace::follow(task, &child, flags, args.exit_signal);
    sched::unpark(&child);
    ptrace::cloned(task, user, &child, flags, args.exit_signal);
    drop(child);
    if let Some(vfork) = vfork {
        vfork.wait(task);
        ptrace::vfork_done(task, user, &pid);
    }
    Ok(number as usize)
}

/// `RLIMIT_NPROC`: a user other than root may have so many threads, the machine over. They are only counted where there is such a limit.
fn check_user_limit(task: &Task) -> Result<()> {
    let (most, _) = task.process.limit(Resource::Processes);
    let cred = task.cred();
    if most == INFINITY || cred.uid == 0 || cred.capable(Cap::SysResource) || cred.capable(Cap::SysAdmin) {
        return Ok(());
    }
    let all = process::all_in(PidNamespace::initial());
    let owned = all.iter().filter(|process| process.cred().is_some_and(|theirs| theirs.uid == cred.uid));
    if owned.map(|process| process.thread_count() as u64).sum::<u64>() >= most {
        return Err(Errno::EAGAIN.during("making a thread beyond RLIMIT_NPROC"));
    }
    Ok(())
}

/// What the child shares with the parent, and what it gets a copy of.
fn share_parts(task: &Arc<Task>, flags: CloneFlags, namespaces: CloneNs) -> Result<Parts> {
    let mut cred = task.cred();
    if namespaces.contains(CloneNs::USER) {
        cred = Arc::new(ns::enter_new_user(&cred)?);
    }
    let mm = match task.mm() {
        Some(mm) if flags.contains(CloneFlags::VM) => Some(mm),
        Some(mm) => Some(mm.fork()?),
        None => None,
    };
    let files = if flags.contains(CloneFlags::FILES) { task.files() } else { Arc::new(task.files().fork()) };
    let fs = if flags.contains(CloneFlags::FS) { task.fs() } else { Arc::new(task.fs().fork()) };
    let ns = task.ns();
    let ns = if namespaces.difference(CloneNs::USER).is_empty() {
        ns
    } else {
        Arc::new(ns.with_new(namespaces, &fs, &cred.user, &task.pid_ns(), &task.cgroup())?)
    };
    let actions = if flags.contains(CloneFlags::SIGHAND) {
        task.actions()
    } else if flags.contains(CloneFlags::CLEAR_SIGHAND) {
        task.actions().exec()
    } else {
        task.actions().fork()
    };
    Ok(Parts { mm, files: Some(files), fs: Some(fs), ns: Some(ns), cred, actions })
}

fn new_process(task: &Arc<Task>, pid: &Arc<Pid>, flags: CloneFlags, args: &CloneArgs) -> Arc<Process> {
    let parent = &task.process;
    let limits = *parent.limits.lock();
    let sibling = flags.contains(CloneFlags::PARENT);
    let exit_signal = if sibling { parent.exit_signal.load(Ordering::Relaxed) } else { args.exit_signal as u8 };
    let child = Process::new(pid.clone(), Weak::new(), parent.group(), limits, exit_signal);
    *child.exe.lock() = parent.exe();
    child.dumpable.store(parent.dumpable.load(Ordering::Relaxed), Ordering::Relaxed);
    child.set_oom_score_adj(parent.oom_score_adj());
    child.personality.store(parent.personality.load(Ordering::Relaxed), Ordering::Relaxed);
    let below = parent.has_subreaper.load(Ordering::Relaxed) || parent.subreaper.load(Ordering::Relaxed);
    child.has_subreaper.store(below, Ordering::Relaxed);
    child
}

/// Makes the child visible: to its relatives, its group and the pid tables. `ERESTARTNOINTR` if a signal comes first, so that whoever kills a
/// group of processes finds every one of them.
fn publish(task: &Arc<Task>, child: &Arc<Task>, flags: CloneFlags) -> Result<()> {
    let _tree = process::tree();
    if task.work_is(WORK_SIGNAL) || task.process.exiting.load(Ordering::Acquire) || task.exiting.load(Ordering::Acquire)
    {
        return Err(Errno::ERESTARTNOINTR.into());
    }
    let process = &child.process;
    if flags.contains(CloneFlags::THREAD) && process.executing.load(Ordering::Acquire) {
        return Err(Errno::ERESTARTNOINTR.into());
    }
    if !flags.contains(CloneFlags::THREAD) {
        let (parent, made_by) = if flags.contains(CloneFlags::PARENT) {
            (task.process.parent(), task.process.made_by.load(Ordering::Relaxed))
        } else {
            (Some(task.process.clone()), task.own_number())
        };
        let Some(parent) = parent else { return Err(Errno::EINVAL.into()) };
        let group = task.process.group();
        process.set_parent(Some(&parent), made_by);
        process.family.lock().group = group.clone();
        group.add(process);
        parent.family.lock().children.insert(process.pid.global(), process.clone());
        process.publish();
        if process.is_ns_init()
            && let Some(namespace) = process.pid.namespace()
        {
            namespace.set_init(process);
        }
    }
    process.threads.lock().list.push(child.clone());
    Ok(())
}
