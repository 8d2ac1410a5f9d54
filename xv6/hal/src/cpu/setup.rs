//! Setting up a CPU: GS, descriptor tables, interrupt stacks, control registers, `syscall`.

use super::local::{LOCALS, Local, SWITCH, small_stack};
use crate::x86::{self, msr};
use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::sync::atomic::{AtomicBool, Ordering};

/// The kernel's code segment.
pub const KERNEL_CODE: u16 = 0x08;
/// The kernel's data segment.
pub const KERNEL_DATA: u16 = 0x10;
/// The user's data segment, at the number Linux gives it.
pub const USER_DATA: u16 = 0x2b;
/// The user's code segment, at the number Linux gives it.
pub const USER_CODE: u16 = 0x33;
const TSS_SELECTOR: u16 = 0x38;

/// The interrupt-stack-table slot of NMIs, counted from 1 as the IDT does.
pub const IST_NMI: u8 = 1;
/// The interrupt-stack-table slot of double faults.
pub const IST_DOUBLE_FAULT: u8 = 2;

/// Whether user access needs `stac` and `clac`. Written before the other CPUs start; QEMU's are all alike.
pub static SMAP: AtomicBool = AtomicBool::new(false);
/// Whether user code may write its FS and GS bases by instruction, and so may we.
pub static FSGSBASE: AtomicBool = AtomicBool::new(false);
/// Whether the CPU has RDRAND.
pub static RDRAND: AtomicBool = AtomicBool::new(false);

/// Points GS at CPU `index`'s data: the first thing any CPU does in Rust.
///
/// # Safety
/// Called once on the CPU that becomes number `index`.
pub unsafe fn set_local(index: usize) {
    let local: &Local = &LOCALS[index];
    // SAFETY: the register exists; the value is this CPU's data, as `local()` wants it.
    unsafe { x86::wrmsr(msr::GS_BASE, &raw const *local as u64) };
}

/// Loads the descriptor tables and turns on what the CPU has: SMEP, SMAP, FSGSBASE, write protection, SSE for users, `syscall`.
///
/// # Safety
/// After [`set_local`], once on each CPU; `syscall_entry` is the system-call entry.
pub unsafe fn init(local: &'static Local, syscall_entry: usize) {
    // SAFETY: this CPU owns its `Local`, and nobody refers to the TSS or the GDT yet.
    unsafe {
        let tss = local.tss.get();
        let cpu = local.id as usize;
        for slot in [IST_NMI, IST_DOUBLE_FAULT] {
            (*tss).ist[slot as usize - 1] = small_stack(cpu, slot as usize - 1);
        }
        local.switch_stack.set(small_stack(cpu, SWITCH));
        let base = tss as u64;
        let gdt = local.gdt.get();
        *gdt = [
            0,
            0x00af_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0,
            0,
            0x00cf_f300_0000_ffff,
            0x00af_fb00_0000_ffff,
            0x0000_8900_0000_0067 | (base & 0xff_ffff) << 16 | (base >> 24 & 0xff) << 56,
            base >> 32,
        ];
        load_tables(gdt as u64, (size_of::<[u64; 9]>() - 1) as u16);
        features();
        x86::wrmsr(msr::STAR, u64::from(KERNEL_CODE) << 32 | u64::from(USER_DATA - 8) << 48);
        x86::wrmsr(msr::LSTAR, syscall_entry as u64);
        // TF, IF, DF, NT, IOPL, RF, AC: off in the kernel.
        x86::wrmsr(msr::SFMASK, 0x0005_7700);
    }
}

/// Loads GDT, segments and TSS. GS's base survives, for `mov gs` would clear it.
///
/// # Safety
/// The table is what [`init`] built.
unsafe fn load_tables(gdt: u64, limit: u16) {
    let mut pointer = [0u8; 10];
    pointer[..2].copy_from_slice(&limit.to_le_bytes());
    pointer[2..].copy_from_slice(&gdt.to_le_bytes());
    // SAFETY: the selectors are those of the table; the far return lands on the next instruction.
    unsafe {
        asm!(
            "lgdt [{pointer}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2: mov ds, {data:e}",
            "mov es, {data:e}",
            "mov ss, {data:e}",
            "ltr {tss:x}",
            pointer = in(reg) &raw const pointer,
            code = in(reg) u64::from(KERNEL_CODE),
            data = in(reg) u32::from(KERNEL_DATA),
            tss = in(reg) TSS_SELECTOR,
            scratch = out(reg) _,
        );
    }
}

/// Turns on the features of CR0 and CR4 that the CPU has.
///
/// # Safety
/// No user memory is being accessed.
unsafe fn features() {
    let leaf7 = __cpuid_count(7, 0).ebx;
    let has = |bit: u32| leaf7 & 1 << bit != 0;
    let mut cr4 = x86::cr4() | 1 << 9 | 1 << 10; // FXSR, SIMD exceptions; no OSXSAVE: AVX stays invisible
    for (cpuid_bit, cr4_bit) in [(7, 20), (20, 21), (0, 16)] {
        if has(cpuid_bit) {
            cr4 |= 1 << cr4_bit;
        }
    }
    SMAP.store(has(20), Ordering::Relaxed);
    FSGSBASE.store(has(0), Ordering::Relaxed);
    RDRAND.store(__cpuid(1).ecx & 1 << 30 != 0, Ordering::Relaxed);
    // SAFETY: each bit was checked; CR0 gets native x87 errors and write protection, and loses emulation and lazy switching.
    unsafe {
        x86::set_cr4(cr4);
        x86::set_cr0((x86::cr0() | 1 << 1 | 1 << 5 | 1 << 16) & !(1 << 2 | 1 << 3));
        asm!("fninit", options(nostack));
    }
}
