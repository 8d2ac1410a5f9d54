//! Handlers the kernel gives for interrupts. They are called with interrupts off, when the CPU was idle, in user mode or
//! in [`crate::cpu::poll_interrupts`], never while a spin lock is held; they must not sleep.

/// Sets the handler of the running CPU's one-shot timer ([`crate::time::arm`]).
pub fn on_timer(f: fn()) {
    let _ = f;
    todo!()
}

/// Sets the handler of a [`crate::cpu::kick`].
pub fn on_kick(f: fn()) {
    let _ = f;
    todo!()
}
