//! Interrupts: vectors, and the handlers the kernel gives.
//!
//! Handlers are called with interrupts off, when the CPU was idle, in user mode or in [`crate::cpu::poll_interrupts`], never
//! while a spin lock is held; they must not sleep.

#[cfg(target_os = "none")]
pub(crate) mod apic;
#[cfg(target_os = "none")]
pub(crate) mod ioapic;

use core::mem::transmute;
use core::sync::atomic::{AtomicPtr, Ordering};

/// A handler that can be set once the kernel is ready, and called from an interrupt at any time.
pub(crate) struct Handler(AtomicPtr<()>);

impl Handler {
    /// None yet: calls do nothing.
    pub(crate) const fn none() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Sets it.
    pub(crate) fn set(&self, f: fn()) {
        self.0.store(f as *mut (), Ordering::Release);
    }

    /// Calls it.
    pub(crate) fn call(&self) {
        let pointer = self.0.load(Ordering::Acquire);
        if !pointer.is_null() {
            // SAFETY: only `set` stores here, and it stores a `fn()`.
            let f: fn() = unsafe { transmute(pointer) };
            f();
        }
    }
}

static TIMER: Handler = Handler::none();
static KICK: Handler = Handler::none();

/// Sets the handler of the running CPU's one-shot timer ([`crate::time::arm`]); one for all CPUs.
pub fn on_timer(f: fn()) {
    TIMER.set(f);
}

/// Sets the handler of a [`crate::cpu::kick`]; one for all CPUs.
pub fn on_kick(f: fn()) {
    KICK.set(f);
}

/// A model's timer rings.
#[cfg(loom)]
pub(crate) fn ring() {
    TIMER.call();
}

/// Interrupt vectors.
#[cfg(target_os = "none")]
pub(crate) mod vector {
    /// Line `gsi` of the I/O APICs has vector `DEVICE + gsi`.
    pub const DEVICE: u8 = 0x20;
    /// How many device lines there can be.
    pub const DEVICES: usize = 64;
    /// The local APIC's timer.
    pub const TIMER: u8 = 0xf0;
    /// A wake-up from another CPU.
    pub const KICK: u8 = 0xf1;
    /// A TLB shootdown from another CPU.
    pub const SHOOTDOWN: u8 = 0xf2;
    /// The local APIC's spurious interrupt, never acknowledged.
    pub const SPURIOUS: u8 = 0xff;
}

/// Handles an interrupt.
#[cfg(target_os = "none")]
pub(crate) fn dispatch(number: u8) {
    match number {
        vector::TIMER => {
            apic::acknowledge();
            if crate::time::expired() {
                TIMER.call();
            }
        }
        vector::KICK => {
            apic::acknowledge();
            crate::cpu::local::local().kicked.store(false, Ordering::Release);
            KICK.call();
        }
        vector::SHOOTDOWN => {
            apic::acknowledge();
            crate::paging::tlb::answer();
        }
        vector::SPURIOUS => {}
        device => {
            // The line is level-triggered: the device must be quiet before the end of interrupt.
            ioapic::call(usize::from(device - vector::DEVICE));
            apic::acknowledge();
        }
    }
}
