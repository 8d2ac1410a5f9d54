//! The clock (TSC) and each CPU's one-shot timer (LAPIC). The TSC's rate is measured against the first CPU's LAPIC timer,
//! whose rate QEMU fixes: roughly while booting, and again over the whole time until that timer is first needed. Locks: none.

#[cfg(target_os = "none")]
mod machine {
    use crate::cpu::local::{Local, local};
    use crate::irq::apic;
    use crate::sync::Once;
    use crate::x86::{inb, outb, rdtsc};
    use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    /// How to read the clock: it was `offset` ns when the TSC was `base`, and each tick since is `scale` / 2^32 ns.
    struct Rate {
        base: AtomicU64,
        offset: AtomicU64,
        scale: AtomicU64,
    }

    /// The first rate, measured while booting, and the better one.
    static RATES: [Rate; 2] =
        [const { Rate { base: AtomicU64::new(0), offset: AtomicU64::new(0), scale: AtomicU64::new(0) } }; 2];
    /// Which is in use.
    static CURRENT: AtomicUsize = AtomicUsize::new(0);
    /// The measurement's start: the TSC, and the first CPU's LAPIC timer.
    static START: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
    /// The first CPU's LAPIC timer still serves the measurement.
    static MEASURING: AtomicBool = AtomicBool::new(true);

    /// Starts the clock, as soon as the kernel runs.
    pub fn start() {
        RATES[0].base.store(rdtsc(), Ordering::Relaxed);
    }

    /// The TSC and the LAPIC timer at one moment: the quickest of some readings, since the host may interrupt any.
    fn sample() -> (u64, u64) {
        let readings = (0..8).map(|_| {
            let before = rdtsc();
            let ticks = apic::elapsed_ticks();
            let after = rdtsc();
            (after - before, before + (after - before) / 2, u64::from(ticks))
        });
        readings.min().map_or((0, 0), |(_, tsc, ticks)| (tsc, ticks))
    }

    /// Starts the measurement of the TSC's rate, when the first CPU's LAPIC timer has just been started.
    pub fn start_measuring() {
        let (tsc, ticks) = sample();
        START[0].store(tsc, Ordering::Relaxed);
        START[1].store(ticks, Ordering::Relaxed);
    }

    /// The TSC now, and its rate since the measurement began.
    fn measured() -> (u64, u64) {
        let (tsc, ticks) = sample();
        let ns = (ticks - START[1].load(Ordering::Relaxed)) * apic::TICK_NS;
        let elapsed = tsc.saturating_sub(START[0].load(Ordering::Relaxed)).max(1);
        (tsc, ((u128::from(ns) << 32) / u128::from(elapsed)) as u64)
    }

    /// Sets the first rate, at the end of the boot.
    pub fn calibrate() {
        RATES[0].scale.store(measured().1, Ordering::Relaxed);
    }

    /// Sets the better rate, when the timer is needed for the first time; the clock goes on from where it is.
    #[cold]
    fn finish_measuring() {
        if MEASURING.swap(false, Ordering::Relaxed) {
            let (tsc, scale) = measured();
            RATES[1].base.store(tsc, Ordering::Relaxed);
            RATES[1].offset.store(at(&RATES[0], tsc), Ordering::Relaxed);
            RATES[1].scale.store(scale, Ordering::Relaxed);
            CURRENT.store(1, Ordering::Release);
            apic::unmask_timer();
        }
    }

    #[inline]
    fn at(rate: &Rate, tsc: u64) -> u64 {
        let ticks = tsc.saturating_sub(rate.base.load(Ordering::Relaxed));
        let ns = (u128::from(ticks) * u128::from(rate.scale.load(Ordering::Relaxed))) >> 32;
        rate.offset.load(Ordering::Relaxed) + ns as u64
    }

    #[inline]
    pub fn now_ns() -> u64 {
        at(&RATES[CURRENT.load(Ordering::Acquire) & 1], rdtsc())
    }

    #[inline]
    pub fn arm(deadline: u64) {
        let local = local();
        local.deadline.set(deadline);
        // A timer that fires too early is armed again then: cheaper than telling the hardware each time.
        if deadline < local.armed.get() {
            start_timer(local, deadline);
        }
    }

    /// Programs the hardware.
    fn start_timer(local: &Local, deadline: u64) {
        if local.id == 0 && MEASURING.load(Ordering::Relaxed) {
            finish_measuring();
        }
        let wait = deadline.saturating_sub(now_ns()).div_ceil(apic::TICK_NS).clamp(1, u64::from(u32::MAX));
        local.armed.set(deadline);
        apic::start_timer(wait as u32);
    }

    /// The hardware timer fired: whether the kernel's deadline has passed. If not, arms for the rest.
    pub fn expired() -> bool {
        let local = local();
        local.armed.set(u64::MAX);
        let deadline = local.deadline.get();
        if deadline == u64::MAX {
            return false;
        }
        if now_ns() < deadline {
            arm(deadline);
            return false;
        }
        local.deadline.set(u64::MAX);
        true
    }

    fn cmos(register: u8) -> u8 {
        outb(0x70, register);
        inb(0x71)
    }

    /// Seconds since 1970 from the RTC.
    fn rtc() -> u64 {
        let read = || [0u8, 2, 4, 7, 8, 9].map(cmos);
        let mut fields = read();
        loop {
            let again = read();
            if fields == again && cmos(10) & 0x80 == 0 {
                break;
            }
            fields = again;
        }
        let mode = cmos(11);
        let binary = |field: u8| u64::from(if mode & 4 != 0 { field } else { (field >> 4) * 10 + (field & 15) });
        let [second, minute, hour, day, month, year] = fields.map(binary);
        // Days since 1970 by the civil calendar, counting years from March.
        let (year, month) = if month <= 2 { (year + 1999, month + 9) } else { (year + 2000, month - 3) };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
        ((days * 24 + hour) * 60 + minute) * 60 + second
    }

    pub fn wall_boot_ns() -> u64 {
        static WALL: Once<u64> = Once::new();
        *WALL.call_once(|| (rtc() * 1_000_000_000).saturating_sub(now_ns()))
    }
}

#[cfg(loom)]
use crate::model::time as machine;

#[cfg(not(any(target_os = "none", loom)))]
mod machine {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    static START: OnceLock<(Instant, u64)> = OnceLock::new();

    fn start() -> &'static (Instant, u64) {
        START.get_or_init(|| {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
            (Instant::now(), wall)
        })
    }

    pub fn now_ns() -> u64 {
        start().0.elapsed().as_nanos() as u64
    }

    pub fn wall_boot_ns() -> u64 {
        start().1
    }

    pub fn arm(_deadline: u64) {}
}

#[cfg(target_os = "none")]
pub(crate) use machine::{calibrate, expired, start, start_measuring};

/// Nanoseconds since boot, monotonic, the same on all CPUs.
#[inline]
pub fn now_ns() -> u64 {
    machine::now_ns()
}

/// Wall-clock time at `now_ns() == 0`, in nanoseconds since 1970-01-01 UTC, from the RTC (so precise to a second).
pub fn wall_boot_ns() -> u64 {
    machine::wall_boot_ns()
}

/// Arms the running CPU's timer for a time on the [`now_ns`] clock, replacing what was armed; `None` disarms it. A deadline that has
/// passed fires as soon as interrupts are open. It fires once, never early.
#[inline]
pub fn arm(deadline_ns: Option<u64>) {
    machine::arm(deadline_ns.unwrap_or(u64::MAX));
}
