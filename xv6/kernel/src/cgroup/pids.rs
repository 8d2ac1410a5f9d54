//! The `pids` controller: how many tasks a group and all below it may have (cgroups(7); Linux's cgroup-v2.rst, "PID").
//!
//! Counters are atomics, charged from the leaf to the root; a refusal undoes what was charged below it. A counter never
//! passes its limit, not even for a moment, so two forks that race for the last place cannot both fail. Limits bite at
//! a fork only: a migration, or a limit lowered later, may leave `current` above `max`.

use super::{Cgroup, Notifier};
use core::sync::atomic::{AtomicU64, Ordering};

/// A limit of `max`.
pub const UNLIMITED: u64 = u64::MAX;

/// One group's counters.
pub struct Pids {
    current: AtomicU64,
    max: AtomicU64,
    peak: AtomicU64,
    refused: AtomicU64,
    refused_here: AtomicU64,
    /// Changes of `pids.events`.
    pub events: Notifier,
}

/// The limit of some group on the way to the root was reached.
#[derive(Debug)]
pub(super) struct Full;

impl Pids {
    pub(super) const fn new() -> Pids {
        Pids {
            current: AtomicU64::new(0),
            max: AtomicU64::new(UNLIMITED),
            peak: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            refused_here: AtomicU64::new(0),
            events: Notifier::new(),
        }
    }

    /// Tasks now, zombies included, in the group and below it.
    pub fn current(&self) -> u64 {
        self.current.load(Ordering::Relaxed)
    }

    /// The limit, or [`UNLIMITED`].
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Sets the limit; tasks above it stay, forks fail.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// The most tasks there ever were.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Forks refused because of this group's limit or of one below it (`pids.events`), and because of this group's
    /// alone (`pids.events.local`).
    pub fn refused(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.refused_here.load(Ordering::Relaxed))
    }

    /// One more, unless that would pass `limit`.
    fn take(&self, limit: u64) -> bool {
        self.current.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < limit).then_some(now + 1)).is_ok()
    }

    fn note_peak(&self) {
        self.peak.fetch_max(self.current(), Ordering::Relaxed);
    }
}

impl Cgroup {
    /// Charges one task here and in every group above; `ceiling` is the machine's limit, which the root enforces.
    pub(super) fn try_charge_pid(&self, ceiling: u64) -> Result<(), Full> {
        for group in self.ancestry() {
            let limit = if group.is_root() { ceiling } else { group.pids.max() };
            if !group.pids.take(limit) {
                for charged in self.ancestry().take_while(|charged| charged.id != group.id) {
                    charged.pids.current.fetch_sub(1, Ordering::Relaxed);
                }
                group.note_refusal();
                return Err(Full);
            }
        }
        self.ancestry().for_each(|group| group.pids.note_peak());
        Ok(())
    }

    /// Charges one task whatever the limits say.
    pub(super) fn charge_pid_unchecked(&self) {
        for group in self.ancestry() {
            group.pids.current.fetch_add(1, Ordering::Relaxed);
            group.pids.note_peak();
        }
    }

    /// Gives one task back.
    pub(super) fn uncharge_pid(&self) {
        for group in self.ancestry() {
            group.pids.current.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn note_refusal(&self) {
        self.pids.refused_here.fetch_add(1, Ordering::Relaxed);
        for group in self.ancestry() {
            group.pids.refused.fetch_add(1, Ordering::Relaxed);
            group.pids.events.notify();
        }
    }
}
