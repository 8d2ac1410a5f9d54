//! A clock that moves on at each look, by more than it takes a waiting thread to become one that may be stolen: time decides nothing that loom
//! should. One timer for each CPU, which rings while the CPU idles.

use core::sync::atomic::{AtomicU64, Ordering};

const STEP: u64 = 300_000;

static NOW: AtomicU64 = AtomicU64::new(0);
static ARMED: crate::PerCpu<AtomicU64> = crate::PerCpu::new([const { AtomicU64::new(u64::MAX) }; crate::cpu::MAX]);

pub(super) fn begin() {
    NOW.store(0, Ordering::Relaxed);
    for cpu in 0..crate::cpu::MAX {
        ARMED.of(cpu).store(u64::MAX, Ordering::Relaxed);
    }
}

/// The clock.
pub fn now_ns() -> u64 {
    NOW.fetch_add(STEP, Ordering::Relaxed)
}

/// When the model began.
pub fn wall_boot_ns() -> u64 {
    0
}

/// Arms the running CPU's timer.
pub fn arm(deadline: u64) {
    ARMED.with(|armed| armed.store(deadline, Ordering::Relaxed));
}

/// Takes the running CPU's timer, if it is armed; the clock is at its deadline then.
pub(super) fn ring() -> bool {
    let deadline = ARMED.with(|armed| armed.swap(u64::MAX, Ordering::Relaxed));
    if deadline != u64::MAX {
        NOW.fetch_max(deadline, Ordering::Relaxed);
    }
    deadline != u64::MAX
}
