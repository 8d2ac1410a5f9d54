//! Switching between shared contexts: [`switch_to`] takes a reference to where it goes, and the CPU keeps it.
//!
//! A thread that switches away for good must not own its own context, nor the next one: its stack is never unwound. So each CPU holds
//! what it runs, and the reference to what it ran before is dropped on the new stack ([`finish_switch`]).
//!
//! Locks: one leaf spin lock for each CPU, which only that CPU takes.

use super::{Context, switch};
use crate::PerCpu;
use crate::cpu;
use crate::sync::{Rank, SpinLock};
use alloc::sync::Arc;

struct Held {
    current: Option<Arc<Context>>,
    previous: Option<Arc<Context>>,
}

static HELD: PerCpu<SpinLock<Held>> = PerCpu::new(
    [const { SpinLock::new(Rank::Leaf, "running context", Held { current: None, previous: None }) }; cpu::MAX],
);

/// Adopts what is running now (a CPU's boot stack) as a context that [`switch_to`] may leave and come back to. Once for each CPU.
pub fn adopt() -> Arc<Context> {
    let context = Arc::new(Context::idle());
    HELD.with(|held| held.lock().current = Some(context.clone()));
    context
}

/// Leaves the running context and resumes `to`, as [`switch`] does; returns when somebody switches back. A fresh thread calls
/// [`finish_switch`] first. Panics on a CPU that has not called [`adopt`].
pub fn switch_to(to: Arc<Context>) {
    let (from, to) = HELD.with(|held| {
        let mut held = held.lock();
        let target = Arc::as_ptr(&to);
        let from = held.current.replace(to).expect("a CPU that switches has adopted its boot stack");
        let source = Arc::as_ptr(&from);
        held.previous = Some(from);
        (source, target)
    });
    // SAFETY: the CPU's fields keep both alive: `to` as long as it runs, `from` until `finish_switch` on the other stack.
    unsafe { switch(&*from, &*to) };
    finish_switch();
}

/// The end of a model: the CPUs run nothing.
#[cfg(loom)]
pub(crate) fn forget() {
    for cpu in 0..cpu::MAX {
        let mut held = HELD.of(cpu).lock();
        let gone = (held.current.take(), held.previous.take());
        drop(held);
        drop(gone);
    }
}

/// Drops the CPU's reference to what it ran before the last [`switch_to`].
pub fn finish_switch() {
    let previous = HELD.with(|held| held.lock().previous.take());
    drop(previous);
}
