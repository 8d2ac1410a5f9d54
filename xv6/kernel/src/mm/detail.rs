//! What is present of each area, and whose: `/proc/PID/smaps`.
//!
//! Locks: the address space's, for the whole look; a cache's index inside.

use super::area::{Area, Backing};
use super::{AddressSpace, AreaInfo};
use alloc::vec::Vec;
use core::ops::AddAssign;
use hal::frame::SIZE as PAGE;
use hal::paging::Mapping;

/// What is present of an area, in bytes. The page of zeros does not count, as on Linux.
#[derive(Clone, Copy, Default, Debug)]
pub struct Detail {
    /// All of it.
    pub rss: usize,
    /// The same, each page divided by how many map it.
    pub pss: usize,
    /// Of that, pages that were written.
    pub pss_dirty: usize,
    /// Of that, memory of no file.
    pub pss_anonymous: usize,
    /// Mapped by others, too, not written; written.
    pub shared: [usize; 2],
    /// Mapped here alone, not written; written.
    pub private: [usize; 2],
    /// Used lately.
    pub referenced: usize,
    /// Memory of no file.
    pub anonymous: usize,
}

impl AddAssign for Detail {
    fn add_assign(&mut self, other: Detail) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.pss_dirty += other.pss_dirty;
        self.pss_anonymous += other.pss_anonymous;
        for kind in 0..2 {
            self.shared[kind] += other.shared[kind];
            self.private[kind] += other.private[kind];
        }
        self.referenced += other.referenced;
        self.anonymous += other.anonymous;
    }
}

impl Detail {
    /// Counts the present page `mapping` at `va` of `area`.
    fn count(&mut self, area: &Area, va: usize, mapping: &Mapping) {
        let frame = &mapping.frame;
        if frame.is_zero_page() {
            return;
        }
        let cached = match &area.backing {
            Backing::Mapped(mapped) => {
                mapped.pages.lookup(area.page_at(mapped, va)).is_some_and(|page| page.same(frame))
            }
            Backing::Anonymous => false,
        };
        // Besides the page tables, the cache has a reference, and `mapping` itself.
        let mappers = frame.refs().saturating_sub(1 + usize::from(cached)).max(1);
        let dirty = mapping.dirty || !cached;
        self.rss += PAGE;
        self.pss += PAGE / mappers;
        self.pss_dirty += if dirty { PAGE / mappers } else { 0 };
        let kinds = if mappers > 1 { &mut self.shared } else { &mut self.private };
        kinds[usize::from(dirty)] += PAGE;
        self.referenced += if mapping.accessed { PAGE } else { 0 };
        if !cached {
            self.anonymous += PAGE;
            self.pss_anonymous += PAGE / mappers;
        }
    }
}

impl AddressSpace {
    /// The areas, ascending, and what is present of each.
    pub fn details(&self) -> Vec<(AreaInfo, Detail)> {
        let (areas, heap) = {
            let layout = self.layout.lock();
            let detail = |area: &Area| {
                let mut detail = Detail::default();
                self.table.for_each(area.range(), &mut |va, mapping| detail.count(area, va, &mapping));
                (area.clone(), detail)
            };
            (layout.areas.iter().map(detail).collect::<Vec<_>>(), layout.heap_start..layout.heap_end)
        };
        // As `maps`: names and drops without the lock.
        areas.iter().map(|(area, detail)| (super::space::describe(area, &heap), *detail)).collect()
    }
}
