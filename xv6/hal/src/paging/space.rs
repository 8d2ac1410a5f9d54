//! What a page table consists of: the root, the lock with what has changed since the last flush, and which CPUs run it.
//!
//! No CPU's CR3 ever holds this root: each CPU has a root of its own, and while it runs the space, that has the space's upper entries
//! ([`tlb`]).

use super::entry::{self, Table};
use super::leaves::Leaves;
use super::{NoMemory, Prot, tlb};
use crate::Tally;
use crate::frame::{Frame, buddy};
use crate::phys::direct;
use crate::sync::atomic::{Access, AtomicBool, AtomicU32, AtomicU64, Ordering, Watch};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

/// Pages flushed one by one; more are flushed with all the rest.
pub const FEW: usize = 24;

/// Frames that are user page tables.
static TABLES: Tally = Tally::new();

/// How many frames are user page tables.
pub fn tables() -> usize {
    TABLES.get()
}

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

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.count == 0 && self.tables == 0
    }

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

/// What a space's lock guards, beside the tables.
pub struct State {
    /// What TLBs may hold that the tables no longer say, until a flush takes it.
    pub changes: Changes,
    /// Flushes that have taken changes, and wait for CPUs to forget them.
    pub under_way: u32,
    /// Where the leaves are.
    pub leaves: Leaves,
    /// The root's used slots, a bit each.
    tops: [u64; TOPS / 64],
}

/// Slots of a root that are the user's.
const TOPS: usize = entry::ENTRIES / 2;

/// A page table's parts.
pub struct Space {
    /// The root table.
    pub root: ManuallyDrop<Frame>,
    /// Bit `n`: CPU `n` runs it. Changes under the lock, so by plain stores.
    pub cpus: AtomicU32,
    locked: AtomicBool,
    watch: Watch,
    state: UnsafeCell<State>,
}

// SAFETY: `state` is used under `locked` only; the rest are atomics and a counted frame.
unsafe impl Sync for Space {}

/// The lock on a space's user half.
pub struct Locked<'a> {
    space: &'a Space,
    access: Access,
}

impl Deref for Locked<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        // SAFETY: the lock is held.
        unsafe { &*self.space.state.get() }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        // SAFETY: the lock is held.
        unsafe { &mut *self.space.state.get() }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.access.end();
        self.space.locked.store(false, Ordering::Release);
    }
}

/// Who marks entries as used while the space's lock is held: the CPUs that run it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Walkers {
    /// No CPU: no TLB knows of the entries.
    None,
    /// This CPU alone, which is busy here.
    Mine,
    /// Other CPUs, at any time.
    Others,
}

impl Walkers {
    /// Changes an entry under the lock, in one step if another CPU may mark it meanwhile; what it was.
    #[inline(always)]
    pub fn change(self, leaf: &AtomicU64, new: impl Fn(u64) -> u64) -> u64 {
        if self == Walkers::Others {
            let old = leaf.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(new(old)));
            old.unwrap_or_else(|same| same)
        } else {
            let old = leaf.load(Ordering::Relaxed);
            leaf.store(new(old), Ordering::Relaxed);
            old
        }
    }
}

/// Changes what user code may do with the page at `va`, whose entry is `leaf`.
pub fn protect(walkers: Walkers, state: &mut State, va: usize, leaf: &AtomicU64, prot: Prot) {
    let flags = entry::user_flags(prot);
    let old = walkers.change(leaf, |old| old & (entry::ADDRESS | entry::MARKS) | flags);
    // More access a TLB finds out by itself.
    if !prot.contains(entry::prot(old)) {
        state.changes.note(va, old);
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

impl Leaf<'_> {
    /// The entry of `va` in the table of leaves at `addr`, which was found in the tree under the lock.
    fn of<'a>(addr: u64, va: usize) -> Leaf<'a> {
        // SAFETY: see above.
        Leaf { table: unsafe { entry::table(addr) }, addr, slot: entry::slot(va, 0) }
    }
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
    /// An empty one.
    pub fn new() -> Option<Box<Space>> {
        let root = Frame::zeroed()?;
        TABLES.add(1);
        crate::heap::try_box(Space {
            root: ManuallyDrop::new(root),
            cpus: AtomicU32::new(0),
            locked: AtomicBool::new(false),
            watch: Watch::new(),
            state: UnsafeCell::new(State {
                changes: Changes::NONE,
                under_way: 0,
                leaves: Leaves::NONE,
                tops: [0; TOPS / 64],
            }),
        })
    }

    /// Takes the lock.
    pub fn lock(&self) -> Locked<'_> {
        self.lock_with(crate::cpu::pause)
    }

    /// Takes the lock without answering flushes meanwhile: for who is just changing what it would answer for. Nobody holds the lock while
    /// waiting for an answer.
    pub fn lock_silently(&self) -> Locked<'_> {
        self.lock_with(crate::cpu::relax)
    }

    fn lock_with(&self, wait: fn()) -> Locked<'_> {
        while self.locked.swap(true, Ordering::Acquire) {
            while self.locked.load(Ordering::Relaxed) {
                wait();
            }
        }
        Locked { space: self, access: self.watch.write() }
    }

    /// Who marks entries as used while the lock is held.
    pub fn walkers(&self, _: &State) -> Walkers {
        match self.cpus.load(Ordering::Relaxed) & !tlb::this_cpu() {
            0 if self.cpus.load(Ordering::Relaxed) == 0 => Walkers::None,
            0 => Walkers::Mine,
            _ => Walkers::Others,
        }
    }

    /// Changes an entry of the root, here and in the roots of the CPUs that run the space.
    pub fn set_top(&self, state: &mut State, slot: usize, value: u64) {
        // SAFETY: it is the root, under the lock.
        unsafe { &entry::table(self.root.addr())[slot] }.store(value, Ordering::Release);
        let bit = 1 << (slot % 64);
        if value == 0 {
            state.tops[slot / 64] &= !bit;
        } else {
            state.tops[slot / 64] |= bit;
        }
        tlb::set_top(self, slot, value);
    }

    /// Calls `each` with every used slot of the root and its entry. The lock is held.
    pub fn for_each_top(&self, state: &State, mut each: impl FnMut(usize, u64)) {
        // SAFETY: it is the root, under the lock.
        let root = unsafe { entry::table(self.root.addr()) };
        for (word, mut bits) in state.tops.into_iter().enumerate() {
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                each(slot, root[slot].load(Ordering::Relaxed));
            }
        }
    }

    /// The leaf entry of `va`, if there is a table for it. The lock is held.
    pub fn leaf(&self, state: &State, va: usize) -> Option<Leaf<'_>> {
        if let Some(addr) = state.leaves.find(va) {
            return Some(Leaf::of(addr, va));
        }
        if state.leaves.is_complete() {
            return None;
        }
        let mut addr = self.root.addr();
        for level in (1..=3).rev() {
            // SAFETY: `addr` is the root's, or was found in a table.
            addr = unsafe { entry::table(addr) }[entry::slot(va, level)].load(Ordering::Relaxed);
            if addr == 0 {
                return None;
            }
        }
        Some(Leaf::of(addr, va))
    }

    /// The leaf entry of `va`, with new tables where there were none. The lock is held.
    pub fn leaf_or_new(&self, state: &mut State, va: usize) -> Result<Leaf<'_>, NoMemory> {
        match state.leaves.find_to_fill(va) {
            Some(addr) => Ok(Leaf::of(addr, va)),
            None => self.grow(state, va),
        }
    }

    /// [`Space::leaf_or_new`] down the tree. All tables that are missing are made, or none: one that leads to no page would never be freed.
    fn grow(&self, state: &mut State, va: usize) -> Result<Leaf<'_>, NoMemory> {
        let mut addr = self.root.addr();
        let mut missing = 3;
        while missing > 0 {
            // SAFETY: `addr` is the root's, or was found in a table.
            let next = unsafe { entry::table(addr) }[entry::slot(va, missing)].load(Ordering::Relaxed);
            if next == 0 {
                break;
            }
            (addr, missing) = (next, missing - 1);
        }
        let mut tables = [const { None }; 3];
        for table in &mut tables[..missing as usize] {
            *table = Some(Frame::zeroed().ok_or(NoMemory)?);
        }
        TABLES.add(missing as usize);
        for (table, level) in tables.into_iter().flatten().zip((1..=missing).rev()) {
            buddy::record(entry::index(table.addr())).refs.store(0, Ordering::Relaxed);
            let next = entry::table_entry(table);
            if level == 1 {
                state.leaves.add(va, next);
            }
            let slot = entry::slot(va, level);
            if level == 3 {
                self.set_top(state, slot, next);
            } else {
                // SAFETY: as above.
                let place = unsafe { &entry::table(addr)[slot] };
                place.store(next, Ordering::Release);
                count(addr, 1);
            }
            addr = next;
        }
        Ok(Leaf::of(addr, va))
    }

    /// Makes every CPU forget what has changed, and frees the tables that were waiting for that. What was changed may be in the hands of another
    /// flush, which has taken it already: this one ends after it.
    pub fn flush<'a>(&'a self, mut state: Locked<'a>) {
        if state.changes.is_none() && state.under_way == 0 {
            return;
        }
        if state.under_way > 0 || self.walkers(&state) == Walkers::Others {
            return self.flush_everywhere(state);
        }
        // Nobody to ask. A flush that waits for this CPU's answer goes on as if nothing had happened.
        tlb::forget(self, &state.changes);
        state.changes.count = 0;
        let tables = core::mem::replace(&mut state.changes.tables, 0);
        drop(state);
        free_chain(tables);
    }

    /// [`Space::flush`], where other CPUs run the space or flush it too.
    #[inline(never)]
    fn flush_everywhere<'a>(&'a self, mut state: Locked<'a>) {
        let taken = core::mem::replace(&mut state.changes, Changes::NONE);
        if !taken.is_none() {
            state.under_way += 1;
            drop(state);
            tlb::shoot(self, &taken);
            state = self.lock();
            state.under_way -= 1;
        }
        while state.under_way > 0 {
            drop(state);
            crate::cpu::pause();
            state = self.lock();
        }
        drop(state);
        free_chain(taken.tables);
    }

    /// Frees the tables that wait for a flush; no CPU uses this space any more.
    pub fn free_tables(&self) {
        let tables = core::mem::replace(&mut self.lock().changes.tables, 0);
        free_chain(tables);
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        TABLES.sub(1);
        // SAFETY: nobody uses the root again.
        let root = unsafe { ManuallyDrop::take(&mut self.root) };
        if self.state.get_mut().tops == [0; TOPS / 64] {
            root.give_zeroed();
        }
    }
}

/// Frees a chain of tables.
fn free_chain(mut index: u32) {
    let mut freed = 0;
    while index != 0 {
        let link = direct(u64::from(index) << 12).cast::<u32>();
        // SAFETY: `retire` took the frame out of the tree and linked it here; nobody walks it since the flush. Without the link it is zeros.
        let (frame, next) = unsafe {
            let next = link.read_volatile() >> 1;
            link.write_volatile(0);
            (Frame::from_index(index), next)
        };
        frame.give_zeroed();
        freed += 1;
        index = next;
    }
    if freed > 0 {
        TABLES.sub(freed);
    }
}
