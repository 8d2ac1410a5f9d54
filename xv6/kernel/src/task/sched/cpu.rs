//! What the scheduler keeps for each CPU, and the questions others ask about it.
//!
//! Locks: `queue` (`Rank::RunQueue`); `current`, `previous` and `idle_context` are leaves held for a clone or a swap.

use super::super::Task;
use super::queue::RunQueue;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::AtomicU64;
use hal::sync::atomic::{AtomicBool, Ordering};
use hal::sync::{Rank, SpinGuard, SpinLock};
use hal::thread::Context;
use hal::{PerCpu, Tally};

pub(super) struct Cpu {
    pub(super) queue: SpinLock<RunQueue>,
    /// What runs; `None` while idle.
    pub(super) current: SpinLock<Option<Arc<Task>>>,
    /// What ran before, until the CPU is off its stack.
    pub(super) previous: SpinLock<Option<Arc<Task>>>,
    /// The boot stack, where the CPU idles.
    pub(super) idle_context: SpinLock<Option<Arc<Context>>>,
    pub(super) idle: AtomicBool,
    /// When the running thread's slice ends; `u64::MAX` if nobody waits.
    pub(super) slice_end: AtomicU64,
    /// How long a thread waits here now before an idle CPU is asked to take it, in ns.
    pub(super) help: AtomicU64,
    /// Time spent idle, in ns.
    pub(super) idle_ns: AtomicU64,
}

pub(super) static CPUS: PerCpu<Cpu> = PerCpu::new(
    [const {
        Cpu {
            queue: SpinLock::new(Rank::RunQueue, "run queue", RunQueue::new()),
            current: SpinLock::new(Rank::Leaf, "current thread", None),
            previous: SpinLock::new(Rank::Leaf, "previous thread", None),
            idle_context: SpinLock::new(Rank::Leaf, "idle context", None),
            idle: AtomicBool::new(false),
            slice_end: AtomicU64::new(u64::MAX),
            help: AtomicU64::new(super::HELP),
            idle_ns: AtomicU64::new(0),
        }
    }; hal::cpu::MAX],
);

impl Cpu {
    /// The virtual time that the thread it runs has reached by `now`; `None` without one, or in the middle of a switch.
    pub(super) fn reached(&self, now: u64) -> Option<u64> {
        let current = self.current.try_lock()?;
        current.as_ref().map(|running| running.entity.vruntime_at(now))
    }

    /// Its queue, the clock set as of `now`; and what [`Cpu::reached`] says.
    pub(super) fn queue_at(&self, now: u64) -> (SpinGuard<'_, RunQueue>, Option<u64>) {
        let running = self.reached(now);
        let mut queue = self.queue.lock();
        queue.keep_time(now, running);
        (queue, running)
    }
}

/// CPUs that are online, bit n for CPU n.
pub(super) static ONLINE: AtomicU64 = AtomicU64::new(0);

/// The CPUs that are online, bit n for CPU n.
pub fn online() -> u64 {
    ONLINE.load(Ordering::Relaxed)
}

/// Time `cpu` has spent idle, in ns.
pub fn idle_ns(cpu: usize) -> u64 {
    CPUS.of(cpu).idle_ns.load(Ordering::Relaxed)
}

/// Context switches of all CPUs since boot.
pub(super) static SWITCHES: Tally = Tally::new();

/// Context switches of all CPUs since boot.
pub fn switches() -> u64 {
    SWITCHES.get() as u64
}

/// Threads that run or wait for a CPU (the first part of `/proc/loadavg`'s fourth field).
pub fn runnable() -> usize {
    let of = |cpu: &Cpu| cpu.queue.lock().len() + usize::from(cpu.current.lock().is_some());
    (0..hal::cpu::MAX).map(|cpu| of(CPUS.of(cpu))).sum()
}

/// Threads that sleep as no signal ends it.
pub(super) static BLOCKED: Tally = Tally::new();

/// Threads that sleep as no signal ends it: for a disk, for who has a lock, for a child of vfork(2).
pub fn blocked() -> usize {
    BLOCKED.get()
}

/// What the load averages count.
pub fn active() -> usize {
    runnable() + blocked()
}

/// The running thread; `None` on an idle or booting CPU.
pub fn current() -> Option<Arc<Task>> {
    CPUS.with(|cpu| cpu.current.lock().clone())
}

/// The running thread, if any, for who does not keep it alive.
pub fn current_weak() -> Weak<Task> {
    CPUS.with(|cpu| cpu.current.lock().as_ref().map(Arc::downgrade).unwrap_or_default())
}

/// Calls `f` with the running thread, without a reference of its own; does nothing when there is none. `f` takes no lock and
/// does not sleep.
pub fn with_current(f: impl FnOnce(&Task)) {
    CPUS.with(|cpu| {
        if let Some(task) = &*cpu.current.lock() {
            f(task);
        }
    });
}

/// Writes what runs on this CPU, for a panic's report: takes no lock by waiting.
pub fn describe(out: &mut dyn core::fmt::Write) {
    CPUS.with(|cpu| {
        let Some(current) = cpu.current.try_lock() else { return };
        let _ = match &*current {
            Some(task) => {
                let pid = task.process.pid.global();
                match task.comm_try() {
                    Some(comm) => writeln!(
                        out,
                        "task {pid} ({})",
                        core::str::from_utf8(&comm).unwrap_or("?").trim_end_matches('\0')
                    ),
                    None => writeln!(out, "task {pid}"),
                }
            }
            None => writeln!(out, "task none (idle)"),
        };
    });
}

/// The end of a model's execution: what ran and waited is forgotten.
#[cfg(loom)]
pub fn forget() {
    for cpu in 0..hal::cpu::MAX {
        let cpu = CPUS.of(cpu);
        *cpu.queue.lock() = RunQueue::new();
        *cpu.current.lock() = None;
        *cpu.previous.lock() = None;
        *cpu.idle_context.lock() = None;
        cpu.idle.store(false, Ordering::Relaxed);
        cpu.slice_end.store(u64::MAX, Ordering::Relaxed);
        cpu.help.store(super::HELP, Ordering::Relaxed);
    }
    ONLINE.store(0, Ordering::Relaxed);
}
