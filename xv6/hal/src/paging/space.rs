//! What a page table consists of: the root, the lock with what has changed since the last flush, and which CPUs use it.

use super::entry::{self, Table};
use super::{NoMemory, tlb};
use crate::frame::{Frame, buddy};
use crate::phys::direct;
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Pages flushed one by one; more are flushed with all the rest.
pub const FEW: usize = 24;

/// What TLBs may hold that the tables no longer say.
pub struct Changes {
    /// The pages, while they are few.
    pub pages: [usize; FEW],
    /// How many; more than [`FEW`] means all.
    pub count: usize,
    /// Tables to free after the flush: a chain of frame numbers through their first words.
    tables: u32,
}

impl Changes {
    const NONE: Changes = Changes { pages: [0; FEW], count: 0, tables: 0 };

    /// The entry of `va` was `old`, and is now less.
    pub fn note(&mut self, va: usize, old: u64) {
        // Only what the CPU has marked as used can be in a TLB.
        if old & entry::PRESENT != 0 && old & entry::ACCESSED != 0 {
            if let Some(slot) = self.pages.get_mut(self.count) {
                *slot = va;
            }
            self.count = (self.count + 1).min(FEW + 1);
        }
    }

    /// A table is empty and out of the tree; a CPU may still be walking it.
    pub fn retire(&mut self, table: u64) {
        let first = direct(table & entry::ADDRESS).cast::<u32>();
        // SAFETY: the table's frame belongs to the page table and is linked nowhere else; its entries are zero, so that the
        // chain's number, without a present bit, means nothing to a walk in progress.
        unsafe { first.write_volatile(self.tables << 1) };
        self.tables = entry::index(table);
    }
}

/// A page table's parts.
pub struct Space {
    /// The root table.
    pub root: Frame,
    /// Counts flushes, so that a CPU that slept through some knows.
    pub generation: AtomicU64,
    /// Bit `n`: CPU `n` has it in CR3.
    pub cpus: AtomicU32,
    locked: AtomicBool,
    changes: UnsafeCell<Changes>,
}

// SAFETY: `changes` is used under `locked` only; the rest are atomics and a counted frame.
unsafe impl Sync for Space {}

/// The lock on a space's user half.
pub struct Locked<'a>(&'a Space);

impl Deref for Locked<'_> {
    type Target = Changes;
    fn deref(&self) -> &Changes {
        // SAFETY: the lock is held.
        unsafe { &*self.0.changes.get() }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Changes {
        // SAFETY: the lock is held.
        unsafe { &mut *self.0.changes.get() }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}

/// A leaf entry's place.
pub struct Leaf<'a> {
    /// Its table.
    pub table: &'a Table,
    /// The table's address.
    pub addr: u64,
    /// Its place in it.
    pub slot: usize,
}

/// Changes the number of used entries of the table at `addr`: it is kept in the frame's record, where a page would have its references. The
/// caller holds the lock.
pub fn count(addr: u64, change: i32) -> u32 {
    let refs = &buddy::record(entry::index(addr)).refs;
    let now = refs.load(Ordering::Relaxed).wrapping_add_signed(change);
    refs.store(now, Ordering::Relaxed);
    now
}

impl Space {
    /// An empty one; its kernel half is the kernel's.
    pub fn new() -> Option<Box<Space>> {
        let root = Frame::zeroed()?;
        tlb::share_kernel_half(&root);
        crate::heap::try_box(Space {
            root,
            generation: AtomicU64::new(1),
            cpus: AtomicU32::new(0),
            locked: AtomicBool::new(false),
            changes: UnsafeCell::new(Changes::NONE),
        })
    }

    /// Takes the lock.
    pub fn lock(&self) -> Locked<'_> {
        while self.locked.swap(true, Ordering::Acquire) {
            while self.locked.load(Ordering::Relaxed) {
                crate::cpu::pause();
            }
        }
        Locked(self)
    }

    /// The leaf entry of `va`, if there is a table for it. The lock is held.
    pub fn leaf(&self, va: usize) -> Option<Leaf<'_>> {
        let mut addr = self.root.addr();
        for level in (1..=3).rev() {
            // SAFETY: `addr` is the root's, or was found in a table.
            addr = unsafe { entry::table(addr) }[entry::slot(va, level)].load(Ordering::Relaxed);
            if addr == 0 {
                return None;
            }
        }
        // SAFETY: as above.
        Some(Leaf { table: unsafe { entry::table(addr) }, addr, slot: entry::slot(va, 0) })
    }

    /// The leaf entry of `va`, with new tables where there were none. The lock is held.
    pub fn leaf_or_new(&self, va: usize) -> Result<Leaf<'_>, NoMemory> {
        let mut addr = self.root.addr();
        for level in (1..=3).rev() {
            // SAFETY: `addr` is the root's, or was found in a table.
            let place = unsafe { &entry::table(addr)[entry::slot(va, level)] };
            let mut next = place.load(Ordering::Relaxed);
            if next == 0 {
                let table = Frame::zeroed().ok_or(NoMemory)?;
                buddy::record(entry::index(table.addr())).refs.store(0, Ordering::Relaxed);
                next = entry::table_entry(table);
                place.store(next, Ordering::Release);
                if level < 3 {
                    count(addr, 1);
                }
            }
            addr = next;
        }
        // SAFETY: as above.
        Ok(Leaf { table: unsafe { entry::table(addr) }, addr, slot: entry::slot(va, 0) })
    }

    /// Makes every CPU forget what has changed, and frees the tables that were waiting for that.
    pub fn flush(&self) {
        let mut changes = self.lock();
        if changes.count == 0 && changes.tables == 0 {
            return;
        }
        let taken = core::mem::replace(&mut *changes, Changes::NONE);
        drop(changes);
        if taken.count != 0 || taken.tables != 0 {
            tlb::shoot(self, &taken);
        }
        free_chain(taken.tables);
    }

    /// Frees the tables that wait for a flush; no CPU uses this space any more.
    pub fn free_tables(&self) {
        let tables = core::mem::replace(&mut self.lock().tables, 0);
        free_chain(tables);
    }
}

/// Frees a chain of tables.
fn free_chain(mut index: u32) {
    while index != 0 {
        // SAFETY: `retire` took the frame out of the tree and linked it here; nobody walks it since the flush.
        let (frame, next) = unsafe {
            let next = direct(u64::from(index) << 12).cast::<u32>().read_volatile() >> 1;
            (Frame::from_index(index), next)
        };
        buddy::record(index).refs.store(1, Ordering::Relaxed);
        drop(frame);
        index = next;
    }
}
