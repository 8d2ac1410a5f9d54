//! [`TaskCharge`]: one task's place in the tree, taken before the task exists and given back when it is gone.
//!
//! A charge counts in two ways. As a *member* the task makes its group populated, from the charge until it exits; a
//! group with members cannot be removed. As a *pid* it counts against `pids.max` of every group up to the root until it
//! is reaped, so zombies still count (as Linux).
//!
//! Locks: none; [`super::tree`] explains how a charge and a removal meet.

use super::{Cgroup, UNLIMITED};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// Tasks the whole machine may have, and how many of those only the root group may take.
static TASK_LIMIT: AtomicU64 = AtomicU64::new(UNLIMITED);
static TASK_RESERVE: AtomicU64 = AtomicU64::new(0);

/// Limits the machine to `total` tasks, the last `reserve` of which only tasks of the root group may take, so that the
/// host's shell still works while containers fill the machine.
pub fn set_task_limit(total: u64, reserve: u64) {
    TASK_LIMIT.store(total, Ordering::Relaxed);
    TASK_RESERVE.store(reserve.min(total), Ordering::Relaxed);
}

/// One task's membership and pid charge; held by the task. Dropping it gives back what is still held.
pub struct TaskCharge {
    group: Arc<Cgroup>,
    alive: bool,
}

/// Charges one more task to `group`, the forking task's group. `EAGAIN` where `pids.max` of the group or of one above
/// it, or the machine's limit, is reached (cgroups(7), fork(2)), or where the group was removed meanwhile.
pub fn charge_task(group: &Arc<Cgroup>) -> Result<TaskCharge> {
    group.join();
    // The order of this load and `join` against `tree::remove` makes sure that one of the two sees the other.
    if group.is_dead() {
        group.leave();
        return Err(Errno::EAGAIN.during("charging a task to a removed cgroup"));
    }
    let total = TASK_LIMIT.load(Ordering::Relaxed);
    let ceiling = if group.is_root() { total } else { total - TASK_RESERVE.load(Ordering::Relaxed).min(total) };
    if group.try_charge_pid(ceiling).is_err() {
        group.leave();
        return Err(Errno::EAGAIN.during("charging a task to its cgroup"));
    }
    Ok(TaskCharge { group: group.clone(), alive: true })
}

impl TaskCharge {
    /// The group the task is in.
    pub fn group(&self) -> &Arc<Cgroup> {
        &self.group
    }

    /// The task has exited and is a zombie from here on: no member any more, still a pid. Idempotent.
    pub fn exited(&mut self) {
        if self.alive {
            self.alive = false;
            self.group.leave();
        }
    }

    /// True until [`TaskCharge::exited`].
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Moves the task to `group`. A migration is never refused by a limit (cgroups(7): it may leave `pids.current`
    /// above `pids.max`). The caller holds [`super::tree::lock`] and has asked [`super::tree::may_enter`]; a zombie
    /// stays where it is.
    pub fn move_to(&mut self, group: &Arc<Cgroup>) {
        if !self.alive || Arc::ptr_eq(&self.group, group) {
            return;
        }
        group.join();
        group.charge_pid_unchecked();
        self.group.uncharge_pid();
        self.group.leave();
        self.group = group.clone();
    }
}

impl Drop for TaskCharge {
    fn drop(&mut self) {
        self.group.uncharge_pid();
        self.exited();
    }
}

impl Cgroup {
    /// One more live task here; tells the watchers of every group that was empty.
    fn join(&self) {
        self.members.fetch_add(1, Ordering::SeqCst);
        for group in self.ancestry() {
            if group.population.fetch_add(1, Ordering::SeqCst) == 0 {
                group.events.notify();
            }
        }
    }

    /// One live task less; tells the watchers of every group that is empty now.
    fn leave(&self) {
        self.members.fetch_sub(1, Ordering::SeqCst);
        for group in self.ancestry() {
            if group.population.fetch_sub(1, Ordering::SeqCst) == 1 {
                group.events.notify();
            }
        }
    }
}
