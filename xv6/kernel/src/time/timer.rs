//! Deadlines: each CPU keeps an ordered set of what is to happen when, and arms its one-shot timer for the first.
//!
//! A timer lives on the CPU that set it; [`Timer`] removes it when dropped. The scheduler adds its own deadline (the end of a
//! slice) to what the CPU is armed for. The hardware is left armed too early rather than re-armed often: an early interrupt finds nothing due.
//!
//! Locks: one spin lock for each CPU (`Rank::Timer`), released before an expired timer's action runs.

use crate::task::{Task, sched};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use hal::PerCpu;
use hal::sync::{Rank, SpinLock};

/// Something that happens at a deadline.
pub trait Expire: Send + Sync {
    /// Called once, in interrupt context: it must not sleep.
    fn expire(self: Arc<Self>);
}

enum Action {
    Wake(Arc<Task>),
    Call(Arc<dyn Expire>),
}

struct Queue {
    /// By (deadline, unique number).
    entries: SpinLock<BTreeMap<(u64, u64), Action>>,
    /// What the hardware is armed for; `u64::MAX` for nothing.
    armed: AtomicU64,
}

static QUEUES: PerCpu<Queue> = PerCpu::new(
    [const { Queue { entries: SpinLock::new(Rank::Timer, "timers", BTreeMap::new()), armed: AtomicU64::new(u64::MAX) } };
        hal::cpu::MAX],
);

/// A deadline that has been set; dropping it cancels it.
pub struct Timer {
    cpu: usize,
    key: (u64, u64),
}

impl Timer {
    /// Wakes `task` at `deadline` (monotonic, ns).
    pub fn wake(deadline: u64, task: Arc<Task>) -> Timer {
        Timer::set(deadline, Action::Wake(task))
    }

    /// Calls `target.expire()` at `deadline` (monotonic, ns).
    pub fn call(deadline: u64, target: Arc<dyn Expire>) -> Timer {
        Timer::set(deadline, Action::Call(target))
    }

    fn set(deadline: u64, action: Action) -> Timer {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let cpu = hal::cpu::id();
        let key = (deadline, NEXT.fetch_add(1, Ordering::Relaxed));
        QUEUES.of(cpu).entries.lock().insert(key, action);
        arm(deadline);
        Timer { cpu, key }
    }

    /// The deadline, monotonic, in ns.
    pub fn deadline(&self) -> u64 {
        self.key.0
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let action = QUEUES.of(self.cpu).entries.lock().remove(&self.key);
        drop(action);
    }
}

/// Makes sure that the running CPU's timer fires at `deadline` or before.
pub fn arm(deadline: u64) {
    QUEUES.with(|queue| {
        if deadline < queue.armed.load(Ordering::Relaxed) {
            queue.armed.store(deadline, Ordering::Relaxed);
            hal::time::arm(Some(deadline));
        }
    });
}

/// The end of a model's execution: nothing is armed.
#[cfg(loom)]
pub fn forget() {
    for cpu in 0..hal::cpu::MAX {
        let queue = QUEUES.of(cpu);
        queue.entries.lock().clear();
        queue.armed.store(u64::MAX, Ordering::Relaxed);
    }
}

/// The handler of the timer interrupt.
pub fn interrupt() {
    let now = hal::time::now_ns();
    let next = QUEUES.with(|queue| {
        queue.armed.store(u64::MAX, Ordering::Relaxed);
        loop {
            let mut entries = queue.entries.lock();
            match entries.first_key_value() {
                Some((&(deadline, _), _)) if deadline <= now => {
                    let due = entries.pop_first();
                    drop(entries);
                    match due {
                        Some((_, Action::Wake(task))) => sched::unpark(&task),
                        Some((_, Action::Call(target))) => target.expire(),
                        None => {}
                    }
                }
                Some((&(deadline, _), _)) => return Some(deadline),
                None => return None,
            }
        }
    });
    if let Some(deadline) = next {
        arm(deadline);
    }
    sched::tick(now);
}
