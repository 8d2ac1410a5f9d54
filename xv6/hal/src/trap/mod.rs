//! Traps: the interrupt descriptor table, and what happens to a trap inside the kernel (an interrupt while idle, a user
//! access to be fixed up, or a panic). Traps from user mode end [`crate::user::UserContext::run`] instead.

pub(crate) mod entry;

use crate::cpu::setup::{IST_DOUBLE_FAULT, IST_NMI, KERNEL_CODE};
use crate::user::copy;
use crate::{irq, x86};
use core::arch::asm;
use core::fmt;

/// What a trap inside the kernel left on the stack.
#[repr(C)]
pub struct TrapFrame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rdx: u64,
    rcx: u64,
    rax: u64,
    rbx: u64,
    /// The interrupted function's frame pointer.
    pub rbp: u64,
    rsi: u64,
    rdi: u64,
    /// The vector.
    pub vector: u64,
    /// The error code, or 0.
    pub error: u64,
    /// Where it happened.
    pub rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrapFrame { rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = self;
        writeln!(f, "rip {:016x} rsp {rsp:016x} rbp {rbp:016x} rflags {:08x}", self.rip, self.rflags)?;
        writeln!(f, "rax {rax:016x} rbx {rbx:016x} rcx {rcx:016x} rdx {rdx:016x}")?;
        writeln!(f, "rsi {rsi:016x} rdi {rdi:016x} r8  {r8:016x} r9  {r9:016x}")?;
        writeln!(f, "r10 {r10:016x} r11 {r11:016x} r12 {r12:016x} r13 {r13:016x}")?;
        writeln!(f, "r14 {r14:016x} r15 {r15:016x} cr2 {:016x} cr3 {:016x}", x86::cr2(), x86::cr3())
    }
}

/// The names of the exceptions, for panics.
const NAMES: [&str; 20] = [
    "divide error",
    "debug exception",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection fault",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
];

/// A gate of the interrupt descriptor table.
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate([u64; 2]);

impl Gate {
    /// An interrupt gate to `entry` on stack `ist` (0: the current one), callable from user mode if `user`.
    fn new(entry: usize, ist: u8, user: bool) -> Gate {
        let entry = entry as u64;
        let kind = 0x8e00 | if user { 0x6000 } else { 0 } | u64::from(ist);
        Gate([entry & 0xffff | u64::from(KERNEL_CODE) << 16 | kind << 32 | (entry >> 16 & 0xffff) << 48, entry >> 32])
    }
}

/// The table, the same for all CPUs.
struct Idt(core::cell::UnsafeCell<[Gate; 256]>);

// SAFETY: written once by the first CPU before the others start.
unsafe impl Sync for Idt {}

static IDT: Idt = Idt(core::cell::UnsafeCell::new([Gate([0; 2]); 256]));

/// Fills the table.
///
/// # Safety
/// On the first CPU, before any other runs and before the table is loaded.
pub unsafe fn init() {
    let stubs = &raw const entry::trap_stubs as usize;
    // SAFETY: nobody else uses the table yet.
    let table = unsafe { &mut *IDT.0.get() };
    for (vector, gate) in table.iter_mut().enumerate() {
        *gate = Gate::new(stubs + 16 * vector, 0, vector == 3 || vector == 4);
    }
    table[2] = Gate::new(entry::nmi_entry as *const () as usize, IST_NMI, false);
    table[8] = Gate::new(entry::double_fault_entry as *const () as usize, IST_DOUBLE_FAULT, false);
}

/// Loads the table on this CPU.
pub fn load() {
    let mut pointer = [0u8; 10];
    pointer[..2].copy_from_slice(&(size_of::<Idt>() as u16 - 1).to_le_bytes());
    pointer[2..].copy_from_slice(&(IDT.0.get() as u64).to_le_bytes());
    // SAFETY: the table is filled and static.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack, preserves_flags)) };
}

/// A trap inside the kernel.
pub(crate) extern "C" fn kernel_trap(frame: &mut TrapFrame) {
    match frame.vector {
        32.. => irq::dispatch(frame.vector as u8),
        14 if copy::fix_up(&mut frame.rip) => {}
        vector => {
            let name = NAMES.get(vector as usize).copied().unwrap_or("exception");
            crate::panic::exception(frame, name)
        }
    }
}
