//! Where a space's leaf entries are: a CPU that leaves the space looks through them for those it has used, and forgets these pages
//! instead of everything. Only the first tables of leaves are followed, each with the stretch of its slots that ever held a page: small programs
//! have a handful, of short stretches, and for large ones forgetting everything is cheaper. Locks: the space's guards it.

use super::entry::{self, ACCESSED, USED_BEFORE};
use core::ops::Range;
use core::sync::atomic::Ordering;

/// Tables followed.
const MOST: usize = 8;

struct Followed {
    /// The table's address, with flags.
    table: u64,
    /// What its first slot maps.
    base: usize,
    /// The slots that have held a page.
    slots: Range<usize>,
}

impl Followed {
    const NONE: Followed = Followed { table: 0, base: 0, slots: 0..0 };
}

/// The tables of leaves of one space.
pub struct Leaves {
    followed: [Followed; MOST],
    len: usize,
    /// How many more there are.
    others: usize,
}

impl Leaves {
    /// None yet.
    pub const NONE: Leaves = Leaves { followed: [Followed::NONE; MOST], len: 0, others: 0 };

    /// There is a new table, whose first slot maps `base`.
    pub fn add(&mut self, table: u64, base: usize) {
        match self.followed.get_mut(self.len) {
            Some(place) => {
                *place = Followed { table, base, slots: 0..0 };
                self.len += 1;
            }
            None => self.others += 1,
        }
    }

    /// A table is gone.
    pub fn remove(&mut self, table: u64) {
        match self.find(table) {
            Some(at) => {
                self.len -= 1;
                self.followed.swap(at, self.len);
            }
            None => self.others -= 1,
        }
    }

    /// Pages have been mapped by these slots of a table.
    pub fn fill(&mut self, table: u64, slots: Range<usize>) {
        if let Some(at) = self.find(table) {
            let filled = &mut self.followed[at].slots;
            *filled = if filled.end == 0 { slots } else { filled.start.min(slots.start)..filled.end.max(slots.end) };
        }
    }

    fn find(&self, table: u64) -> Option<usize> {
        self.followed[..self.len].iter().position(|place| place.table & entry::ADDRESS == table & entry::ADDRESS)
    }

    /// Calls `each` with every page that the CPU has marked as used, and takes the mark away. False if there are pages it has not looked at.
    ///
    /// # Safety
    /// No CPU walks the space's tables meanwhile, and the tables are those that were added.
    pub unsafe fn take_used(&mut self, each: &mut dyn FnMut(usize)) -> bool {
        for place in &self.followed[..self.len] {
            // SAFETY: passed on to the caller.
            let table = unsafe { entry::table(place.table) };
            for (leaf, slot) in table[place.slots.clone()].iter().zip(place.slots.start..) {
                let value = leaf.load(Ordering::Relaxed);
                if value & ACCESSED != 0 {
                    leaf.store(value & !ACCESSED | USED_BEFORE, Ordering::Relaxed);
                    each(place.base + slot * entry::span(0));
                }
            }
        }
        self.others == 0
    }
}
