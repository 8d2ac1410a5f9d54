//! [`Tally`]: a number that all CPUs change often and few ask for: pages in use, objects that exist.
//!
//! Each CPU has a part of it, which it alone changes, by a plain load and store: the kernel is never preempted in between. A part by itself means
//! nothing (what one CPU took, another may give back); the number is the sum of all. Locks: none. Off the machine, where the CPU's number says
//! nothing, the parts are changed atomically.

use crate::PerCpu;
use crate::cpu;
use core::sync::atomic::{AtomicUsize, Ordering};

/// One CPU's part, with a cache line to itself.
#[repr(align(64))]
struct Part(AtomicUsize);

/// A count with a part for each CPU.
pub struct Tally(PerCpu<Part>);

impl Tally {
    /// Zero.
    #[expect(clippy::new_without_default, reason = "for statics only")]
    pub const fn new() -> Tally {
        Tally(PerCpu::new([const { Part(AtomicUsize::new(0)) }; cpu::MAX]))
    }

    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: usize) {
        self.0.with(|Part(part)| {
            if cfg!(target_os = "none") {
                part.store(part.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
            } else {
                part.fetch_add(count, Ordering::Relaxed);
            }
        });
    }

    /// Takes `count` away; on any CPU.
    #[inline]
    pub fn sub(&self, count: usize) {
        self.add(count.wrapping_neg());
    }

    /// The number: exact when nobody changes it meanwhile, and never below zero.
    pub fn get(&self) -> usize {
        let part = |cpu| self.0.of(cpu).0.load(Ordering::Relaxed);
        let sum = (0..cpu::MAX).map(part).fold(0, usize::wrapping_add);
        // Two changes seen in the wrong order can make it negative for a moment.
        usize::try_from(sum.cast_signed()).unwrap_or(0)
    }
}
