//! Randomness from the CPU (RDRAND). Without it (QEMU's `-cpu max` has it) bytes come from the clock's jitter, which is weak, and the log says so.

/// Fills `buf` with random bytes.
pub fn fill(buf: &mut [u8]) {
    for chunk in buf.chunks_mut(8) {
        chunk.copy_from_slice(&machine::word().to_le_bytes()[..chunk.len()]);
    }
}

#[cfg(target_os = "none")]
mod machine {
    use crate::cpu::setup::RDRAND;
    use crate::log::{Level, record};
    use crate::x86::rdtsc;
    use core::arch::asm;
    use core::sync::atomic::{AtomicU64, Ordering};

    /// A random word.
    pub fn word() -> u64 {
        if !RDRAND.load(Ordering::Relaxed) {
            return jitter();
        }
        loop {
            let (value, good): (u64, u8);
            // SAFETY: the CPU has the instruction.
            unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) good, options(nomem, nostack)) };
            if good != 0 {
                return value;
            }
        }
    }

    /// A word mixed from the clock (splitmix64).
    fn jitter() -> u64 {
        static STATE: AtomicU64 = AtomicU64::new(0);
        if STATE.load(Ordering::Relaxed) == 0 {
            record(Level::Warning, format_args!("rng: the CPU has no RDRAND: random numbers are weak"));
        }
        let mut z = STATE.fetch_add(rdtsc() | 1, Ordering::Relaxed) ^ rdtsc().rotate_left(32);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[cfg(not(target_os = "none"))]
mod machine {
    use std::hash::{BuildHasher, RandomState};

    /// A random word.
    pub fn word() -> u64 {
        RandomState::new().hash_one(crate::time::now_ns())
    }
}
