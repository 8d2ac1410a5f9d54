//! User page tables. The kernel half is shared by all; the user half belongs to one [`PageTable`], whose mappings each hold a
//! reference to their frame. Mutators only note what TLBs may still hold; [`PageTable::flush`] makes it true on every CPU.

use crate::frame::Frame;
use core::ops::Range;

bitflags::bitflags! {
    /// What user code may do with a page. A page without `READ` is kept present but out of user code's reach.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Prot: u8 {
        /// Reads.
        const READ = 1;
        /// Writes.
        const WRITE = 2;
        /// Instruction fetches.
        const EXEC = 4;
    }
}

/// The lowest user address that can be mapped: the first 64 KiB stay empty, so that null pointers fault.
pub const LOWEST: usize = 0x1_0000;

/// There is no memory for a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// A present page, as [`PageTable::get`] finds it.
#[derive(Debug)]
pub struct Mapping {
    /// The frame, shared.
    pub frame: Frame,
    /// What user code may do.
    pub prot: Prot,
    /// Written since the bit was last cleared.
    pub dirty: bool,
    /// Used since the bit was last cleared.
    pub accessed: bool,
}

/// The user half of an address space. All addresses are page-aligned and lie in [`LOWEST`]..[`crate::user::LIMIT`]: others panic.
/// The caller serialises mutators (they take `&self`, and are safe but wait for each other on a lock).
pub struct PageTable {
    root: Frame,
}

impl PageTable {
    /// An empty one.
    pub fn new() -> Option<PageTable> {
        todo!()
    }

    /// Maps `frame` (taking a reference) at `va`, replacing what was there.
    pub fn map(&self, va: usize, frame: &Frame, prot: Prot) -> Result<(), NoMemory> {
        let _ = (va, frame, prot, &self.root);
        todo!()
    }

    /// Removes the page at `va`. Flush before the frame is let go.
    pub fn unmap(&self, va: usize) -> Option<Frame> {
        let _ = va;
        todo!()
    }

    /// Removes every page in `range`, giving each to `each`, and frees the tables that become empty. Flush before the frames are let go.
    pub fn unmap_range(&self, range: Range<usize>, each: &mut dyn FnMut(usize, Frame)) {
        let _ = (range, each);
        todo!()
    }

    /// Sets the protection of the present pages in `range`.
    pub fn protect(&self, range: Range<usize>, prot: Prot) {
        let _ = (range, prot);
        todo!()
    }

    /// The page at `va`.
    pub fn get(&self, va: usize) -> Option<Mapping> {
        let _ = va;
        todo!()
    }

    /// Clears the dirty bit at `va`; whether it was set.
    pub fn clear_dirty(&self, va: usize) -> bool {
        let _ = va;
        todo!()
    }

    /// Clears the accessed bit at `va`; whether it was set.
    pub fn clear_accessed(&self, va: usize) -> bool {
        let _ = va;
        todo!()
    }

    /// Fork's fast path: `child` shares every present page of `range`; writable ones become read-only in both (flush the parent).
    pub fn copy_range_cow(&self, child: &PageTable, range: Range<usize>) -> Result<(), NoMemory> {
        let _ = (child, range);
        todo!()
    }

    /// As [`PageTable::copy_range_cow`] for shared memory: the protection stays.
    pub fn copy_range_shared(&self, child: &PageTable, range: Range<usize>) -> Result<(), NoMemory> {
        let _ = (child, range);
        todo!()
    }

    /// Moves the present pages of `from..from+len` to `to..to+len` (mremap); the target must be empty, the ranges apart.
    pub fn move_range(&self, from: usize, to: usize, len: usize) -> Result<(), NoMemory> {
        let _ = (from, to, len);
        todo!()
    }

    /// Calls `each` with every present page in `range`: address, dirty, accessed.
    pub fn for_each(&self, range: Range<usize>, each: &mut dyn FnMut(usize, Mapping)) {
        let _ = (range, each);
        todo!()
    }

    /// Makes every CPU forget what the mutators changed since the last flush. Waits for the CPUs that run this page table.
    pub fn flush(&self) {
        todo!()
    }

    /// Makes this the running CPU's page table; does nothing if it already is.
    pub fn activate(&self) {
        todo!()
    }
}

/// Makes the kernel's own page table (no user half) the running CPU's.
pub fn activate_kernel() {
    todo!()
}
