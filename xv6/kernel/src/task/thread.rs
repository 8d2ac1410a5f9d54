//! [`Task`]: a thread, the unit that is scheduled and that makes system calls.
//!
//! What it may share with others is in `parts`. Locks: `parts` (`Rank::TaskParts`), `signals` (`Rank::ThreadSignals`), `charge` (`Rank::Charge`).

use super::iocount::IoCounts;
use super::parts::Parts;
use super::process::{CpuTimes, Process};
use super::sched::Entity;
use super::signal::ThreadSignals;
use super::{Pid, locks};
use crate::cgroup::{Cgroup, TaskCharge};
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use hal::sync::atomic::AtomicU32 as WorkBits;
use hal::sync::{Rank, SpinLock};

/// Work bit: a signal may be pending, a stop or the end asked for.
pub(super) const WORK_SIGNAL: u32 = 1;
/// Work bit: another thread should have the CPU.
pub(super) const WORK_RESCHEDULE: u32 = 2;
/// Work bit: the tracer wants to see the next system call or instruction. It stays set while it does.
pub(super) const WORK_TRACE: u32 = 4;

/// Work bit: enough CPU time may have passed for a limit or a timer.
pub(super) const WORK_CPU_TIME: u32 = 8;

/// A thread.
pub struct Task {
    tid: SpinLock<Arc<Pid>>,
    /// Its number in its own namespace: gettid(2) takes no lock.
    number: AtomicU32,
    /// The thread group it belongs to.
    pub process: Arc<Process>,
    /// What the scheduler keeps.
    pub(super) entity: Entity,
    work: WorkBits,
    pub(super) parts: SpinLock<Parts>,
    pub(super) signals: SpinLock<ThreadSignals>,
    charge: SpinLock<Option<TaskCharge>>,
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "only debug builds check the lock order"))]
    pub(super) held: locks::Held,
    comm: SpinLock<[u8; 16]>,
    /// Somebody traces it: a hint that needs no lock.
    pub(super) traced: AtomicBool,
    pub(super) trace: super::ptrace::TraceeCell,
    /// set_tid_address(2).
    pub(super) clear_child_tid: AtomicUsize,
    /// set_robust_list(2).
    pub(super) robust_list: AtomicUsize,
    /// Where the thread writes its id when it starts (clone(2), `CLONE_CHILD_SETTID`).
    pub(super) set_child_tid: AtomicUsize,
    /// The parent sleeps in vfork(2) until this thread has left its memory.
    pub(super) vfork: SpinLock<Option<Arc<super::clone::VforkDone>>>,
    /// What restart_syscall(2) goes on with.
    restart: SpinLock<Option<Restart>>,
    /// When it started, on the monotonic clock.
    pub start_ns: u64,
    /// The thread runs its exit.
    pub(super) exiting: AtomicBool,
    /// Voluntary and forced switches so far.
    pub(super) switches: [AtomicU64; 2],
    /// Page faults so far; only the thread itself counts.
    faults: AtomicU64,
    /// What it has read and written.
    pub io: IoCounts,
}

/// A sleep that a signal interrupted and that goes on afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// When it ends, on the monotonic clock.
    pub deadline: u64,
    /// The user address for what is left, or 0.
    pub left: usize,
}

/// What a new thread is made of.
pub(super) struct Blueprint {
    pub(super) tid: Arc<Pid>,
    pub(super) process: Arc<Process>,
    pub(super) entity: Entity,
    pub(super) parts: Parts,
    pub(super) signals: ThreadSignals,
    pub(super) charge: Option<TaskCharge>,
    pub(super) comm: [u8; 16],
}

impl Task {
    pub(super) fn new(plan: Blueprint) -> Arc<Task> {
        let task = Arc::new(Task {
            number: AtomicU32::new(plan.tid.own()),
            tid: SpinLock::new(Rank::Leaf, "thread id", plan.tid),
            process: plan.process,
            entity: plan.entity,
            // Its first way to user mode looks whether the process ends or stops: that may have begun while the thread was being made.
            work: WorkBits::new(WORK_SIGNAL),
            parts: SpinLock::new(Rank::TaskParts, "thread parts", plan.parts),
            signals: SpinLock::new(Rank::ThreadSignals, "thread signals", plan.signals),
            charge: SpinLock::new(Rank::Charge, "cgroup charge", plan.charge),
            held: locks::Held::default(),
            comm: SpinLock::new(Rank::Leaf, "thread name", plan.comm),
            traced: AtomicBool::new(false),
            trace: super::ptrace::untraced(),
            clear_child_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            set_child_tid: AtomicUsize::new(0),
            vfork: SpinLock::new(Rank::Leaf, "vfork", None),
            restart: SpinLock::new(Rank::Leaf, "restart", None),
            start_ns: hal::time::now_ns(),
            exiting: AtomicBool::new(false),
            switches: [AtomicU64::new(0), AtomicU64::new(0)],
            faults: AtomicU64::new(0),
            io: IoCounts::default(),
        });
        task.tid().set_task(Arc::downgrade(&task));
        task.share_cpu_with_group();
        task
    }

    /// The thread id. It changes only when another thread than the first executes a program.
    pub fn tid(&self) -> Arc<Pid> {
        self.tid.lock().clone()
    }

    /// The thread id in its own namespace.
    pub fn own_number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    pub(super) fn set_tid(self: &Arc<Self>, pid: &Arc<Pid>) {
        pid.set_task(Arc::downgrade(self));
        self.number.store(pid.own(), Ordering::Relaxed);
        let old = core::mem::replace(&mut *self.tid.lock(), pid.clone());
        drop(old);
    }

    /// The pid namespace the thread lives in (not the one for its children).
    pub fn pid_ns(&self) -> Arc<PidNamespace> {
        self.process.pid.namespace().unwrap_or_else(|| PidNamespace::initial()).clone()
    }

    /// Where the thread's id is cleared when it ends (set_tid_address(2)).
    pub fn set_clear_child_tid(&self, address: usize) {
        self.clear_child_tid.store(address, Ordering::Relaxed);
    }

    /// The head of the robust futex list (set_robust_list(2)).
    pub fn set_robust_list(&self, head: usize) {
        self.robust_list.store(head, Ordering::Relaxed);
    }

    /// Keeps what restart_syscall(2) goes on with.
    pub fn set_restart(&self, restart: Restart) {
        *self.restart.lock() = Some(restart);
    }

    /// Takes what restart_syscall(2) goes on with.
    pub fn take_restart(&self) -> Option<Restart> {
        self.restart.lock().take()
    }

    /// Sets the niceness, -20 to 19.
    pub fn set_nice(&self, nice: i8) {
        self.entity.set_nice(nice);
    }

    /// The CPUs it may use, bit n for CPU n.
    pub fn affinity(&self) -> u64 {
        self.entity.affinity()
    }

    /// Sets the CPUs it may use.
    pub fn set_affinity(&self, mask: u64) {
        self.entity.set_affinity(mask);
        // If it runs now, it moves on its next way to user mode.
        self.set_work(WORK_RESCHEDULE);
        hal::cpu::kick(self.last_cpu());
    }

    /// The cgroup it is charged to (the root for kernel threads and once it has ended).
    pub fn cgroup(&self) -> Arc<Cgroup> {
        match &*self.charge.lock() {
            Some(charge) => charge.group().clone(),
            None => crate::cgroup::root().clone(),
        }
    }

    /// Calls `f` with the thread's place in its cgroup, under its lock (migration). `None` once it has ended, and for kernel threads.
    pub fn with_charge<R>(&self, f: impl FnOnce(&mut TaskCharge) -> R) -> Option<R> {
        let result = self.charge.lock().as_mut().map(f);
        self.share_cpu_with_group();
        result
    }

    /// Tells the scheduler whose part of the CPU the thread shares: every group's but the root's, whose threads count for themselves.
    fn share_cpu_with_group(&self) {
        let charge = self.charge.lock();
        let group = charge.as_ref().map(TaskCharge::group).filter(|group| !group.is_root()).cloned();
        // Under the charge's lock, so that the last migration is the one that counts.
        self.entity.set_group(group);
    }

    /// Takes the charge, at the end of the thread.
    pub(super) fn take_charge(&self) -> Option<TaskCharge> {
        let charge = self.charge.lock().take();
        self.share_cpu_with_group();
        charge
    }

    /// The thread name (comm).
    pub fn comm(&self) -> Vec<u8> {
        comm_text(&self.comm.lock())
    }

    pub(super) fn comm_raw(&self) -> [u8; 16] {
        *self.comm.lock()
    }

    /// The raw name, without waiting for its lock (a panic's report).
    pub(super) fn comm_try(&self) -> Option<[u8; 16]> {
        self.comm.try_lock().map(|comm| *comm)
    }

    pub(super) fn set_comm_raw(&self, comm: [u8; 16]) {
        *self.comm.lock() = comm;
    }

    /// Sets the thread name; more than 15 bytes are cut.
    pub fn set_comm(&self, name: &[u8]) {
        *self.comm.lock() = comm_bytes(name);
    }

    /// CPU time so far.
    pub fn times(&self) -> CpuTimes {
        self.entity.times()
    }

    /// Voluntary and forced switches so far.
    pub fn switch_counts(&self) -> (u64, u64) {
        (self.switches[0].load(Ordering::Relaxed), self.switches[1].load(Ordering::Relaxed))
    }

    /// Page faults so far.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// Counts a page fault of the running thread, its own or one of the kernel on its behalf.
    pub fn count_fault(&self) {
        self.faults.store(self.faults() + 1, Ordering::Relaxed);
    }

    /// The state letter of `/proc/PID/stat`: R, S, D, T, t (Z is the process's affair).
    pub fn state_letter(&self) -> u8 {
        match self.entity.letter() {
            b'T' if self.is_traced() => b't',
            letter => letter,
        }
    }

    /// Whether a process traces it (ptrace(2)).
    pub fn is_traced(&self) -> bool {
        self.traced.load(Ordering::Acquire)
    }

    /// The niceness, -20 to 19.
    pub fn nice(&self) -> i8 {
        self.entity.nice()
    }

    /// The scheduling policy, by sched(7)'s numbers.
    pub fn policy(&self) -> u8 {
        self.entity.policy()
    }

    /// Sets the scheduling policy: 0, 3 or 5.
    pub fn set_policy(&self, policy: u8) {
        self.entity.set_policy(policy);
    }

    /// The CPU it ran on last.
    pub fn last_cpu(&self) -> usize {
        self.entity.last_cpu()
    }

    /// True while the thread has work to do before it returns to user mode.
    pub(super) fn has_work(&self) -> bool {
        self.work.load(Ordering::Relaxed) != 0
    }

    /// Whether a work bit is set.
    pub(super) fn work_is(&self, bit: u32) -> bool {
        self.work.load(Ordering::Acquire) & bit != 0
    }

    pub(super) fn set_work(&self, bit: u32) {
        self.work.fetch_or(bit, Ordering::AcqRel);
    }

    pub(super) fn clear_work(&self, bit: u32) {
        self.work.fetch_and(!bit, Ordering::AcqRel);
    }
}

/// A name as the fixed, NUL-padded array that threads keep.
pub(super) fn comm_bytes(name: &[u8]) -> [u8; 16] {
    let mut comm = [0; 16];
    let len = name.len().min(15);
    comm[..len].copy_from_slice(&name[..len]);
    comm
}

/// The text of such an array.
pub(super) fn comm_text(comm: &[u8; 16]) -> Vec<u8> {
    comm.iter().copied().take_while(|&byte| byte != 0).collect()
}
