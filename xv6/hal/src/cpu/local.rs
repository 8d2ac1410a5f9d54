//! What hal keeps for each CPU: a [`Local`] that GS points to while the kernel runs. Only its own CPU writes it, but for the
//! fields that say otherwise. The TSS lies in it, so that `syscall` and exceptions find the same kernel stack pointer.

use super::MAX;
use crate::paging::Space;
use crate::thread::Inner;
use crate::user::FpuState;
use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

/// The 64-bit task state segment.
#[repr(C, packed(4))]
pub struct Tss {
    reserved0: u32,
    /// The stack pointer at an exception from user mode, and (by `syscall`'s entry code) at a system call.
    pub rsp0: u64,
    rsp12: [u64; 2],
    reserved1: u64,
    /// The interrupt stack table.
    pub ist: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    io_map: u16,
}

/// Bytes of each small stack.
const SMALL_STACK: usize = 8192;

/// One CPU's data.
#[repr(C, align(64))]
pub struct Local {
    /// This CPU's number.
    pub id: u32,
    /// Its local APIC's number.
    pub apic_id: AtomicU32,
    /// The user's stack pointer, for a moment in `syscall`'s entry code.
    pub scratch: u64,
    /// The task state segment.
    pub tss: UnsafeCell<Tss>,
    /// The descriptor table, this CPU's own because of its TSS descriptor.
    pub gdt: UnsafeCell<[u64; 9]>,
    /// The end of a small stack on which [`crate::thread::switch`] waits, when it must, for a thread still leaving another CPU.
    pub switch_stack: Cell<u64>,
    /// The running context.
    pub current: Cell<*const Inner>,
    /// Whose FPU state the registers hold and may have changed; null when none.
    pub fpu_live: Cell<*const FpuState>,
    /// Whose FPU state the registers last held.
    pub fpu_loaded: Cell<*const FpuState>,
    /// The FS and GS bases of user code that the registers hold, as they were read when it was last left; nothing else changes them.
    pub user_bases: Cell<(u64, u64)>,
    /// The physical address of its root page table. Written before the CPU starts; the table's user half is written by others too.
    pub root: AtomicU64,
    /// The active user page table, null for none.
    pub space: AtomicPtr<Space>,
    /// A kick is on its way, and need not be sent again; written by others.
    pub kicked: AtomicBool,
    /// When the kernel wants the timer, on the clock; `u64::MAX` for never.
    pub deadline: Cell<u64>,
    /// When the hardware timer will fire.
    pub armed: Cell<u64>,
}

// SAFETY: every `Cell` and `UnsafeCell` is used by the CPU that owns the structure only (through `local()`), with interrupts off and without being
// preempted; fields that others touch are atomics.
unsafe impl Sync for Local {}

/// Bases that no register can hold.
const NO_BASES: (u64, u64) = (1 << 63, 1 << 63);

impl Local {
    const fn new(id: u32) -> Self {
        Self {
            id,
            apic_id: AtomicU32::new(0),
            scratch: 0,
            tss: UnsafeCell::new(Tss {
                reserved0: 0,
                rsp0: 0,
                rsp12: [0; 2],
                reserved1: 0,
                ist: [0; 7],
                reserved2: 0,
                reserved3: 0,
                io_map: size_of::<Tss>() as u16,
            }),
            gdt: UnsafeCell::new([0; 9]),
            switch_stack: Cell::new(0),
            current: Cell::new(null_mut()),
            fpu_live: Cell::new(null_mut()),
            fpu_loaded: Cell::new(null_mut()),
            user_bases: Cell::new(NO_BASES),
            root: AtomicU64::new(0),
            space: AtomicPtr::new(null_mut()),
            kicked: AtomicBool::new(false),
            deadline: Cell::new(u64::MAX),
            armed: Cell::new(u64::MAX),
        }
    }
}

/// Small stacks that each CPU has from the start: for NMIs, for double faults, and [`Local::switch_stack`].
#[repr(align(16))]
pub struct SmallStacks([UnsafeCell<[u8; SMALL_STACK]>; 3]);

// SAFETY: only stack pointers refer to them, each of one CPU.
unsafe impl Sync for SmallStacks {}

static SMALL_STACKS: [SmallStacks; MAX] =
    [const { SmallStacks([const { UnsafeCell::new([0; SMALL_STACK]) }; 3]) }; MAX];

/// The end of CPU `cpu`'s small stack number `which`.
pub fn small_stack(cpu: usize, which: usize) -> u64 {
    SMALL_STACKS[cpu].0[which].get() as u64 + SMALL_STACK as u64
}

/// The number of the small stack for [`Local::switch_stack`].
pub const SWITCH: usize = 2;

/// All CPUs' data.
pub static LOCALS: [Local; MAX] = {
    let mut all = [const { Local::new(0) }; MAX];
    let mut i = 0;
    while i < MAX {
        all[i].id = i as u32;
        i += 1;
    }
    all
};

/// Where the fields that assembly uses lie from GS.
pub mod offset {
    use super::{Local, Tss};
    use core::mem::offset_of;

    /// [`Local::scratch`].
    pub const SCRATCH: usize = offset_of!(Local, scratch);
    /// [`Tss::rsp0`].
    pub const RSP0: usize = offset_of!(Local, tss) + offset_of!(Tss, rsp0);
    /// [`Local::switch_stack`].
    pub const SWITCH_STACK: usize = offset_of!(Local, switch_stack);
}

/// The running CPU's number.
#[inline(always)]
pub fn id() -> usize {
    let id: u32;
    // SAFETY: GS points to this CPU's `Local` from the first instructions of `boot_main` on.
    unsafe { asm!("mov {:e}, gs:[0]", out(reg) id, options(nostack, preserves_flags, readonly)) };
    id as usize
}

/// The running CPU's data.
#[inline(always)]
pub fn local() -> &'static Local {
    // A CPU's number is always below MAX; the mask spares the bounds check.
    &LOCALS[id() & (MAX - 1)]
}
