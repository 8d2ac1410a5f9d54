//! [`Entity`]: what the scheduler keeps of a thread: its kernel context, whether it runs, waits or sleeps, and its CPU time.
//!
//! Sleeping is `park` and `unpark` with a token, as `std::thread`'s: an `unpark` before the `park` makes the `park` return at once.
//!
//! CPU time: the total is exact, taken at each switch. How much of it was in the kernel is estimated from every
//! [`SAMPLE`]th system call and fault, since reading the clock at each would cost more than many calls do.
//!
//! Fairness is by cgroup first: a thread's virtual time runs faster by the number of runnable threads in its group, so that a fork bomb in a container weighs
//! as much as one thread of the root group, each of which counts for itself.
//!
//! Locks: `sleep` (`Rank::TaskPhase`), inside wait queues and outside run queues. The rest is atomics written by the running CPU.

use super::super::process::CpuTimes;
use super::queue::scaled;
use super::start::Start;
use crate::cgroup::Cgroup;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU64, AtomicUsize};
use hal::sync::atomic::{AtomicBool, Ordering};
use hal::sync::{Rank, SpinLock};
use hal::thread::Context;

/// One in this many entries to the kernel is timed.
const SAMPLE: u64 = 8;

/// sched(7)'s `SCHED_IDLE`: to run when nobody else would.
pub const IDLE: u8 = 5;
/// How much faster virtual time runs for those: Linux gives them 3 parts, where niceness 0 has 1024.
const IDLE_COST: u64 = 1024 / 3;

/// Where a thread is between CPU and sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// On a CPU.
    Running,
    /// In a run queue.
    Ready,
    /// Asleep until unparked.
    Parked,
    /// Never to run again.
    Dead,
}

pub(super) struct Sleep {
    pub(super) phase: Phase,
    /// An unpark that came before its park.
    pub(super) token: bool,
    pub(super) interruptible: bool,
}

/// A thread as the scheduler sees it.
pub struct Entity {
    pub(in super::super) context: Arc<Context>,
    pub(super) start: SpinLock<Option<Start>>,
    pub(super) sleep: SpinLock<Sleep>,
    /// True until the CPU that left it is off its stack: such a thread stays on that CPU.
    pub(super) on_cpu: AtomicBool,
    pub(super) last_cpu: AtomicUsize,
    /// Its virtual time by the clock of the queue it waits in, or of [`Entity::last_cpu`]'s.
    pub(super) vruntime: AtomicU64,
    /// The cgroup whose runnable threads share one thread's worth of time; `None` for the root group and the kernel.
    group: SpinLock<Option<Arc<Cgroup>>>,
    /// Whether there is a group: spares most threads its lock. Changes under the `sleep` lock.
    grouped: core::sync::atomic::AtomicBool,
    /// How many share, as it was when the thread got the CPU.
    sharers: AtomicU64,
    nice: AtomicI8,
    policy: AtomicU8,
    affinity: AtomicU64,
    /// Stopped by a signal (for the state letter only).
    pub(in super::super) stopped: AtomicBool,
    /// CPU time up to `since`, in ns.
    runtime: AtomicU64,
    /// When it got the CPU it has now.
    since: AtomicU64,
    /// Estimated kernel time, in ns.
    system: AtomicU64,
    /// Entries to the kernel, and the run time at the start of the one being timed.
    entries: AtomicU64,
    sample_start: AtomicU64,
}

impl Entity {
    /// A thread with `context`, in no queue yet, that begins with `start` and inherits what a fork inherits; `vruntime` is by this CPU's clock.
    pub(in super::super) fn new(context: Arc<Context>, start: Start, nice: i8, affinity: u64, vruntime: u64) -> Entity {
        let sleep = Sleep { phase: Phase::Parked, token: false, interruptible: true };
        Entity {
            context,
            start: SpinLock::new(Rank::Leaf, "thread start", Some(start)),
            sleep: SpinLock::new(Rank::TaskPhase, "thread phase", sleep),
            on_cpu: AtomicBool::new(false),
            last_cpu: AtomicUsize::new(hal::cpu::id()),
            vruntime: AtomicU64::new(vruntime),
            group: SpinLock::new(Rank::Leaf, "scheduling group", None),
            grouped: core::sync::atomic::AtomicBool::new(false),
            sharers: AtomicU64::new(1),
            nice: AtomicI8::new(nice),
            policy: AtomicU8::new(0),
            affinity: AtomicU64::new(affinity),
            stopped: AtomicBool::new(false),
            runtime: AtomicU64::new(0),
            since: AtomicU64::new(0),
            system: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            sample_start: AtomicU64::new(0),
        }
    }

    /// Niceness.
    pub fn nice(&self) -> i8 {
        self.nice.load(Ordering::Relaxed)
    }

    /// Sets the niceness (-20 to 19).
    pub fn set_nice(&self, nice: i8) {
        self.nice.store(nice.clamp(-20, 19), Ordering::Relaxed);
    }

    /// Its policy, by sched(7)'s numbers: `SCHED_OTHER`, `SCHED_BATCH` or [`IDLE`].
    pub fn policy(&self) -> u8 {
        self.policy.load(Ordering::Relaxed)
    }

    /// Sets the policy.
    pub fn set_policy(&self, policy: u8) {
        self.policy.store(policy, Ordering::Relaxed);
    }

    /// The CPU it ran on last.
    pub fn last_cpu(&self) -> usize {
        self.last_cpu.load(Ordering::Relaxed)
    }

    /// The CPUs it may use, bit n for CPU n.
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    /// Sets the CPUs it may use; it moves at its next turn.
    pub fn set_affinity(&self, mask: u64) {
        self.affinity.store(mask, Ordering::Relaxed);
    }

    /// Its virtual run time up to the last charge.
    pub fn vruntime(&self) -> u64 {
        self.vruntime.load(Ordering::Relaxed)
    }

    /// Its virtual run time including the slice in progress.
    pub(super) fn vruntime_at(&self, now: u64) -> u64 {
        self.vruntime() + self.scaled(now.saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// It gets a CPU.
    pub(super) fn begin(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        let sharers = self.with_group(|group| group.runnable.load(Ordering::Relaxed).max(1)).unwrap_or(1);
        self.sharers.store(sharers, Ordering::Relaxed);
    }

    /// `ns` of run time as virtual time: by niceness, unless it is to run when nobody else would; and times the number of threads that share the
    /// group's part.
    fn scaled(&self, ns: u64) -> u64 {
        let alone = if self.policy() == IDLE { ns.saturating_mul(IDLE_COST) } else { scaled(ns, self.nice()) };
        alone.saturating_mul(self.sharers.load(Ordering::Relaxed))
    }

    /// Counts the thread in its group as one more, or one less, that runs or waits for a CPU. Under the `sleep` lock.
    pub(super) fn count_runnable(&self, more: bool) {
        self.with_group(|group| {
            if more {
                group.runnable.fetch_add(1, Ordering::Relaxed);
            } else {
                group.runnable.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }

    /// Calls `f` with the group, if there is one.
    fn with_group<R>(&self, f: impl FnOnce(&Cgroup) -> R) -> Option<R> {
        if self.grouped.load(Ordering::Relaxed) { self.group.lock().as_deref().map(f) } else { None }
    }

    /// Names the cgroup whose part of the CPU the thread shares.
    pub(in super::super) fn set_group(&self, group: Option<Arc<Cgroup>>) {
        let old = {
            let sleep = self.sleep.lock();
            let counted = matches!(sleep.phase, Phase::Running | Phase::Ready);
            if counted {
                self.count_runnable(false);
            }
            self.grouped.store(group.is_some(), Ordering::Relaxed);
            let old = core::mem::replace(&mut *self.group.lock(), group);
            if counted {
                self.count_runnable(true);
            }
            old
        };
        drop(old);
    }

    /// Charges the time since [`Entity::begin`] or the last charge.
    pub(super) fn charge(&self, now: u64) {
        // Only the CPU that the thread is on writes these two: no locked instruction, of which a switch has enough.
        let ran = now.saturating_sub(self.since.load(Ordering::Relaxed));
        self.since.store(now, Ordering::Relaxed);
        self.runtime.store(self.runtime.load(Ordering::Relaxed) + ran, Ordering::Relaxed);
        self.vruntime.fetch_add(self.scaled(ran), Ordering::Relaxed);
    }

    /// CPU time including the slice in progress.
    fn runtime_at(&self, now: u64) -> u64 {
        let runtime = self.runtime.load(Ordering::Relaxed);
        if self.on_cpu.load(Ordering::Relaxed) {
            runtime + now.saturating_sub(self.since.load(Ordering::Relaxed))
        } else {
            runtime
        }
    }

    /// CPU time so far.
    pub fn times(&self) -> CpuTimes {
        let total = self.total();
        let system = self.system.load(Ordering::Relaxed).min(total);
        CpuTimes { user: total - system, system }
    }

    /// Total CPU time so far, in ns.
    pub fn total(&self) -> u64 {
        self.runtime_at(hal::time::now_ns())
    }

    /// User code entered the kernel; true if this stay is timed, and [`Entity::leave_kernel`] must be called at its end.
    pub fn enter_kernel(&self) -> bool {
        let entry = self.entries.load(Ordering::Relaxed);
        self.entries.store(entry.wrapping_add(1), Ordering::Relaxed);
        let timed = entry.is_multiple_of(SAMPLE);
        if timed {
            self.sample_start.store(self.total(), Ordering::Relaxed);
        }
        timed
    }

    /// The end of a timed stay in the kernel.
    pub fn leave_kernel(&self) {
        let stay = self.total().saturating_sub(self.sample_start.load(Ordering::Relaxed));
        self.system.fetch_add(stay.saturating_mul(SAMPLE), Ordering::Relaxed);
    }

    /// The state letter of `/proc/PID/stat`.
    pub fn letter(&self) -> u8 {
        let sleep = self.sleep.lock();
        match sleep.phase {
            Phase::Running | Phase::Ready => b'R',
            Phase::Dead => b'X',
            Phase::Parked if self.stopped.load(Ordering::Relaxed) => b'T',
            Phase::Parked if sleep.interruptible => b'S',
            Phase::Parked => b'D',
        }
    }
}
