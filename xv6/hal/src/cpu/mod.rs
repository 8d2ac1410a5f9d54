//! The running CPU: its number, waiting for interrupts, and waking others. Locks: none.

#[cfg(target_os = "none")]
pub(crate) mod local;
#[cfg(target_os = "none")]
pub(crate) mod setup;

/// The most CPUs the kernel uses.
#[cfg(not(loom))]
pub const MAX: usize = 8;
/// The CPUs of a model.
#[cfg(loom)]
pub const MAX: usize = 3;

/// The running CPU's number, from 0. Stable between two context switches: the kernel is never preempted.
#[inline]
pub fn id() -> usize {
    #[cfg(target_os = "none")]
    return local::id();
    #[cfg(loom)]
    return crate::model::cpu::id();
    #[cfg(not(any(target_os = "none", loom)))]
    0
}

/// One turn of a spin loop: a pause hint, and an answer to waiting TLB shootdowns. (A CPU is stopped by an NMI, which needs no
/// answer.)
pub fn pause() {
    #[cfg(any(target_os = "none", loom))]
    crate::paging::tlb::answer();
    relax();
}

/// One turn of a loop that spins without answering: for who is just changing what it would answer for, or waits for answers.
#[inline]
pub(crate) fn relax() {
    #[cfg(loom)]
    loom::hint::spin_loop();
    #[cfg(not(loom))]
    core::hint::spin_loop();
}

/// Sleeps until an interrupt comes (`sti; hlt; cli`), handles it and returns. May return early. A kick sent before the
/// call, but after interrupts were last open, makes it return at once, so "check the queue, then idle" loses no wake-up.
pub fn idle() {
    debug_assert_eq!(crate::sync::held(), 0, "idle with a spin lock held");
    // So that no flush waits for a CPU that sleeps, or wakes it.
    crate::paging::activate_kernel();
    // SAFETY: the IDT is loaded; handlers run on this stack and return. `sti` takes effect after `hlt` has begun, so no interrupt is lost between.
    #[cfg(target_os = "none")]
    unsafe {
        core::arch::asm!("sti", "hlt", "cli")
    };
    #[cfg(loom)]
    crate::model::cpu::idle();
    #[cfg(not(any(target_os = "none", loom)))]
    std::thread::yield_now();
}

/// Opens interrupts for a moment, so that a long kernel loop lets devices and timers in. No spin lock may be held.
pub fn poll_interrupts() {
    #[cfg(target_os = "none")]
    {
        debug_assert_eq!(crate::sync::held(), 0, "interrupts opened with a spin lock held");
        // SAFETY: as in `idle`; `nop` gives a pending interrupt its instruction boundary.
        unsafe { core::arch::asm!("sti", "nop", "nop", "cli") };
    }
}

/// Sends `cpu` a wake-up interrupt: its [`crate::irq::on_kick`] handler runs, and an idle CPU leaves [`idle`]. Kicks that come
/// before it has answered the first are one.
pub fn kick(cpu: usize) {
    #[cfg(target_os = "none")]
    crate::irq::apic::kick(cpu);
    #[cfg(loom)]
    crate::model::cpu::kick(cpu);
    #[cfg(not(any(target_os = "none", loom)))]
    let _ = cpu;
}
