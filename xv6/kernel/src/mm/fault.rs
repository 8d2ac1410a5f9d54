//! Page faults: zero-fill, copy-on-write, file pages, stack growth.
//!
//! [`AddressSpace::handle_fault`] looks under the lock for what the fault needs; what takes long (a page from the disk, space for a store to
//! a file, room in memory) it gets with the lock released, then looks again. Anonymous memory costs one lock and one frame.

use super::area::{Area, AreaFlags, Backing, Mapped};
use super::reclaim::{self, For};
use super::space::Layout;
use super::{Access, AddressSpace, FaultError, Limit, PageCache, frames};
use crate::error::Errno;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use hal::frame::{Counts, Frame, SIZE as PAGE};
use hal::paging::{NoMemory, Owned, Prot as Bits};

/// No such mapping (`SEGV_MAPERR`).
pub const UNMAPPED: FaultError = FaultError::Segv(1);
/// The mapping does not permit it (`SEGV_ACCERR`).
pub const FORBIDDEN: FaultError = FaultError::Segv(2);
/// `BUS_ADRERR`.
const NO_PAGE: FaultError = FaultError::Bus(2);

/// Bytes that stay free between a growing stack and the mapping below it (Linux's `stack_guard_gap`).
pub(super) const STACK_GAP: usize = 256 * PAGE;

/// Cached pages mapped along with the one that faulted: an aligned cluster of this many.
const AROUND: usize = 16;

/// Pages of anonymous memory filled at once when it is written in order: the rest of an aligned cluster of this many.
const AHEAD: usize = 8;

/// Free frames above the reserve with which filling ahead is no waste.
const PLENTY: usize = 2048;

/// What is needed before the fault can be looked at again.
enum Need {
    /// A page of a file, ready for stores if `write`.
    Page { pages: Arc<PageCache>, index: u64, write: bool },
    /// Memory.
    Room,
    /// A signal.
    Signal(FaultError),
}

impl From<FaultError> for Need {
    fn from(error: FaultError) -> Need {
        Need::Signal(error)
    }
}

impl From<NoMemory> for Need {
    fn from(_: NoMemory) -> Need {
        Need::Room
    }
}

impl AddressSpace {
    /// Repairs a page fault, or says which signal it is. May sleep; no address-space or spin lock may be held.
    pub fn handle_fault(&self, addr: usize, access: Access) -> Result<(), FaultError> {
        self.repair(addr, access, false)
    }

    /// As [`AddressSpace::handle_fault`] for a debugger (ptrace(2), `/proc/PID/mem`): what the program itself may not touch it may, if its stores
    /// stay with the process: a private page becomes a copy, the program's own rights to it stay as they are.
    pub fn handle_forced(&self, addr: usize, access: Access) -> Result<(), FaultError> {
        self.repair(addr, access, true)
    }

    fn repair(&self, addr: usize, access: Access, forced: bool) -> Result<(), FaultError> {
        if !(hal::paging::LOWEST..hal::user::LIMIT).contains(&addr) {
            return Err(UNMAPPED);
        }
        let page = addr & !(PAGE - 1);
        // Holding the page that was fetched keeps reclaim from taking it before it is mapped.
        let mut held: Option<Frame> = None;
        loop {
            let need = {
                let mut layout = self.layout.lock();
                match self.try_fault(&mut layout, page, access, forced) {
                    Ok(()) => return Ok(()),
                    Err(need) => need,
                }
            };
            match need {
                Need::Signal(error) => return Err(error),
                Need::Room => reclaim::make_room(1, For::Keeps).map_err(|_| FaultError::Oom)?,
                Need::Page { pages, index, write } => {
                    held = Some(pages.get_for_fault(index, write).map_err(|error| match error.errno {
                        Errno::ENOMEM => FaultError::Oom,
                        _ => NO_PAGE,
                    })?);
                }
            }
            // One frame at a time is enough to hold on to.
            let _ = &held;
        }
    }

    fn try_fault(&self, layout: &mut Layout, page: usize, access: Access, forced: bool) -> Result<(), Need> {
        if self.doomed.load(Ordering::Relaxed) {
            return Err(FaultError::Oom.into());
        }
        let area = match layout.areas.find(page) {
            Some(area) => area,
            None => self.grow_stack(layout, page)?,
        };
        let may_force = forced && (access == Access::Read || !area.is_shared());
        if !area.prot.permits(access) && !may_force {
            return Err(FORBIDDEN.into());
        }
        let write = access == Access::Write;
        if let Some(prot) = self.table.prot(page) {
            return self.present(area, page, prot, write);
        }
        // Tables are made without asking, and the page of zeros and cached pages take no frame: who maps only those stops here.
        if !write && !frames::has_room(0) {
            return Err(Need::Room);
        }
        match &area.backing {
            Backing::Anonymous => self.fill_zeros(area, page, write),
            Backing::Mapped(mapped) if mapped.shared => self.fill_shared(area, mapped, page, write),
            Backing::Mapped(mapped) => self.fill_private(area, mapped, page, write),
        }
    }

    /// The page is there, so the access was not: a store to a page that may not be written yet, or bits that lag behind the area.
    fn present(&self, area: &Area, page: usize, prot: Bits, write: bool) -> Result<(), Need> {
        if !write || prot.contains(Bits::WRITE) {
            let bits = area.prot.hardware(prot.contains(Bits::WRITE));
            if bits != prot {
                self.table.protect(page..page + PAGE, bits);
            }
            // Another thread was faster, or a TLB is stale.
            self.table.flush();
            return Ok(());
        }
        match &area.backing {
            Backing::Mapped(mapped) if mapped.shared => self.fill_shared(area, mapped, page, write),
            _ => match self.table.own(page, area.prot.hardware(true), frames::take_private) {
                Owned::NoFrame => Err(Need::Room),
                // Nobody else removes pages while we have the areas' lock.
                Owned::Sole | Owned::Copied | Owned::Absent => Ok(()),
            },
        }
    }

    fn fill_zeros(&self, area: &Area, page: usize, write: bool) -> Result<(), Need> {
        let mut frames = [const { None }; AHEAD];
        if write {
            frames::take_private_zeros(&mut frames[..1 + self.ahead(area, page)]);
            if frames[0].is_none() {
                return Err(Need::Room);
            }
        } else {
            frames[0] = Some(Frame::zero_page());
        }
        let mapped = self.table.map_absent(page, &mut frames, area.prot.hardware(write))?;
        self.count(area, mapped as isize);
        Ok(())
    }

    /// Memory that is written page after page, upwards, gets the rest of its cluster at once: how many pages after `page`.
    fn ahead(&self, area: &Area, page: usize) -> usize {
        let start = page.saturating_sub(2 * PAGE).max(area.start);
        let end = (page & !(AHEAD * PAGE - 1)).saturating_add(AHEAD * PAGE).min(area.end);
        let (mut below, mut free_to) = (0, end);
        self.table.each_present(start..end, &mut |va| match va {
            va if va < page => below += 1,
            va => free_to = free_to.min(va),
        });
        if below < 2 || !frames::has_room(PLENTY) {
            return 0;
        }
        free_to.saturating_sub(page + PAGE) / PAGE
    }

    fn fill_shared(&self, area: &Area, mapped: &Mapped, page: usize, write: bool) -> Result<(), Need> {
        let index = area.page_at(mapped, page);
        let need = || Need::Page { pages: mapped.pages.clone(), index, write };
        if index >= mapped.pages.size().div_ceil(PAGE as u64) {
            return Err(NO_PAGE.into());
        }
        let frame = mapped.pages.lookup(index).ok_or_else(need)?;
        // Write-back marks a page clean before it takes our lock to stop stores: one that is dirty now will see it.
        let stores = if write || mapped.pages.is_memory() { mapped.pages.takes_stores(index) } else { false };
        if write && !stores {
            return Err(need());
        }
        let old = self.table.map(page, frame, area.prot.hardware(stores))?;
        if old.is_none() {
            self.count(area, 1);
            self.map_cached(area, mapped, page)?;
        } else {
            self.table.flush();
        }
        Ok(())
    }

    fn fill_private(&self, area: &Area, mapped: &Mapped, page: usize, write: bool) -> Result<(), Need> {
        let index = area.page_at(mapped, page);
        if index >= mapped.pages.size().div_ceil(PAGE as u64) {
            return Err(NO_PAGE.into());
        }
        let need = || Need::Page { pages: mapped.pages.clone(), index, write: false };
        if !write {
            return if self.map_cached(area, mapped, page)? { Ok(()) } else { Err(need()) };
        }
        let cached = mapped.pages.lookup(index).ok_or_else(need)?;
        let copy = frames::take_private(false).ok_or(Need::Room)?;
        copy.copy_from(&cached);
        self.table.map(page, copy, area.prot.hardware(true))?;
        self.count(area, 1);
        Ok(())
    }

    /// Maps `page`, if it is cached, and its cached neighbours too, without stores: a fault costs far more than a table entry. Whether it is.
    fn map_cached(&self, area: &Area, mapped: &Mapped, page: usize) -> Result<bool, NoMemory> {
        let cluster = page & !(AROUND * PAGE - 1);
        let window = cluster.max(area.start)..(cluster + AROUND * PAGE).min(area.end);
        let end = area.page_at(mapped, window.end).min(mapped.pages.size().div_ceil(PAGE as u64));
        let first = area.page_at(mapped, window.start);
        let wanted = area.page_at(mapped, page);
        let mut found = [const { None }; AROUND];
        let mut counts = Counts::default();
        mapped.pages.for_each_cached(first, end, |index, cached| {
            cached.used |= index == wanted;
            found[(index - first) as usize] = Some(counts.share(&cached.frame));
        });
        drop(counts);
        if found[(wanted - first) as usize].is_none() {
            return Ok(false);
        }
        let fresh = self.table.map_absent(window.start, &mut found, area.prot.hardware(false))?;
        self.count(area, fresh as isize);
        Ok(true)
    }

    /// Lets a stack reach down to `page`, if one lies above and its limit and the gap below permit.
    fn grow_stack<'a>(&self, layout: &'a mut Layout, page: usize) -> Result<&'a Area, FaultError> {
        let area =
            layout.areas.above(page).filter(|area| area.flags.contains(AreaFlags::GROWS_DOWN)).ok_or(UNMAPPED)?;
        let (start, grown) = (area.start, area.end - page);
        let more = start - page;
        let free_below =
            layout.areas.below(page).is_none_or(|below| page - below.end >= STACK_GAP || below.prot.is_empty());
        let size = (layout.areas.size() + more) as u64;
        if !free_below || grown as u64 > self.limit(Limit::Stack) || size > self.limit(Limit::AddressSpace) {
            return Err(UNMAPPED);
        }
        layout.areas.grow_down(start, page);
        layout.areas.find(page).ok_or(UNMAPPED)
    }

    /// Unmaps the pages of `cache` in `range` (of its page indices) wherever this space shows them: truncation. Private copies go too.
    pub(super) fn unmap_cache(&self, cache: &PageCache, range: core::ops::Range<u64>) {
        let layout = self.layout.lock();
        for area in layout.areas.iter() {
            if let Some(shown) = shown(area, cache, &range) {
                self.zap(area, shown);
            }
        }
    }

    /// Makes the pages of `cache` in `range` read-only in this space's shared mappings: the next store faults.
    pub(super) fn guard_stores(&self, cache: &PageCache, range: core::ops::Range<u64>) {
        let layout = self.layout.lock();
        for area in layout.areas.iter().filter(|area| area.is_shared() && area.prot.contains(super::Prot::WRITE)) {
            if let Some(shown) = shown(area, cache, &range) {
                self.table.protect(shown, area.prot.hardware(false));
            }
        }
        self.table.flush();
    }

    /// Reclaim wants page `index` of `cache`, which is `frame`: unmaps it unless it was used since the last time. Does nothing while the
    /// space is busy.
    pub(super) fn try_evict(&self, cache: &PageCache, index: u64, frame: &Frame) {
        let Some(layout) = self.layout.try_lock() else { return };
        for area in layout.areas.iter() {
            let Some(shown) = shown(area, cache, &(index..index + 1)) else { continue };
            let here = self.table.get(shown.start).is_some_and(|mapping| mapping.frame.same(frame));
            if here && !self.table.clear_accessed(shown.start) {
                let old = self.table.unmap(shown.start);
                self.table.flush();
                self.count(area, -1);
                drop(old);
            }
        }
        self.table.flush();
    }
}

/// The addresses at which `area` shows pages `range` of `cache`.
fn shown(area: &Area, cache: &PageCache, range: &core::ops::Range<u64>) -> Option<core::ops::Range<usize>> {
    let Backing::Mapped(mapped) = &area.backing else { return None };
    let last = mapped.first + (area.len() / PAGE) as u64;
    let (from, to) = (range.start.max(mapped.first), range.end.min(last));
    if !core::ptr::eq(&*mapped.pages, cache) || from >= to {
        return None;
    }
    let va = |index: u64| area.start + (index - mapped.first) as usize * PAGE;
    Some(va(from)..va(to))
}
