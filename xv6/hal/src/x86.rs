//! The machine's instructions, one thin function each. Callers are inside hal and answer for what the instruction does.

use core::arch::asm;

/// Model-specific registers that hal uses.
pub mod msr {
    /// Segment selectors of `syscall` and `sysret`.
    pub const STAR: u32 = 0xc000_0081;
    /// Entry address of `syscall`.
    pub const LSTAR: u32 = 0xc000_0082;
    /// Flags that `syscall` clears.
    pub const SFMASK: u32 = 0xc000_0084;
    /// User FS base.
    pub const FS_BASE: u32 = 0xc000_0100;
    /// The running GS base.
    pub const GS_BASE: u32 = 0xc000_0101;
    /// The GS base that `swapgs` swaps in.
    pub const KERNEL_GS_BASE: u32 = 0xc000_0102;
}

/// Reads a byte from an I/O port.
pub fn inb(port: u16) -> u8 {
    let value: u8;
    // SAFETY: port reads of the devices hal knows touch no memory.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a byte to an I/O port.
pub fn outb(port: u16, value: u8) {
    // SAFETY: only ports of devices that do no DMA are written.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) };
}

/// Writes a 32-bit word to an I/O port.
pub fn outl(port: u16, value: u32) {
    // SAFETY: as for `outb`.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags)) };
}

/// Writes a model-specific register.
///
/// # Safety
/// The register exists and the value keeps the kernel running.
pub unsafe fn wrmsr(register: u32, value: u64) {
    // SAFETY: passed on to the caller.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
             options(nostack, preserves_flags));
    }
}

/// The time-stamp counter.
pub fn rdtsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// The address of the last page fault.
pub fn cr2() -> usize {
    let value: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// The physical address of the page table in use.
pub fn cr3() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Changes the page table, and empties the TLB.
///
/// # Safety
/// The table maps the kernel as the present one does.
pub unsafe fn set_cr3(root: u64) {
    // SAFETY: passed on to the caller.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// CR0.
pub fn cr0() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr0", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Sets CR0.
///
/// # Safety
/// The value keeps the kernel running.
pub unsafe fn set_cr0(value: u64) {
    // SAFETY: passed on to the caller.
    unsafe { asm!("mov cr0, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// CR4.
pub fn cr4() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Sets CR4.
///
/// # Safety
/// The CPU has the features whose bits are set.
pub unsafe fn set_cr4(value: u64) {
    // SAFETY: passed on to the caller.
    unsafe { asm!("mov cr4, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Makes this CPU forget its translation of `va`.
pub fn invlpg(va: usize) {
    // SAFETY: dropping a cached translation only costs time.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack, preserves_flags)) };
}

/// Stops this CPU for good; an NMI does not wake it into anything but this loop.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: with interrupts off, `hlt` just waits.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
