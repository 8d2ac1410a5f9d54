//! The running CPU: its number, waiting for interrupts, and waking others.

/// The most CPUs the kernel uses.
pub const MAX: usize = 8;

/// The running CPU's number, from 0. Stable between two context switches: the kernel is never preempted.
pub fn id() -> usize {
    todo!()
}

/// One turn of a spin loop: a pause hint, and an answer to waiting TLB shootdowns and stop requests.
pub fn pause() {
    todo!()
}

/// Sleeps until an interrupt comes (`sti; hlt; cli`), handles it and returns. May return early. A kick sent before the
/// call, but after interrupts were last open, makes it return at once, so "check the queue, then idle" loses no wake-up.
pub fn idle() {
    todo!()
}

/// Opens interrupts for a moment, so that a long kernel loop lets devices and timers in. No spin lock may be held.
pub fn poll_interrupts() {
    todo!()
}

/// Sends `cpu` a wake-up interrupt: its [`crate::irq::on_kick`] handler runs, and an idle CPU leaves [`idle`].
pub fn kick(cpu: usize) {
    let _ = cpu;
    todo!()
}
