//! Load averages (getloadavg(3), proc_loadavg(5)): how many threads ran, waited for a CPU, or slept as no signal ends it, for a disk most of all,
//! over the last 1, 5 and 15 minutes, old looks counting ever less.
//!
//! Linux looks every five seconds. Here nothing ticks, so whoever comes by after such a [`PERIOD`] looks, for all that have gone by since the last
//! look: who is about to change how many there are, and a reader.
//!
//! Locks: `AVERAGES` (`Rank::Leaf`).

use core::sync::atomic::{AtomicU64, Ordering};
use hal::sync::{Rank, SpinLock};

/// The time between two looks, in ns.
const PERIOD: u64 = 5_000_000_000;

/// One, in the averages' fixed point.
pub const ONE: u64 = 1 << 11;

/// What is kept of an average from one look to the next: `e^(-5/60)`, `e^(-5/300)` and `e^(-5/900)` of [`ONE`].
const KEPT: [u64; 3] = [1884, 2014, 2037];

/// So many looks at the same number later, all averages are that number.
const SETTLED: u64 = 4000;

/// When the next look is due. Most read it without the lock of the averages, under which it changes.
static DUE: AtomicU64 = AtomicU64::new(PERIOD);

static AVERAGES: SpinLock<[u64; 3]> = SpinLock::new(Rank::Leaf, "load averages", [0; 3]);

/// Looks, if it is time to: `active` counts the threads that count.
#[inline]
pub fn look(now: u64, active: impl FnOnce() -> usize) {
    if now >= DUE.load(Ordering::Relaxed) {
        add(now, active());
    }
}

#[cold]
fn add(now: u64, active: usize) {
    let mut averages = AVERAGES.lock();
    let due = DUE.load(Ordering::Relaxed);
    let Some(late) = now.checked_sub(due) else { return };
    let looks = late / PERIOD + 1;
    DUE.store(due + looks * PERIOD, Ordering::Relaxed);
    see(&mut averages, looks.min(SETTLED), active as u64);
}

/// Counts `active` threads in, `looks` times.
fn see(averages: &mut [u64; 3], looks: u64, active: u64) {
    for (average, kept) in averages.iter_mut().zip(KEPT) {
        for _ in 0..looks {
            *average = after(*average, kept, active * ONE);
        }
    }
}

/// An average after one more look, which rises and falls all the way to what is seen.
fn after(average: u64, kept: u64, seen: u64) -> u64 {
    let sum = average * kept + seen * (ONE - kept);
    if seen >= average { sum.div_ceil(ONE) } else { sum / ONE }
}

/// The averages over 1, 5 and 15 minutes, in units of 1 / [`ONE`].
pub fn averages() -> [u64; 3] {
    *AVERAGES.lock()
}

#[cfg(test)]
mod tests {
    use super::{ONE, SETTLED, see};

    #[test]
    fn a_minute_of_two_threads_is_two_thirds_of_them_in_the_first_average() {
        let mut averages = [0; 3];
        let hundredths = |averages: [u64; 3]| averages.map(|average| average * 100 / ONE);
        see(&mut averages, 12, 2);
        // 2 (1 - 1/e), and as much less as the others are longer.
        assert_eq!(hundredths(averages), [126, 36, 12]);
        see(&mut averages, SETTLED, 2);
        assert_eq!(hundredths(averages), [200, 200, 200]);
        see(&mut averages, SETTLED, 0);
        assert_eq!(averages, [0, 0, 0]);
    }
}
