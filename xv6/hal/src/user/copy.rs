//! Copies between the kernel and the active page table's user memory. A page fault stops a copy; the caller resolves the
//! fault and tries again.

use super::Fault;

/// Copies user memory at `va` into `buf`.
pub fn read(va: usize, buf: &mut [u8]) -> Result<(), Fault> {
    let _ = (va, buf);
    todo!()
}

/// Copies `buf` into user memory at `va`.
pub fn write(va: usize, buf: &[u8]) -> Result<(), Fault> {
    let _ = (va, buf);
    todo!()
}

/// Copies a NUL-terminated string at `va` into `buf`; its length without the NUL, or `buf.len()` when there is none in that many bytes.
pub fn read_cstr(va: usize, buf: &mut [u8]) -> Result<usize, Fault> {
    let _ = (va, buf);
    todo!()
}

/// Loads the 32-bit word at `va`, atomically; a misaligned address is a fault.
pub fn load_u32(va: usize) -> Result<u32, Fault> {
    let _ = va;
    todo!()
}

/// Stores a 32-bit word at `va`, atomically; a misaligned address is a fault.
pub fn store_u32(va: usize, value: u32) -> Result<(), Fault> {
    let _ = (va, value);
    todo!()
}

/// Atomically replaces the word at `va` with `new` if it is `old`; the value that was there. A misaligned address is a fault.
pub fn cmpxchg_u32(va: usize, old: u32, new: u32) -> Result<u32, Fault> {
    let _ = (va, old, new);
    todo!()
}
