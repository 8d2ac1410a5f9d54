//! The machine as the loom model checker sees it (`--cfg loom` only): CPUs are loom threads, kernel threads are too, and whoever has a CPU
//! runs. The lock, queue and scheduler code above is the kernel's own; `xv6/models` holds the models.
//!
//! - [`atomic`]: loom's atomics with `const` constructors, as the kernel's statics need them.
//! - [`cpu`]: the running CPU's number, idling and kicks, and the end of the machine.
//! - [`mmu`]: page tables, and the TLBs that remember them.
//! - [`thread`]: contexts, and the switch between them with the order of steps of the real one.
//! - [`time`]: a clock that moves on at each look.
//!
//! One model runs at a time: statics are part of it, and begin each execution anew.

pub(crate) mod atomic;
pub(crate) mod cpu;
pub(crate) mod mmu;
pub(crate) mod thread;
pub(crate) mod time;

pub use cpu::{compute, power_off, run, start};
pub use mmu::{guess, knows_any, may_store, open_interrupts, remembers, touch};

use core::sync::atomic::{AtomicUsize, Ordering};
use loom::model::Builder;
use std::sync::{Arc, Mutex};

/// How far loom goes: all executions, or those with at most so many preemptions (a switch away from a thread that could go on), which is where
/// nearly all errors show (Musuvathi and Qadeer, "Iterative Context Bounding", PLDI 2007).
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Every execution.
    None,
    /// Those with at most this many preemptions.
    Preemptions(usize),
}

/// Runs `body` in every execution within `bound`; panics in the first one that panics, deadlocks or has a data race. `body` is CPU 0.
pub fn check(bound: Bound, body: impl Fn() + Send + Sync + 'static) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one =
        ONE.lock().expect("a model before this one failed, and left the statics as they were: run this one alone");
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let body = Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        atomic::begin();
        cpu::begin();
        time::begin();
        mmu::begin();
        body();
        cpu::end();
    });
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    // One execution alone at first: statics that hold a value from then on make all others alike.
    let first = body.clone();
    builder.check(move || {
        loom::skip_branch();
        first();
    });
    builder.preemption_bound = match bound {
        Bound::None => None,
        Bound::Preemptions(most) => Some(most),
    };
    let start = std::time::Instant::now();
    builder.check(move || body());
    std::println!("{} executions, {:.1?}", executions.load(Ordering::Relaxed), start.elapsed());
}
