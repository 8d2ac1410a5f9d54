//! User page tables. The kernel half is shared by all; the user half belongs to one [`PageTable`], whose mappings each hold a
//! reference to their frame. Mutators only note what TLBs may still hold; [`PageTable::flush`] makes it true on every CPU.
//!
//! [`walk`] holds the loops over the tables, [`tlb`] the CPUs' side. Locks: each page table has its own, unranked (taken last but
//! for frames); two are held only by a copy, parent then child.

pub(crate) mod entry;
#[cfg(target_os = "none")]
pub(crate) mod kernel;
mod leaves;
mod space;
#[cfg(all(test, not(target_os = "none")))]
mod tests;
pub(crate) mod tlb;
mod walk;

use crate::frame::{Counts, Frame};
use crate::user::LIMIT;
use alloc::boxed::Box;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::sync::atomic::Ordering;
pub(crate) use space::Space;

bitflags::bitflags! {
    /// What user code may do with a page. A page without any is kept, but out of user code's reach (and of user copies); as the machine has it,
    /// any access implies `READ`.
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

/// A page, as [`PageTable::get`] finds it.
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

impl Mapping {
    /// The mapping of an entry that holds a frame.
    ///
    /// # Safety
    /// The entry's reference is alive.
    unsafe fn of(value: u64) -> Mapping {
        Mapping {
            // SAFETY: passed on to the caller.
            frame: unsafe { Frame::share_index(entry::index(value), &mut Counts::default()) },
            prot: entry::prot(value),
            dirty: value & entry::DIRTY != 0,
            accessed: value & (entry::ACCESSED | entry::USED_BEFORE) != 0,
        }
    }
}

/// What [`PageTable::own`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owned {
    /// Nobody else has the page's frame.
    Sole,
    /// Others have it: the page has a copy of its own now.
    Copied,
    /// There is no frame for a copy: nothing has changed.
    NoFrame,
    /// There is no page.
    Absent,
}

/// The user half of an address space. All addresses are page-aligned and lie in [`LOWEST`]..[`crate::user::LIMIT`]: others panic.
/// Mutators wait for each other; what they do to one page is atomic, what they do to a range is not.
pub struct PageTable {
    space: Box<Space>,
}

fn check(range: &Range<usize>) {
    let aligned = (range.start | range.end).is_multiple_of(crate::frame::SIZE);
    assert!(aligned && LOWEST <= range.start && range.end <= LIMIT, "not user pages: {range:x?}");
}

impl PageTable {
    /// An empty one.
    pub fn new() -> Option<PageTable> {
        Some(PageTable { space: Space::new()? })
    }

    /// Maps `frame` at `va`. What was there comes back: flush before it is let go.
    pub fn map(&self, va: usize, frame: Frame, prot: Prot) -> Result<Option<Frame>, NoMemory> {
        check(&(va..va + crate::frame::SIZE));
        let mut state = self.space.lock();
        let leaf = self.space.leaf_or_new(&mut state, va)?;
        let place = &leaf.table[leaf.slot];
        let value = u64::from(frame.into_index()) << 12 | entry::user_flags(prot);
        // The CPU changes no entry that is empty, and nobody else has the lock.
        if place.load(Ordering::Relaxed) == 0 {
            place.store(value, Ordering::Relaxed);
            space::count(leaf.addr, 1);
            return Ok(None);
        }
        // Another frame, or less access, is news to a TLB; more access it finds out by itself, so the marks that it may hold the page stay.
        let kept = |old: u64| {
            value & (entry::ADDRESS | entry::PRESENT) == old & (entry::ADDRESS | entry::PRESENT)
                && prot.contains(entry::prot(old))
        };
        let new = |old| if kept(old) { value | old & entry::MARKS } else { value };
        let old = self.space.walkers(&state).change(place, new);
        if !kept(old) {
            state.changes.note(va, old);
        }
        // SAFETY: the old entry held a reference, and is gone.
        Ok(Some(unsafe { Frame::from_index(entry::index(old)) }))
    }

    /// Copy-on-write: gives the page at `va` a frame of its own, with `prot`, and flushes. That is the one it has if nobody else has it, otherwise
    /// the one that `spare` gives, with a copy in it; for a copy of the page of zeros `spare` is called with `true`, and gives a frame of zeros.
    pub fn own(&self, va: usize, prot: Prot, spare: impl FnOnce(bool) -> Option<Frame>) -> Owned {
        check(&(va..va + crate::frame::SIZE));
        let mut state = self.space.lock();
        let Some(leaf) = self.space.leaf(&state, va) else { return Owned::Absent };
        let place = &leaf.table[leaf.slot];
        let value = place.load(Ordering::Relaxed);
        if value == 0 {
            return Owned::Absent;
        }
        let walkers = self.space.walkers(&state);
        // SAFETY: the reference is the entry's, which the lock keeps; it is not dropped here.
        let shared = ManuallyDrop::new(unsafe { Frame::from_index(entry::index(value)) });
        let zeros = shared.is_zero_page();
        if shared.refs() == 1 && !zeros {
            space::protect(walkers, &mut state, va, place, prot);
            self.space.flush(state);
            return Owned::Sole;
        }
        let Some(copy) = spare(zeros) else { return Owned::NoFrame };
        if !zeros {
            copy.copy_from(&shared);
        }
        let value = u64::from(copy.into_index()) << 12 | entry::user_flags(prot);
        let old = walkers.change(place, |_| value);
        state.changes.note(va, old);
        self.space.flush(state);
        // SAFETY: the old entry held a reference, and is gone, from the TLBs too.
        drop(unsafe { Frame::from_index(entry::index(old)) });
        Owned::Copied
    }

    /// Maps `frames`, those that are given, page after page from `va` on where nothing is mapped yet, and takes them; how many that was. The pages
    /// lie in one aligned stretch of 2 MiB (one table): others panic.
    pub fn map_absent(&self, va: usize, frames: &mut [Option<Frame>], prot: Prot) -> Result<usize, NoMemory> {
        let Some(last) = frames.iter().rposition(Option::is_some) else { return Ok(0) };
        let last = va + last * crate::frame::SIZE;
        check(&(va..last + crate::frame::SIZE));
        assert!(va / entry::span(1) == last / entry::span(1), "pages of two tables");
        let mut state = self.space.lock();
        let leaf = self.space.leaf_or_new(&mut state, va)?;
        state.leaves.find_to_fill(last);
        let flags = entry::user_flags(prot);
        let mut mapped = 0;
        for (place, frame) in leaf.table[leaf.slot..].iter().zip(frames) {
            // The CPU changes no entry that is empty, and nobody else has the lock.
            if place.load(Ordering::Relaxed) == 0
                && let Some(frame) = frame.take()
            {
                place.store(u64::from(frame.into_index()) << 12 | flags, Ordering::Relaxed);
                mapped += 1;
            }
        }
        space::count(leaf.addr, mapped);
        Ok(mapped as usize)
    }

    /// Removes the page at `va`. Flush before the frame is let go.
    pub fn unmap(&self, va: usize) -> Option<Frame> {
        let mut found = None;
        self.unmap_range(va..va + crate::frame::SIZE, &mut |_, frame| found = Some(frame));
        found
    }

    /// Removes every page in `range`, giving each to `each`, and frees the tables that become empty. Flush before the frames are let go.
    pub fn unmap_range(&self, range: Range<usize>, each: &mut dyn FnMut(usize, Frame)) {
        check(&range);
        walk::unmap(&self.space, &mut self.space.lock(), range, each);
    }

    /// Sets the protection of the pages in `range`.
    pub fn protect(&self, range: Range<usize>, prot: Prot) {
        check(&range);
        let mut state = self.space.lock();
        let walkers = self.space.walkers(&state);
        walk::for_each(&self.space, &mut state, range, &mut |state, va, leaf| {
            space::protect(walkers, state, va, leaf, prot);
        });
    }

    /// What user code may do with the page at `va`, if there is one.
    pub fn prot(&self, va: usize) -> Option<Prot> {
        check(&(va..va + crate::frame::SIZE));
        let state = self.space.lock();
        let leaf = self.space.leaf(&state, va)?;
        let value = leaf.table[leaf.slot].load(Ordering::Relaxed);
        (value != 0).then(|| entry::prot(value))
    }

    /// The page at `va`.
    pub fn get(&self, va: usize) -> Option<Mapping> {
        check(&(va..va + crate::frame::SIZE));
        let state = self.space.lock();
        let leaf = self.space.leaf(&state, va)?;
        match leaf.table[leaf.slot].load(Ordering::Relaxed) {
            0 => None,
            // SAFETY: the lock keeps the entry, and so its reference, alive.
            value => Some(unsafe { Mapping::of(value) }),
        }
    }

    /// Clears bits at `va`; whether they were set. A TLB may remember them until the flush.
    fn clear(&self, va: usize, bits: u64) -> bool {
        check(&(va..va + crate::frame::SIZE));
        let mut state = self.space.lock();
        let Some(leaf) = self.space.leaf(&state, va) else { return false };
        let old = self.space.walkers(&state).change(&leaf.table[leaf.slot], |old| old & !bits);
        if old & bits != 0 {
            state.changes.note(va, old);
        }
        old & bits != 0
    }

    /// Clears the dirty bit at `va`; whether it was set. Flush before counting on it being set again.
    pub fn clear_dirty(&self, va: usize) -> bool {
        self.clear(va, entry::DIRTY)
    }

    /// Clears the accessed bit at `va`; whether it was set. Flush before counting on it being set again.
    pub fn clear_accessed(&self, va: usize) -> bool {
        self.clear(va, entry::ACCESSED | entry::USED_BEFORE)
    }

    /// Fork's fast path: `child`, empty there (or it panics), shares every page of `ranges`; writable ones become read-only in both (flush the parent).
    pub fn copy_cow(&self, child: &PageTable, ranges: impl Iterator<Item = Range<usize>>) -> Result<(), NoMemory> {
        self.copy(child, ranges, true)
    }

    /// As [`PageTable::copy_cow`] for shared memory: the protection stays.
    pub fn copy_shared(&self, child: &PageTable, ranges: impl Iterator<Item = Range<usize>>) -> Result<(), NoMemory> {
        self.copy(child, ranges, false)
    }

    fn copy(
        &self,
        child: &PageTable,
        mut ranges: impl Iterator<Item = Range<usize>>,
        cow: bool,
    ) -> Result<(), NoMemory> {
        assert!(!core::ptr::eq(self, child), "a page table is not copied onto itself");
        let mut state = self.space.lock();
        let mut theirs = child.space.lock();
        let mut counts = Counts::default();
        ranges.try_for_each(|range| {
            check(&range);
            walk::copy((&self.space, &mut state), (&child.space, &mut theirs), range, cow, &mut counts)
        })
    }

    /// Moves the pages of `from..from+len` to `to..to+len` (mremap), replacing what is there; the ranges do not overlap. After an error some have moved:
    /// move the range back, which needs no memory, and flush.
    pub fn move_range(&self, from: usize, to: usize, len: usize) -> Result<(), NoMemory> {
        check(&(from..from + len));
        check(&(to..to + len));
        assert!(from + len <= to || to + len <= from, "the ranges of a move overlap");
        for offset in (0..len).step_by(crate::frame::SIZE) {
            let Some(Mapping { frame, prot, .. }) = self.get(from + offset) else { continue };
            self.map(to + offset, frame, prot)?;
            self.unmap(from + offset);
        }
        Ok(())
    }

    /// Calls `each` with every page in `range`. `each` must not change this page table.
    pub fn for_each(&self, range: Range<usize>, each: &mut dyn FnMut(usize, Mapping)) {
        check(&range);
        walk::for_each(&self.space, &mut self.space.lock(), range, &mut |_, va, leaf| {
            // SAFETY: the lock keeps the entry, and so its reference, alive.
            each(va, unsafe { Mapping::of(leaf.load(Ordering::Relaxed)) });
        });
    }

    /// Calls `each` with the address of every page in `range`. `each` must not change this page table.
    pub fn each_present(&self, range: Range<usize>, each: &mut dyn FnMut(usize)) {
        check(&range);
        walk::for_each(&self.space, &mut self.space.lock(), range, &mut |_, va, _| each(va));
    }

    /// Makes every CPU forget what the mutators changed since the last flush; costs nothing when that is nothing. Waits for the CPUs that run this
    /// page table.
    pub fn flush(&self) {
        self.space.flush(self.space.lock());
    }

    /// Makes this the running CPU's page table; does nothing if it already is.
    pub fn activate(&self) {
        tlb::activate(&self.space);
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        tlb::retire(&self.space);
        // A CPU that has just left the space may still hold the lock.
        let mut counts = Counts::default();
        walk::unmap(&self.space, &mut self.space.lock(), LOWEST..LIMIT, |_, frame| counts.release(frame));
        drop(counts);
        // The tables that are still noted go with the space: no CPU uses them any more.
        self.space.free_tables();
    }
}

/// Bytes of user page tables now.
pub fn table_bytes() -> usize {
    space::tables() * crate::frame::SIZE
}

/// Bytes of page tables that the kernel has made for itself since boot, for stacks: never freed, since the next crowd needs as many. 0 off the machine.
pub fn kernel_table_bytes() -> usize {
    #[cfg(target_os = "none")]
    return kernel::tables() * crate::frame::SIZE;
    #[cfg(not(target_os = "none"))]
    0
}

/// Makes the kernel's own page table (no user half) the running CPU's.
pub fn activate_kernel() {
    tlb::activate_kernel();
}
