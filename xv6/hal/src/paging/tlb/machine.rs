//! What the TLB protocol wants of the machine.

pub(super) use crate::boot::online;
pub(super) use crate::cpu::local::{LOCALS, Local, local};
pub(super) use crate::x86::invlpg as forget_page;

use crate::frame::{Frame, SIZE};
use crate::irq::{apic, vector};
use crate::paging::entry::{self, Table};
use crate::paging::kernel;
use crate::{mem, phys, x86};
use core::sync::atomic::Ordering;

/// A root for a CPU: the kernel's half, and no space.
pub fn new_root() -> Option<Frame> {
    let root = Frame::zeroed()?;
    let half = SIZE / 2;
    // SAFETY: both are whole frames; the kernel's top-level entries never change once set.
    unsafe { mem::copy(root.pointer().add(half), phys::direct(kernel::root()).add(half), half) };
    Some(root)
}

/// A CPU's root.
#[inline]
pub fn root(local: &Local) -> &Table {
    // SAFETY: set before the CPU runs any space, and never freed.
    unsafe { entry::table(local.root.load(Ordering::Relaxed)) }
}

/// Empties this CPU's TLB.
#[inline]
pub fn forget_all() {
    // SAFETY: the same table again.
    unsafe { x86::set_cr3(x86::cr3()) };
}

/// Interrupts `cpu`, so that it answers.
#[inline]
pub fn interrupt(cpu: usize) {
    apic::send(cpu, vector::SHOOTDOWN);
}
