//! User access off the machine: there is no user memory, so nothing can be there.

use super::Fault;

fn none(va: usize, len: usize, write: bool) -> Result<(), Fault> {
    if len == 0 { Ok(()) } else { Err(Fault { addr: va, write }) }
}

/// Every access faults.
pub fn read(va: usize, buf: &mut [u8]) -> Result<(), Fault> {
    none(va, buf.len(), false)
}

/// Every access faults.
pub fn write(va: usize, buf: &[u8]) -> Result<(), Fault> {
    none(va, buf.len(), true)
}

/// Every access faults.
pub fn read_cstr(va: usize, buf: &mut [u8]) -> Result<usize, Fault> {
    none(va, buf.len(), false).map(|()| 0)
}

/// Every access faults.
pub fn load_u32(va: usize) -> Result<u32, Fault> {
    Err(Fault { addr: va, write: false })
}

/// Every access faults.
pub fn store_u32(va: usize, _value: u32) -> Result<(), Fault> {
    Err(Fault { addr: va, write: true })
}

/// Every access faults.
pub fn cmpxchg_u32(va: usize, _old: u32, _new: u32) -> Result<u32, Fault> {
    Err(Fault { addr: va, write: true })
}

/// Every access faults.
///
/// # Safety
/// None is needed.
pub(crate) unsafe fn read_raw(_to: *mut u8, va: usize, len: usize) -> Result<(), Fault> {
    none(va, len, false)
}

/// Every access faults.
///
/// # Safety
/// None is needed.
pub(crate) unsafe fn write_raw(va: usize, _from: *const u8, len: usize) -> Result<(), Fault> {
    none(va, len, true)
}
