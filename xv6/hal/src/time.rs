//! The clock (TSC) and each CPU's one-shot timer (LAPIC). The TSC's rate is measured once, at boot, against the LAPIC's
//! timer, whose rate QEMU fixes. Locks: none.

#[cfg(target_os = "none")]
mod machine {
    use crate::cpu::local::local;
    use crate::irq::apic;
    use crate::sync::Once;
    use crate::x86::{inb, outb, rdtsc};
    use core::sync::atomic::{AtomicU64, Ordering};

    /// The TSC at time 0.
    static BASE: AtomicU64 = AtomicU64::new(0);
    /// Nanoseconds per TSC tick, as a fraction of 2^32; 0 until measured.
    static SCALE: AtomicU64 = AtomicU64::new(0);

    /// Starts the clock, as soon as the kernel runs.
    pub fn start() {
        BASE.store(rdtsc(), Ordering::Relaxed);
    }

    /// Measures the TSC between the first CPU's APIC start, when it was `tsc`, and now.
    pub fn calibrate(tsc: u64) {
        let (mut ticks, mut now) = (0, tsc);
        while ticks < 100_000 / apic::TICK_NS as u32 {
            ticks = apic::elapsed_ticks();
            now = rdtsc();
        }
        let scale = (u128::from(ticks) * u128::from(apic::TICK_NS)) << 32;
        SCALE.store((scale / u128::from(now - tsc).max(1)) as u64, Ordering::Relaxed);
        apic::unmask_timer();
    }

    pub fn now_ns() -> u64 {
        let ticks = rdtsc().wrapping_sub(BASE.load(Ordering::Relaxed));
        ((u128::from(ticks) * u128::from(SCALE.load(Ordering::Relaxed))) >> 32) as u64
    }

    pub fn arm(deadline: u64) {
        let local = local();
        local.deadline.set(deadline);
        // A timer that fires too early is armed again then: cheaper than telling the hardware each time.
        if deadline < local.armed.get() {
            start(local, deadline);
        }

        fn start(local: &crate::cpu::local::Local, deadline: u64) {
            let wait = deadline.saturating_sub(super::now_ns()).div_ceil(apic::TICK_NS).clamp(1, u64::from(u32::MAX));
            local.armed.set(deadline);
            apic::start_timer(wait as u32);
        }
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

#[cfg(not(target_os = "none"))]
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
pub(crate) use machine::{calibrate, expired, start};

/// Nanoseconds since boot, monotonic, the same on all CPUs.
pub fn now_ns() -> u64 {
    machine::now_ns()
}

/// Wall-clock time at `now_ns() == 0`, in nanoseconds since 1970-01-01 UTC, from the RTC (so precise to a second).
pub fn wall_boot_ns() -> u64 {
    machine::wall_boot_ns()
}

/// Arms the running CPU's timer for a time on the [`now_ns`] clock, replacing what was armed; `None` disarms it. A deadline that has
/// passed fires as soon as interrupts are open. It fires once, never early.
pub fn arm(deadline_ns: Option<u64>) {
    machine::arm(deadline_ns.unwrap_or(u64::MAX));
}
