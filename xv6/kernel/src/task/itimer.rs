//! Interval timers: alarm(2) and setitimer(2)'s `ITIMER_REAL`, which sends `SIGALRM`.
//!
//! The timer entry holds the process weakly, so a pending alarm keeps nothing alive. Locks: `real`, a leaf (`Rank::Alarm`) outside `Rank::Timer`.

use super::Process;
use super::signal::{self, Signal};
use crate::time::timer::{Expire, Timer};
use alloc::sync::{Arc, Weak};
use hal::sync::{Rank, SpinLock};

#[derive(Default)]
struct Real {
    timer: Option<Timer>,
    interval: u64,
    /// Distinguishes this setting from earlier ones whose expiry may be under way.
    generation: u64,
}

/// A process's interval timers.
pub(super) struct Timers {
    real: SpinLock<Real>,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { real: SpinLock::new(Rank::Alarm, "interval timer", Real::default()) }
    }
}

struct Alarm {
    process: Weak<Process>,
    generation: u64,
}

impl Expire for Alarm {
    fn expire(self: Arc<Self>) {
        let Some(process) = self.process.upgrade() else { return };
        {
            let mut real = process.timers.real.lock();
            if real.generation != self.generation {
                return;
            }
            // An expired entry is out of its queue already: dropping the handle does nothing more.
            let due = real.timer.take().map(|timer| timer.deadline());
            if let (Some(due), true) = (due, real.interval != 0) {
                let next = next_due(due, real.interval, hal::time::now_ns());
                real.timer = Some(Timer::call(next, self.clone()));
            }
        }
        signal::send_to_process(&process, Signal::ALRM);
    }
}

/// When a timer that was due at `due` and has an interval, not 0, rings next: later than `now`, in step with what was missed. An interval may be
/// as long as time itself.
fn next_due(due: u64, interval: u64, now: u64) -> u64 {
    let missed = now.saturating_sub(due) / interval;
    due.saturating_add(interval.saturating_mul(missed + 1))
}

impl Timers {
    /// (time left, interval) in ns; 0 left when it is not set.
    pub(super) fn real(&self) -> (u64, u64) {
        let real = self.real.lock();
        let left = real.timer.as_ref().map_or(0, |timer| timer.deadline().saturating_sub(hal::time::now_ns()).max(1));
        (left, real.interval)
    }

    /// Sets the timer to ring in `value` ns (0: never), and every `interval` ns after (0: once). Returns what was left, as [`Timers::real`].
    pub(super) fn set_real(&self, process: &Arc<Process>, value: u64, interval: u64) -> (u64, u64) {
        let old = self.real();
        let mut real = self.real.lock();
        real.generation += 1;
        real.interval = interval;
        let alarm = Alarm { process: Arc::downgrade(process), generation: real.generation };
        let timer = (value != 0).then(|| Timer::call(hal::time::now_ns().saturating_add(value), Arc::new(alarm)));
        let previous = core::mem::replace(&mut real.timer, timer);
        drop(real);
        drop(previous);
        old
    }

    /// Cancels everything, at the end of the process.
    pub(super) fn cancel(&self) {
        let mut real = self.real.lock();
        real.generation += 1;
        let timer = real.timer.take();
        drop(real);
        drop(timer);
    }
}

#[cfg(test)]
mod tests {
    use super::next_due;

    #[test]
    fn the_next_ring_is_in_step_and_never_wraps() {
        assert_eq!(next_due(100, 10, 100), 110);
        assert_eq!(next_due(100, 10, 125), 130);
        assert_eq!(next_due(100, u64::MAX, 125), u64::MAX);
        assert_eq!(next_due(100, u64::MAX / 2, u64::MAX - 1), u64::MAX);
    }
}
