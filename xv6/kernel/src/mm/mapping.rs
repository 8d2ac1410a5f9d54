//! mmap(2), munmap(2), mprotect(2), brk(2): changing an address space's areas. Sizes are checked against the limits before anything changes.

use super::area::{Area, AreaFlags, AreaMap, Backing};
use super::fault::STACK_GAP;
use super::space::Layout;
use super::{Access, AddressSpace, Content, Limit, PageCache, Place, Prot};
use crate::error::{Errno, Result};
use crate::task;
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::{self, SIZE as PAGE};
use hal::paging::LOWEST;
use hal::user::LIMIT;

/// A new mapping, as mmap(2) asks for it.
pub struct Request {
    /// Where.
    pub place: Place,
    /// Bytes, rounded up to pages.
    pub len: usize,
    /// Protection.
    pub prot: Prot,
    /// What it shows.
    pub content: Content,
    /// `MAP_GROWSDOWN`.
    pub grows_down: bool,
    /// `MAP_NORESERVE`: no check that memory could ever hold it.
    pub no_reserve: bool,
}

/// The page-aligned range of `len` bytes at `addr`: `EINVAL` if it is empty, misaligned, or leaves user memory.
pub(super) fn pages(addr: usize, len: usize) -> Result<Range<usize>> {
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
    let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
    if !addr.is_multiple_of(PAGE) || len == 0 || end > LIMIT || addr < LOWEST {
        return Err(Errno::EINVAL.during("checking a page range"));
    }
    Ok(addr..end)
}

/// As [`pages`] for calls about what is mapped already: addresses that cannot be are `ENOMEM`.
pub(super) fn mapped_pages(addr: usize, len: usize) -> Result<Range<usize>> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.during("checking a page range"));
    }
    pages(addr, len).map_err(|_| Errno::ENOMEM.during("naming addresses that are never mapped"))
}

impl AddressSpace {
    /// mmap(2): the address of the new mapping.
    pub fn map(&self, request: Request) -> Result<usize> {
        let len = request.len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
        if len == 0 {
            return Err(Errno::EINVAL.during("mapping nothing"));
        }
        if len > LIMIT - LOWEST {
            return Err(Errno::ENOMEM.during("mapping more than user memory"));
        }
        let private_writable = request.prot.contains(Prot::WRITE) && matches!(request.content, Content::Anonymous);
        if private_writable && !request.no_reserve && len / PAGE > frame::total() {
            return Err(Errno::ENOMEM.during("mapping more than memory can hold"));
        }
        let backing = self.backing(request.content, len)?;
        let mut flags = AreaFlags::empty();
        flags.set(AreaFlags::GROWS_DOWN, request.grows_down);
        let removed: Vec<Area>;
        let start = {
            let mut layout = self.layout.lock();
            let start = choose(&mut layout, request.place, len)?;
            let range = start..start + len;
            let replaced: usize = layout.areas.overlapping(range.clone()).map(|area| overlap(area, &range)).sum();
            let area = Area { start, end: start + len, prot: request.prot, flags, backing };
            self.admit(&layout, &area, len, replaced)?;
            removed = self.remove(&mut layout, range)?;
            layout.areas.insert(area)?;
            layout.peak = layout.peak.max(layout.areas.size());
            start
        };
        drop(removed);
        Ok(start)
    }

    /// The main stack of a program: `len` bytes below `top`, growing downwards on demand.
    pub fn map_stack(&self, top: usize, len: usize, prot: Prot) -> Result<()> {
        let flags = AreaFlags::STACK | AreaFlags::GROWS_DOWN;
        let area = Area { start: top - len, end: top, prot, flags, backing: Backing::Anonymous };
        let mut layout = self.layout.lock();
        if len as u64 > self.limit(Limit::Stack) || layout.areas.overlapping(area.range()).next().is_some() {
            return Err(Errno::ENOMEM.during("mapping a stack"));
        }
        self.admit(&layout, &area, len, 0)?;
        layout.areas.insert(area)
    }

    fn backing(&self, content: Content, len: usize) -> Result<Backing> {
        Ok(match content {
            Content::Anonymous => Backing::Anonymous,
            Content::SharedAnonymous => {
                let mut mapped = self.mapped(PageCache::memory(None, len as u64), None, 0);
                (mapped.shared, mapped.writable) = (true, true);
                Backing::Mapped(mapped)
            }
            Content::File { pages, file, offset, shared, writable } => {
                if !offset.is_multiple_of(PAGE as u64) {
                    return Err(Errno::EINVAL.during("mapping a file from inside a page"));
                }
                if offset.checked_add(len as u64).is_none_or(|end| end > i64::MAX as u64) {
                    return Err(Errno::EOVERFLOW.during("mapping past the largest file size"));
                }
                let mut mapped = self.mapped(pages, Some(file), offset / PAGE as u64);
                (mapped.shared, mapped.writable) = (shared, writable);
                Backing::Mapped(mapped)
            }
        })
    }

    /// Checks `RLIMIT_AS` and `RLIMIT_DATA` for `more` bytes of `area`, of which `replaced` bytes replace others.
    pub(super) fn admit(&self, layout: &Layout, area: &Area, more: usize, replaced: usize) -> Result<()> {
        let size = (layout.areas.size() - replaced).saturating_add(more) as u64;
        if size > self.limit(Limit::AddressSpace) {
            return Err(Errno::ENOMEM.during("checking RLIMIT_AS"));
        }
        let limit = self.limit(Limit::Data);
        if limit != u64::MAX && is_data(area) {
            let data: usize = layout.areas.iter().filter(|area| is_data(area)).map(Area::len).sum();
            if (data + more) as u64 > limit {
                return Err(Errno::ENOMEM.during("checking RLIMIT_DATA"));
            }
        }
        Ok(())
    }

    /// Takes areas out and their pages with them. Drop what is returned without the lock.
    pub(super) fn remove(&self, layout: &mut Layout, range: Range<usize>) -> Result<Vec<Area>> {
        let removed = layout.areas.remove(range)?;
        for area in &removed {
            self.zap(area, area.range());
        }
        Ok(removed)
    }

    /// munmap(2): unmaps whatever lies in the range.
    pub fn unmap(&self, addr: usize, len: usize) -> Result<()> {
        let range = pages(addr, len)?;
        let removed = self.remove(&mut self.layout.lock(), range)?;
        drop(removed);
        Ok(())
    }

    /// mprotect(2): `ENOMEM` if part of the range is not mapped, `EACCES` for stores to a shared file that is not open for writing; what comes before
    /// has changed then, as on Linux.
    pub fn protect(&self, addr: usize, len: usize, prot: Prot) -> Result<()> {
        if len == 0 && addr.is_multiple_of(PAGE) {
            return Ok(());
        }
        let range = mapped_pages(addr, len)?;
        let mut layout = self.layout.lock();
        let fixed = |area: &Area| matches!(&area.backing, Backing::Mapped(mapped) if mapped.shared && !mapped.writable);
        let mut verdict = Ok(());
        let mut end = range.start;
        for area in layout.areas.overlapping(range.clone()) {
            if area.start > end {
                break;
            }
            if prot.contains(Prot::WRITE) && fixed(area) {
                verdict = Err(Errno::EACCES.during("making a read-only file's mapping writable"));
                break;
            }
            end = area.end.min(range.end);
        }
        if verdict.is_ok() && end < range.end {
            verdict = Err(Errno::ENOMEM.during("protecting what is not mapped"));
        }
        let range = range.start..end;
        if range.is_empty() {
            return verdict;
        }
        layout.areas.change(range.clone(), |area| area.prot = prot)?;
        // Which pages may take stores at once only a fault can tell.
        self.table.protect(range, prot.hardware(false));
        self.table.flush();
        verdict
    }

    /// brk(2): sets the end of the heap if it can, and returns where it is.
    pub fn brk(&self, end: usize) -> usize {
        let removed;
        let now = {
            let mut layout = self.layout.lock();
            removed = self.set_heap_end(&mut layout, end).unwrap_or_default();
            layout.heap_end
        };
        drop(removed);
        now
    }

    fn set_heap_end(&self, layout: &mut Layout, end: usize) -> Result<Vec<Area>> {
        let (old_top, top) =
            (layout.heap_end.next_multiple_of(PAGE), end.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?);
        if end < layout.heap_start || top > LIMIT {
            return Err(Errno::EINVAL.into());
        }
        let mut removed = Vec::new();
        if top < old_top {
            removed = self.remove(layout, top..old_top)?;
        } else if top > old_top {
            let prot = Prot::READ | Prot::WRITE;
            let area = Area { start: old_top, end: top, prot, flags: AreaFlags::HEAP, backing: Backing::Anonymous };
            let gap = if layout.areas.above(old_top).is_some_and(|above| above.flags.contains(AreaFlags::GROWS_DOWN)) {
                STACK_GAP
            } else {
                0
            };
            if layout.areas.overlapping(old_top..top.saturating_add(gap)).next().is_some()
                || area.len() / PAGE > frame::total()
            {
                return Err(Errno::ENOMEM.during("growing the heap"));
            }
            self.admit(layout, &area, area.len(), 0)?;
            layout.areas.insert(area)?;
            layout.peak = layout.peak.max(layout.areas.size());
        }
        layout.heap_end = end;
        Ok(removed)
    }

    /// Faults in the pages of a range (`MAP_POPULATE`, `MADV_POPULATE_*`, mlock(2)) as far as it goes, or until the caller is about to die: the
    /// range may be as large as the address space.
    pub fn populate(&self, addr: usize, len: usize, access: Access) -> core::result::Result<(), super::FaultError> {
        for page in (addr..addr.saturating_add(len)).step_by(PAGE) {
            let stores = self
                .layout
                .lock()
                .areas
                .find(page)
                .is_some_and(|area| area.prot.contains(Prot::WRITE) && !area.is_shared());
            self.handle_fault(page, if stores { Access::Write } else { access })?;
            if page % (64 * PAGE) == 0 && task::breathe_or_stop() {
                break;
            }
        }
        Ok(())
    }

    /// Whether all of the range is mapped.
    pub fn covers(&self, addr: usize, len: usize) -> Result<bool> {
        let range = mapped_pages(addr, len)?;
        Ok(self.layout.lock().areas.covers(range))
    }
}

fn is_data(area: &Area) -> bool {
    area.prot.contains(Prot::WRITE) && !area.is_shared() && !area.flags.contains(AreaFlags::STACK)
}

fn overlap(area: &Area, range: &Range<usize>) -> usize {
    area.end.min(range.end).saturating_sub(area.start.max(range.start))
}

/// Where a mapping of `len` bytes goes.
pub(super) fn choose(layout: &mut Layout, place: Place, len: usize) -> Result<usize> {
    let areas = &mut layout.areas;
    let free = |areas: &AreaMap, range: Range<usize>| areas.overlapping(range).next().is_none();
    match place {
        Place::Fixed(addr) => Ok(fixed(addr, len)?.start),
        Place::FixedNoReplace(addr) => {
            let range = fixed(addr, len)?;
            if free(areas, range) { Ok(addr) } else { Err(Errno::EEXIST.during("mapping over another mapping")) }
        }
        Place::Hint(hint) => {
            let hint = hint & !(PAGE - 1);
            if hint >= LOWEST && hint.checked_add(len).is_some_and(|end| end <= LIMIT && free(areas, hint..end)) {
                return Ok(hint);
            }
            let found = areas.find_gap(len, LOWEST..layout.map_top, STACK_GAP);
            let found = found.or_else(|| areas.find_gap(len, LOWEST..LIMIT, STACK_GAP));
            found.ok_or(Errno::ENOMEM.during("looking for free addresses"))
        }
    }
}

/// A fixed range: `EINVAL` if misaligned, `EPERM` below the lowest address (vm.mmap_min_addr), `ENOMEM` past the end.
fn fixed(addr: usize, len: usize) -> Result<Range<usize>> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.during("mapping at a misaligned address"));
    }
    if addr < LOWEST {
        return Err(Errno::EPERM.during("mapping at the lowest addresses"));
    }
    let end =
        addr.checked_add(len).filter(|&end| end <= LIMIT).ok_or(Errno::ENOMEM.during("mapping past user memory"))?;
    Ok(addr..end)
}
