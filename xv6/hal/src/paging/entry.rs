//! A page-table entry, and a table of them. The CPU sets the accessed and dirty bits at any time, so entries are atomics.

use super::Prot;
use crate::frame::Frame;
use crate::sync::atomic::AtomicU64;

/// The entry is valid.
pub const PRESENT: u64 = 1;
/// Writes are allowed.
pub const WRITE: u64 = 1 << 1;
/// User mode may use it.
pub const USER: u64 = 1 << 2;
/// Not cached (device registers).
pub const UNCACHED: u64 = 1 << 4;
/// A CPU has used it. No TLB holds an entry whose bit is clear, unless it was cleared since the last flush.
pub const ACCESSED: u64 = 1 << 5;
/// The CPU has written through it.
pub const DIRTY: u64 = 1 << 6;
/// Maps 2 MiB (in a level-2 table).
pub const LARGE: u64 = 1 << 7;
/// Ours: a page with no access at all. Not `PRESENT`, but its frame is held.
pub const NO_ACCESS: u64 = 1 << 9;
/// Ours: it was `ACCESSED` when the CPU that had used it left the space.
pub const USED_BEFORE: u64 = 1 << 10;
/// What use leaves behind.
pub const MARKS: u64 = ACCESSED | USED_BEFORE | DIRTY;
/// No instruction fetches.
pub const NO_EXECUTE: u64 = 1 << 63;
/// The frame's address.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Entries in a table.
pub const ENTRIES: usize = 512;

/// A page table of any level.
pub type Table = [AtomicU64; ENTRIES];

#[cfg(not(loom))]
const _: () = assert!(size_of::<Table>() == crate::frame::SIZE);

/// The table in the frame at `addr`.
///
/// # Safety
/// The frame is a page table, and stays one while the reference lives.
pub unsafe fn table<'a>(addr: u64) -> &'a Table {
    #[cfg(loom)]
    return crate::model::mmu::table(index(addr));
    // SAFETY: the direct map reaches it; entries are only used as atomics.
    #[cfg(not(loom))]
    unsafe {
        &*crate::phys::direct(addr & ADDRESS).cast::<Table>()
    }
}

/// Where `va` is found in a table of `level` (3 is the root, 0 the leaves).
pub fn slot(va: usize, level: u32) -> usize {
    va >> (12 + 9 * level) & (ENTRIES - 1)
}

/// Bytes that an entry of a table of `level` spans.
pub const fn span(level: u32) -> usize {
    1 << (12 + 9 * level)
}

/// The flags of a user page.
pub fn user_flags(prot: Prot) -> u64 {
    if prot.is_empty() {
        return NO_ACCESS;
    }
    let write = if prot.contains(Prot::WRITE) { WRITE } else { 0 };
    let no_execute = if prot.contains(Prot::EXEC) { 0 } else { NO_EXECUTE };
    PRESENT | USER | write | no_execute
}

/// What user code may do by an entry.
pub fn prot(entry: u64) -> Prot {
    if entry & PRESENT == 0 {
        return Prot::empty();
    }
    let mut prot = Prot::READ;
    prot.set(Prot::WRITE, entry & WRITE != 0);
    prot.set(Prot::EXEC, entry & NO_EXECUTE == 0);
    prot
}

/// The number of an entry's frame.
pub fn index(entry: u64) -> u32 {
    ((entry & ADDRESS) >> 12) as u32
}

/// The flags that point to a lower table: the leaves restrict further.
pub fn table_entry(frame: Frame) -> u64 {
    (u64::from(frame.into_index()) << 12) | PRESENT | WRITE | USER | ACCESSED
}
