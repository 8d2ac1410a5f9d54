//! [`Leaves`]: where a space's leaf entries are, beside the tree that the CPU walks. Most programs have a handful of leaf tables and use a short
//! stretch of each: with these noted, finding an entry, going through all of them, and looking which ones a CPU has used need no walk along tables
//! of 512 entries that are nearly all empty. Only the first few tables are followed; for the others there is the tree.
//! Locks: the space's guards it.

use super::entry::{self, ACCESSED, ENTRIES, USED_BEFORE, span};
use core::ops::Range;
use core::sync::atomic::Ordering;

/// Tables followed.
const MOST: usize = 8;
/// Entries looked at together.
const GROUP: usize = 8;

struct Followed {
    /// What the table's first slot maps.
    base: usize,
    /// The table's address.
    table: u64,
    /// The slots that have held a page: never empty.
    slots: Range<usize>,
}

impl Followed {
    const NONE: Followed = Followed { base: 0, table: 0, slots: 0..0 };
}

/// The leaf tables of one space.
pub struct Leaves {
    followed: [Followed; MOST],
    len: usize,
    /// How many more there are.
    others: usize,
}

impl Leaves {
    /// None yet.
    pub const NONE: Leaves = Leaves { followed: [Followed::NONE; MOST], len: 0, others: 0 };

    /// Whether every table is followed.
    pub fn is_complete(&self) -> bool {
        self.others == 0
    }

    /// There is a new table, in whose stretch `va` will be mapped.
    pub fn add(&mut self, va: usize, table: u64) {
        let slot = entry::slot(va, 0);
        match self.followed.get_mut(self.len) {
            Some(place) => {
                *place = Followed { base: base(va), table: table & entry::ADDRESS, slots: slot..slot + 1 };
                self.len += 1;
            }
            None => self.others += 1,
        }
    }

    /// The table for `va` is gone.
    pub fn remove(&mut self, va: usize) {
        match self.position(va) {
            Some(at) => {
                self.len -= 1;
                self.followed.swap(at, self.len);
            }
            None => self.others -= 1,
        }
    }

    /// The address of the table for `va`, if it is followed.
    pub fn find(&self, va: usize) -> Option<u64> {
        self.position(va).map(|at| self.followed[at].table)
    }

    /// As [`Leaves::find`], to map `va` by it.
    pub fn find_to_fill(&mut self, va: usize) -> Option<u64> {
        let place = &mut self.followed[self.position(va)?];
        let slot = entry::slot(va, 0);
        place.slots.start = place.slots.start.min(slot);
        place.slots.end = place.slots.end.max(slot + 1);
        Some(place.table)
    }

    fn position(&self, va: usize) -> Option<usize> {
        self.followed[..self.len].iter().position(|place| place.base == base(va))
    }

    /// The followed table with the lowest pages in `range`: its address, and the pages.
    pub fn first_in(&self, range: &Range<usize>) -> Option<(u64, Range<usize>)> {
        let within = |place: &Followed| {
            let page = |slot| place.base + slot * span(0);
            let pages = page(place.slots.start).max(range.start)..page(place.slots.end).min(range.end);
            (pages.start < pages.end).then_some((place.table, pages))
        };
        self.followed[..self.len].iter().filter_map(within).min_by_key(|(_, pages)| pages.start)
    }

    /// Calls `each` with every page of the followed tables that a CPU has marked as used, and takes the mark away.
    ///
    /// # Safety
    /// No CPU walks the space's tables meanwhile, and the tables are those that were added.
    pub unsafe fn take_used(&mut self, each: &mut dyn FnMut(usize)) {
        for place in &self.followed[..self.len] {
            // SAFETY: passed on to the caller.
            let table = unsafe { entry::table(place.table) };
            let (groups, _) = table.as_chunks::<GROUP>();
            let used = place.slots.start / GROUP..place.slots.end.div_ceil(GROUP);
            for (entries, group) in groups[used.clone()].iter().zip(used) {
                if entries.iter().fold(0, |all, leaf| all | leaf.load(Ordering::Relaxed)) & ACCESSED == 0 {
                    continue;
                }
                for (leaf, slot) in entries.iter().zip(group * GROUP..) {
                    let value = leaf.load(Ordering::Relaxed);
                    if value & ACCESSED != 0 {
                        leaf.store(value & !ACCESSED | USED_BEFORE, Ordering::Relaxed);
                        each(place.base + slot * span(0));
                    }
                }
            }
        }
    }
}

/// What the first slot of the table for `va` maps.
fn base(va: usize) -> usize {
    va & !(span(1) - 1)
}

const _: () = assert!(ENTRIES.is_multiple_of(GROUP));
