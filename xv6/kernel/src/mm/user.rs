//! Copies between kernel data and the running thread's user memory. A user address is an allegation: only these calls turn it
//! into data, and a bad one is `EFAULT`.
//!
//! `hal` stops a copy at a page fault; [`resolve`] lets the current address space repair it, and the copy goes on. Neighbours:
//! [`super::buf`] builds read and write buffers on the same loop. No spin lock and no address-space lock may be held across a call.

use super::Access;
use super::buf::IoVec;
use crate::error::{Errno, Result};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use hal::user::Fault;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Data without padding, pointers or invalid values: it may be copied to and from user memory as bytes. Derive
/// zerocopy's `FromBytes, IntoBytes, Immutable` on a `#[repr(C)]` struct.
pub trait Plain: FromBytes + IntoBytes + Immutable {}
impl<T: FromBytes + IntoBytes + Immutable> Plain for T {}

/// Longest path, its NUL included (path_resolution(7)).
pub const PATH_MAX: usize = 4096;

/// How often one page may be repaired without the copy moving on: a bound on any disagreement between tables and hardware.
const TRIES: usize = 100;

/// Repairs one fault of a copy through the current address space.
fn resolve(fault: Fault) -> bool {
    let Some(task) = crate::task::try_current().filter(|_| fault.addr < hal::user::LIMIT) else { return false };
    let access = if fault.write { Access::Write } else { Access::Read };
    task.count_fault();
    task.mm().is_some_and(|space| space.handle_fault(fault.addr, access).is_ok())
}

/// The most that one step of hal's copies moves: a step that touches the page that faults has moved nothing of the page before it.
const STEP: usize = 64;

/// Runs `copy(range)` over the `len` bytes at `va` until all are copied, repairing the faults on the way. Returns how many were copied.
pub(super) fn copy_with(
    va: usize,
    len: usize,
    copy: impl FnMut(Range<usize>) -> core::result::Result<(), Fault>,
) -> usize {
    copy_repairing(va, len, copy, resolve)
}

fn copy_repairing(
    va: usize,
    len: usize,
    mut copy: impl FnMut(Range<usize>) -> core::result::Result<(), Fault>,
    repair: impl Fn(Fault) -> bool,
) -> usize {
    let mut done = 0;
    let mut tries = 0;
    if len == 0 || va.checked_add(len).is_none_or(|end| end > hal::user::LIMIT) {
        return 0;
    }
    while let Err(fault) = copy(done..len) {
        tries += 1;
        // Copies ascend, so all before the page that faulted is done, but for the step that touched both.
        let reached = (fault.addr & !(hal::frame::SIZE - 1)).saturating_sub(va).min(len);
        if reached > done && copy(reached.saturating_sub(STEP).max(done)..reached).is_ok() {
            done = reached;
            tries = 0;
        }
        if tries > TRIES || !repair(fault) {
            return done;
        }
    }
    len
}

fn all(copied: usize, len: usize) -> Result<()> {
    if copied == len { Ok(()) } else { Err(Errno::EFAULT.into()) }
}

/// Copies user memory at `addr` into `buf`; `EFAULT` unless all of it is readable.
pub fn read_bytes(addr: usize, buf: &mut [u8]) -> Result<()> {
    let len = buf.len();
    all(copy_with(addr, len, |part| hal::user::read(addr + part.start, &mut buf[part])), len)
}

/// Copies `bytes` to user memory at `addr`; `EFAULT` unless all of it is writable.
pub fn write_bytes(addr: usize, bytes: &[u8]) -> Result<()> {
    all(copy_with(addr, bytes.len(), |part| hal::user::write(addr + part.start, &bytes[part])), bytes.len())
}

/// Reads a plain value.
pub fn read<T: Plain>(addr: usize) -> Result<T> {
    let mut value = T::new_zeroed();
    read_bytes(addr, value.as_mut_bytes())?;
    Ok(value)
}

/// Writes a plain value.
pub fn write<T: Plain>(addr: usize, value: &T) -> Result<()> {
    write_bytes(addr, value.as_bytes())
}

/// Reads a NUL-terminated string of at most `max` bytes without its NUL; `ENAMETOOLONG` past that.
pub fn read_cstr(addr: usize, max: usize) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let at = addr.checked_add(text.len()).ok_or(Errno::EFAULT)?;
        // Up to the end of the page: what lies behind the NUL may not be mapped.
        let room = (hal::frame::SIZE - at % hal::frame::SIZE).min(max + 1 - text.len());
        let mut chunk = [0u8; 256];
        let chunk = &mut chunk[..room.min(256)];
        read_bytes(at, chunk)?;
        let part = chunk.iter().position(|&byte| byte == 0).unwrap_or(chunk.len());
        text.try_reserve(part).map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(&chunk[..part]);
        if part < chunk.len() {
            return Ok(text);
        }
        if text.len() > max {
            return Err(Errno::ENAMETOOLONG.into());
        }
    }
}

/// Reads a path name: at most `PATH_MAX - 1` bytes, else `ENAMETOOLONG`.
pub fn read_path(addr: usize) -> Result<Vec<u8>> {
    read_cstr(addr, PATH_MAX - 1)
}

/// Reads the `count` elements of an iovec array (readv(2)): `EINVAL` above 1024, or when a length or their sum is negative as `ssize_t`.
pub fn read_iovec(addr: usize, count: usize) -> Result<Vec<IoVec>> {
    if count > 1024 {
        return Err(Errno::EINVAL.into());
    }
    let mut raw = vec![0u8; count * 16];
    read_bytes(addr, &mut raw)?;
    let mut total = 0usize;
    let mut vec = Vec::with_capacity(count);
    for element in raw.chunks_exact(16) {
        let word = |at: usize| element[at..at + 8].iter().rev().fold(0usize, |value, &byte| value << 8 | byte as usize);
        let (base, len) = (word(0), word(8));
        total = total.checked_add(len).filter(|&sum| sum <= isize::MAX as usize).ok_or(Errno::EINVAL)?;
        if len != 0 && base.checked_add(len).is_none_or(|end| end > hal::user::LIMIT) {
            return Err(Errno::EFAULT.into());
        }
        vec.push(IoVec { base, len });
    }
    Ok(vec)
}

/// Checks a structure of `size` bytes at `addr` of which the first `known` have a meaning here (the extensible calls, as openat2(2)): `E2BIG` if
/// others are set, or if it is larger than a page.
pub fn check_zeros_after(addr: usize, known: usize, size: usize) -> Result<()> {
    if size > hal::frame::SIZE {
        return Err(Errno::E2BIG.into());
    }
    let mut rest = vec![0u8; size.saturating_sub(known)];
    read_bytes(addr.wrapping_add(known), &mut rest)?;
    if rest.iter().any(|&byte| byte != 0) { Err(Errno::E2BIG.into()) } else { Ok(()) }
}

/// Runs an atomic access of `hal::user` on the word at `addr` (futexes), repairing faults.
pub fn word<T>(addr: usize, mut access: impl FnMut(usize) -> core::result::Result<T, Fault>) -> Result<T> {
    let mut value = None;
    all(
        copy_with(addr, 4, |_| {
            value = Some(access(addr)?);
            Ok(())
        }),
        4,
    )?;
    value.ok_or(Errno::EFAULT.into())
}

#[cfg(test)]
mod tests {
    use super::copy_repairing;
    use alloc::vec;
    use core::cell::Cell;
    use hal::user::Fault;

    /// Copies in steps of 8 bytes to `VA`, as hal does; pages from `mapped` on fault, and a step that touches one moves nothing.
    fn copy(len: usize, pages_there: usize) -> (usize, usize) {
        const VA: usize = 0x1_0ffb;
        let mapped = Cell::new(1);
        let mut seen = vec![false; len];
        let copied = copy_repairing(
            VA,
            len,
            |part| {
                for at in part.clone().step_by(8) {
                    let step = at..(at + 8).min(part.end);
                    let end = 0x1_0000 + mapped.get() * 0x1000;
                    if VA + step.end > end {
                        return Err(Fault { addr: end.max(VA + step.start), write: true });
                    }
                    seen[step].fill(true);
                }
                Ok(())
            },
            |_| {
                mapped.set(mapped.get() + 1);
                mapped.get() <= pages_there
            },
        );
        (copied, seen.iter().take_while(|&&byte| byte).count())
    }

    #[test]
    fn every_byte_is_copied_across_pages_that_fault() {
        assert_eq!(copy(3 * 4096, 9), (3 * 4096, 3 * 4096));
        assert_eq!(copy(5, 1), (5, 5));
        assert_eq!(copy(100, 1), (5, 5));
        assert_eq!(copy(9000, 2), (5 + 4096, 5 + 4096));
    }
}
