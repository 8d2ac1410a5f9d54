//! Areas: stretches of an address space with one protection and one content ([`Area`]), and the ordered table of them ([`AreaMap`])
//! that splits at the edges of a change and merges what became equal again. Pure bookkeeping: no page tables, no locks.

use super::rmap::Mapper;
use super::{MapFile, PageCache, Prot};
use crate::error::{Errno, Result};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::SIZE as PAGE;

/// The most areas one address space may have (Linux's `vm.max_map_count`).
pub const MAX_AREAS: usize = 65530;

bitflags::bitflags! {
    /// What an area is besides memory.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct AreaFlags: u8 {
        /// Grows downwards on a fault below it (a stack).
        const GROWS_DOWN = 1;
        /// The program's main stack.
        const STACK = 2;
        /// The brk(2) heap.
        const HEAP = 4;
        /// `MADV_DONTFORK`: a child does not get it.
        const NOT_IN_CHILD = 8;
        /// `MADV_WIPEONFORK`: a child gets zeros.
        const WIPED_IN_CHILD = 16;
    }
}

/// Pages of a file (or of shared anonymous memory) shown by an area.
#[derive(Clone)]
pub struct Mapped {
    /// The pages.
    pub pages: Arc<PageCache>,
    /// Keeps the file open; `None` for shared anonymous memory.
    pub file: Option<Arc<dyn MapFile>>,
    /// The page of the file at the area's start.
    pub first: u64,
    /// Stores go to the file, else to a private copy.
    pub shared: bool,
    /// A shared mapping may be made writable.
    pub writable: bool,
    /// Our entry in the cache's list of mappers.
    pub mapper: Arc<Mapper>,
}

/// What an area shows.
#[derive(Clone)]
pub enum Backing {
    /// Zeros, private.
    Anonymous,
    /// Pages of a file.
    Mapped(Mapped),
}

/// One stretch of user memory.
#[derive(Clone)]
pub struct Area {
    /// First address.
    pub start: usize,
    /// One past the last address.
    pub end: usize,
    /// What user code may do.
    pub prot: Prot,
    /// What else it is.
    pub flags: AreaFlags,
    /// What it shows.
    pub backing: Backing,
}

impl Area {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Its addresses.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether stores are seen by others.
    pub fn is_shared(&self) -> bool {
        matches!(&self.backing, Backing::Mapped(mapped) if mapped.shared)
    }

    /// The page of the backing file at `va`.
    pub fn page_at(&self, mapped: &Mapped, va: usize) -> u64 {
        mapped.first + ((va - self.start) / PAGE) as u64
    }

    /// Cuts the area at `va`, which lies inside; `self` keeps the lower part.
    fn split(&mut self, va: usize) -> Area {
        let mut upper = self.clone();
        upper.start = va;
        if let Backing::Mapped(mapped) = &mut upper.backing {
            mapped.first += ((va - self.start) / PAGE) as u64;
        }
        self.end = va;
        upper
    }

    /// Whether `next` continues this area as if they were one.
    fn joins(&self, next: &Area) -> bool {
        self.end == next.start
            && self.prot == next.prot
            && self.flags == next.flags
            && !self.flags.contains(AreaFlags::GROWS_DOWN)
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (Backing::Mapped(a), Backing::Mapped(b)) => {
                    Arc::ptr_eq(&a.pages, &b.pages)
                        && a.shared == b.shared
                        && a.writable == b.writable
                        && a.first + (self.len() / PAGE) as u64 == b.first
                        && match (&a.file, &b.file) {
                            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                            (a, b) => a.is_none() && b.is_none(),
                        }
                }
                _ => false,
            }
    }
}

/// All areas of an address space, by start address, never overlapping.
#[derive(Default)]
pub struct AreaMap {
    areas: BTreeMap<usize, Area>,
    size: usize,
    /// Where the last search for a gap ended; 0: nowhere yet.
    hint: usize,
    /// No gap above `hint` is larger than this.
    largest_above: usize,
}

impl AreaMap {
    /// Bytes mapped in all.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The areas, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Area> {
        self.areas.values()
    }

    /// The area that contains `va`.
    pub fn find(&self, va: usize) -> Option<&Area> {
        self.areas.range(..=va).next_back().map(|(_, area)| area).filter(|area| va < area.end)
    }

    /// The last area that ends at or below `va`.
    pub fn below(&self, va: usize) -> Option<&Area> {
        self.areas.range(..va).next_back().map(|(_, area)| area)
    }

    /// The first area that starts at or above `va`.
    pub fn above(&self, va: usize) -> Option<&Area> {
        self.areas.range(va..).next().map(|(_, area)| area)
    }

    /// The areas that overlap `range`, ascending.
    pub fn overlapping(&self, range: Range<usize>) -> impl Iterator<Item = &Area> {
        let start = self.find(range.start).map_or(range.start, |area| area.start);
        self.areas.range(start..range.end.max(start)).map(|(_, area)| area)
    }

    /// Whether every address of `range` is mapped.
    pub fn covers(&self, range: Range<usize>) -> bool {
        let mut at = range.start;
        for area in self.overlapping(range.clone()) {
            if area.start > at {
                return false;
            }
            at = area.end;
        }
        at >= range.end
    }

    /// Adds an area where nothing is, joining it with its neighbours. `ENOMEM` when there are too many.
    pub fn insert(&mut self, mut area: Area) -> Result<()> {
        debug_assert!(self.overlapping(area.range()).next().is_none());
        if self.areas.len() >= MAX_AREAS {
            return Err(Errno::ENOMEM.during("adding one more mapping"));
        }
        self.size += area.len();
        if self.below(area.start).is_some_and(|below| below.joins(&area)) {
            let (_, below) = self.areas.range_mut(..area.start).next_back().expect("the area just seen");
            below.end = area.end;
            area = below.clone();
        }
        if self.areas.get(&area.end).is_some_and(|above| area.joins(above)) {
            let above = self.areas.remove(&area.end).expect("the area just seen");
            area.end = above.end;
        }
        self.areas.insert(area.start, area);
        Ok(())
    }

    /// Adds an area above all others and joins it with none: for the copy of a map, whose neighbours did not join there either.
    pub fn append(&mut self, area: Area) {
        debug_assert!(self.last().is_none_or(|last| last.end <= area.start));
        self.size += area.len();
        self.areas.insert(area.start, area);
    }

    /// The highest area.
    pub fn last(&self) -> Option<&Area> {
        self.areas.last_key_value().map(|(_, area)| area)
    }

    /// Takes out all that lies in `range`, cutting areas at its edges. `ENOMEM` when the cuts would make too many areas; nothing
    /// has changed then. What is returned may be the last owner of a file: drop it without locks held.
    pub fn remove(&mut self, range: Range<usize>) -> Result<Vec<Area>> {
        let inside = |area: &Area| area.start < range.start && area.end > range.end;
        if self.areas.len() >= MAX_AREAS && self.find(range.start).is_some_and(inside) {
            return Err(Errno::ENOMEM.during("splitting a mapping"));
        }
        self.cut(range.start);
        self.cut(range.end);
        let mut removed = Vec::new();
        while let Some((&start, _)) = self.areas.range(range.clone()).next() {
            let area = self.areas.remove(&start).expect("the area just seen");
            self.size -= area.len();
            removed.push(area);
        }
        if !removed.is_empty() {
            self.note_freed(&range);
        }
        Ok(removed)
    }

    /// Takes out `range` and puts it back changed by `change`, joining what became equal. Areas cut by the edges are split.
    pub fn change(&mut self, range: Range<usize>, mut change: impl FnMut(&mut Area)) -> Result<()> {
        if self.areas.len() + 2 > MAX_AREAS {
            return Err(Errno::ENOMEM.during("splitting a mapping"));
        }
        for mut area in self.remove(range)? {
            change(&mut area);
            self.insert(area)?;
        }
        Ok(())
    }

    /// Lets the area that starts at `start` begin lower, at `to` (stack growth); what lies between is free.
    pub fn grow_down(&mut self, start: usize, to: usize) {
        let Some(mut area) = self.areas.remove(&start) else { return };
        self.size += start - to;
        area.start = to;
        self.areas.insert(to, area);
    }

    /// Takes everything out.
    pub fn take(&mut self) -> BTreeMap<usize, Area> {
        self.size = 0;
        core::mem::take(&mut self.areas)
    }

    fn cut(&mut self, va: usize) {
        let Some((_, area)) = self.areas.range_mut(..va).next_back() else { return };
        if va < area.end {
            let upper = area.split(va);
            self.areas.insert(va, upper);
        }
    }

    /// The highest free stretch of `len` bytes in `window`, with `gap` bytes free below any stack. Searches go on where the last one ended
    /// while nothing above can fit, so that many mappings do not make each new one slow.
    pub fn find_gap(&mut self, len: usize, window: Range<usize>, gap: usize) -> Option<usize> {
        let resumed = self.hint != 0 && self.hint < window.end && self.largest_above < len;
        let mut top = if resumed { self.hint } else { window.end };
        let mut largest = if resumed { self.largest_above } else { 0 };
        for area in self.areas.range(..top).rev().map(|(_, area)| area) {
            let room = top.saturating_sub(area.end);
            if room >= len {
                break;
            }
            largest = largest.max(room);
            let guard = if area.flags.contains(AreaFlags::GROWS_DOWN) { gap } else { 0 };
            top = top.min(area.start.saturating_sub(guard));
        }
        let found = top.checked_sub(len).filter(|&start| start >= window.start);
        (self.hint, self.largest_above) = (found.unwrap_or(0), largest);
        if found.is_none() && resumed { self.find_gap(len, window, gap) } else { found }
    }

    /// Notes for the next search that `range`, where something was, has become free.
    fn note_freed(&mut self, range: &Range<usize>) {
        if self.hint != 0 && range.end > self.hint {
            let below = self.below(range.start).map_or(0, |area| area.end);
            let above = self.above(range.end).map_or(usize::MAX, |area| area.start);
            self.largest_above = self.largest_above.max(above.saturating_sub(below));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, AreaFlags, AreaMap, Backing};
    use crate::mm::Prot;
    use alloc::vec::Vec;

    fn area(start: usize, end: usize, prot: Prot) -> Area {
        Area { start, end, prot, flags: AreaFlags::empty(), backing: Backing::Anonymous }
    }

    fn shape(map: &AreaMap) -> Vec<(usize, usize, u32)> {
        map.iter().map(|area| (area.start, area.end, area.prot.bits())).collect()
    }

    #[test]
    fn neighbours_join_and_a_hole_splits() {
        let mut map = AreaMap::default();
        map.insert(area(0x2000, 0x3000, Prot::READ)).expect("room");
        map.insert(area(0x4000, 0x6000, Prot::READ)).expect("room");
        map.insert(area(0x3000, 0x4000, Prot::READ)).expect("room");
        assert_eq!(shape(&map), [(0x2000, 0x6000, 1)]);
        assert_eq!(map.remove(0x3000..0x4000).expect("room").len(), 1);
        assert_eq!(shape(&map), [(0x2000, 0x3000, 1), (0x4000, 0x6000, 1)]);
        assert_eq!(map.size(), 0x3000);
        assert!(!map.covers(0x2000..0x5000));
        assert!(map.covers(0x4000..0x6000));
    }

    #[test]
    fn a_change_splits_and_undoing_it_joins() {
        let mut map = AreaMap::default();
        map.insert(area(0x1000, 0x9000, Prot::READ)).expect("room");
        map.change(0x3000..0x4000, |area| area.prot = Prot::WRITE).expect("room");
        assert_eq!(shape(&map), [(0x1000, 0x3000, 1), (0x3000, 0x4000, 2), (0x4000, 0x9000, 1)]);
        map.change(0x3000..0x4000, |area| area.prot = Prot::READ).expect("room");
        assert_eq!(shape(&map), [(0x1000, 0x9000, 1)]);
        assert_eq!(map.size(), 0x8000);
    }

    #[test]
    fn gaps_are_found_from_the_top() {
        let mut map = AreaMap::default();
        assert_eq!(map.find_gap(0x1000, 0x1000..0x9000, 0), Some(0x8000));
        map.insert(area(0x8000, 0x9000, Prot::READ)).expect("room");
        map.insert(area(0x5000, 0x6000, Prot::READ)).expect("room");
        assert_eq!(map.find_gap(0x2000, 0x1000..0x9000, 0), Some(0x6000));
        assert_eq!(map.find_gap(0x3000, 0x1000..0x9000, 0), Some(0x2000));
        assert_eq!(map.find_gap(0x5000, 0x1000..0x9000, 0), None);
        assert_eq!(map.find_gap(0x4000, 0x1000..0x9000, 0), Some(0x1000));
        map.remove(0x5000..0x6000).expect("room");
        assert_eq!(map.find_gap(0x5000, 0x1000..0x9000, 0), Some(0x3000));
    }
}
