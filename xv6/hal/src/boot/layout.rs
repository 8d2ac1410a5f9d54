//! Where things are in the kernel half of every address space.
//!
//! ```text
//! 0xffff_8000_0000_0000  direct map of physical memory (and of device registers below 4 GiB, uncached), rw, no execute
//! 0xffff_c000_0000_0000  kernel stacks, a guard page below each
//! 0xffff_ffff_8000_0000  the kernel image: text r-x, rodata r--, data rw-
//! ```

/// What is added to a physical address to find it in the direct map.
pub const DIRECT_BASE: usize = 0xffff_8000_0000_0000;
/// Where kernel stacks live.
pub const STACK_BASE: usize = 0xffff_c000_0000_0000;
/// What is added to a physical address to find the kernel image where it runs.
pub const KERNEL_BASE: usize = 0xffff_ffff_8000_0000;

/// A physical address in the direct map.
pub fn direct(addr: u64) -> *mut u8 {
    (DIRECT_BASE + addr as usize) as *mut u8
}

/// The physical address of something in the direct map or in the kernel image.
pub fn physical<T: ?Sized>(value: *const T) -> u64 {
    let va = value.cast::<u8>() as usize;
    if va >= KERNEL_BASE { (va - KERNEL_BASE) as u64 } else { (va - DIRECT_BASE) as u64 }
}

unsafe extern "C" {
    static kernel_start: u8;
    static kernel_rodata: u8;
    static kernel_data: u8;
    static kernel_end: u8;
}

/// The image's segment boundaries, as virtual addresses: text, read-only data, data, end.
pub fn image() -> [usize; 4] {
    [&raw const kernel_start, &raw const kernel_rodata, &raw const kernel_data, &raw const kernel_end]
        .map(|p| p as usize)
}
