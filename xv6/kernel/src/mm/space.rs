//! One process's memory: [`AddressSpace`], its areas, page table and limits; making one, copying it for fork(2), describing it.
//!
//! `fault` fills pages in, `mapping`, `remap` and `advise` change areas, `remote` reads and writes it from outside. One sleeping lock
//! holds the areas and serialises the page table's changes; it is held only briefly, never across I/O or reclaim, and never while a file is
//! dropped: what leaves the area table is returned out of the lock first.

use super::area::{Area, AreaFlags, AreaMap, Backing, Mapped};
use super::rmap::Mapper;
use super::{AreaInfo, Limit, PageCache, Prot, Usage};
use crate::error::{Errno, Result};
use crate::sync::{Mutex, Rank};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use hal::frame::{Counts, Frame, SIZE as PAGE};
use hal::paging::PageTable;

/// What the lock guards.
#[derive(Default)]
pub(super) struct Layout {
    pub areas: AreaMap,
    /// Where the heap begins.
    pub heap_start: usize,
    /// Where it ends now (brk(2)).
    pub heap_end: usize,
    /// Mappings without a place go below this.
    pub map_top: usize,
    /// The argument strings on the stack.
    pub arguments: Range<usize>,
    /// The environment strings.
    pub environment: Range<usize>,
    /// The auxiliary vector.
    pub auxiliary: Range<usize>,
    /// The largest `areas.size()` so far.
    pub peak: usize,
}

/// Present pages of one kind of area; written under the lock, read by anybody.
#[derive(Default)]
pub(super) struct Resident {
    pub private: AtomicUsize,
    pub shared: AtomicUsize,
    pub peak: AtomicUsize,
}

/// A process's memory: areas, page table, heap end.
pub struct AddressSpace {
    pub(super) this: Weak<AddressSpace>,
    pub(super) table: PageTable,
    pub(super) layout: Mutex<Layout>,
    pub(super) resident: Resident,
    limits: [AtomicU64; 3],
    /// Memory was taken from it (`oom`): no fault is repaired any more, and it cannot be copied. Changes under the lock.
    pub(super) doomed: AtomicBool,
}

impl AddressSpace {
    /// An empty one; `ENOMEM` without memory for a page table.
    pub fn new() -> Result<Arc<AddressSpace>> {
        Self::with_layout(Layout { map_top: hal::user::LIMIT, ..Layout::default() })
    }

    fn with_layout(layout: Layout) -> Result<Arc<AddressSpace>> {
        super::reserve(16 * PAGE)?;
        let table = PageTable::new().ok_or(Errno::ENOMEM.during("making a page table"))?;
        Ok(Arc::new_cyclic(|this| AddressSpace {
            this: this.clone(),
            table,
            layout: Mutex::new(Rank::AddressSpace, "address space", layout),
            resident: Resident::default(),
            limits: [const { AtomicU64::new(u64::MAX) }; 3],
            doomed: AtomicBool::new(false),
        }))
    }

    /// Makes this the running CPU's user memory.
    pub fn activate(&self) {
        self.table.activate();
    }

    /// Changes a limit that memory enforces; setrlimit(2) calls it.
    pub fn set_limit(&self, limit: Limit, bytes: u64) {
        self.limits[limit as usize].store(bytes, Ordering::Relaxed);
    }

    /// A limit in bytes, `u64::MAX` for none.
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits[limit as usize].load(Ordering::Relaxed)
    }

    /// A copy-on-write copy for fork(2): private pages are shared read-only until written, shared areas are the same memory.
    pub fn fork(&self) -> Result<Arc<AddressSpace>> {
        // Page-table pages for the copy: about as many as the present pages need.
        let present = self.resident.private.load(Ordering::Relaxed) + self.resident.shared.load(Ordering::Relaxed);
        super::reserve((present / 64 + 16) * PAGE)?;
        let child = AddressSpace::new()?;
        let parent = self.layout.lock();
        if self.doomed.load(Ordering::Relaxed) {
            return Err(Errno::ENOMEM.during("copying memory that was taken back"));
        }
        let mut copied = self.resident.private.load(Ordering::Relaxed);
        let outcome = {
            // A fresh space: nobody else can hold or want this lock, so the order between the two does not matter.
            let mut layout = child.layout.try_lock().ok_or(Errno::EAGAIN)?;
            layout.heap_start = parent.heap_start;
            layout.heap_end = parent.heap_end;
            layout.map_top = parent.map_top;
            layout.arguments = parent.arguments.clone();
            layout.environment = parent.environment.clone();
            layout.auxiliary = parent.auxiliary.clone();
            layout.peak = parent.areas.size();
            for area in parent.areas.iter() {
                if area.flags.intersects(AreaFlags::NOT_IN_CHILD | AreaFlags::WIPED_IN_CHILD) && !area.is_shared() {
                    self.table.each_present(area.range(), &mut |_| copied -= 1);
                }
                if area.flags.contains(AreaFlags::NOT_IN_CHILD) {
                    continue;
                }
                Self::copy_area(&child, &mut layout, area);
            }
            // A shared page can be found again through its cache, by a fault.
            let absent = AreaFlags::NOT_IN_CHILD | AreaFlags::WIPED_IN_CHILD;
            let present = parent.areas.iter().filter(|area| !area.is_shared() && !area.flags.intersects(absent));
            self.table.copy_cow(&child.table, present.map(Area::range))
        };
        self.table.flush();
        drop(parent);
        child.count_private(copied as isize);
        outcome.map_err(|_| Errno::ENOMEM.during("copying page tables"))?;
        for (to, from) in child.limits.iter().zip(&self.limits) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        Ok(child)
    }

    /// Gives `child` a copy of `area`, without its pages.
    fn copy_area(child: &AddressSpace, layout: &mut Layout, area: &Area) {
        let backing = match &area.backing {
            Backing::Anonymous => Backing::Anonymous,
            Backing::Mapped(mapped) => {
                // A program's areas show one file, one after the other.
                let mapper = match layout.areas.last().map(|last| &last.backing) {
                    Some(Backing::Mapped(last)) if Arc::ptr_eq(&last.pages, &mapped.pages) => last.mapper.clone(),
                    _ => mapped.pages.add_mapper(&child.this),
                };
                Backing::Mapped(Mapped { pages: mapped.pages.clone(), file: mapped.file.clone(), mapper, ..*mapped })
            }
        };
        layout.areas.append(Area { backing, ..*area });
    }

    /// The areas, ascending.
    pub fn maps(&self) -> Vec<AreaInfo> {
        let (areas, heap): (Vec<Area>, _) = {
            let layout = self.layout.lock();
            (layout.areas.iter().cloned().collect(), layout.heap_start..layout.heap_end)
        };
        // The file names are asked for, and the copies dropped, without the lock.
        areas.iter().map(|area| describe(area, &heap)).collect()
    }

    /// Size and residence.
    pub fn usage(&self) -> Usage {
        let layout = self.layout.lock();
        let (private, shared) =
            (self.resident.private.load(Ordering::Relaxed), self.resident.shared.load(Ordering::Relaxed));
        let mut usage = Usage {
            size: layout.areas.size(),
            peak: layout.peak.max(layout.areas.size()),
            rss: (private + shared) * PAGE,
            rss_peak: self.resident.peak.load(Ordering::Relaxed).max(private + shared) * PAGE,
            rss_shared: shared * PAGE,
            ..Usage::default()
        };
        for area in layout.areas.iter() {
            if area.flags.contains(AreaFlags::STACK) {
                usage.stack += area.len();
            } else if area.prot.contains(Prot::EXEC) {
                usage.text += area.len();
            } else if area.prot.contains(Prot::WRITE) && !area.is_shared() {
                usage.data += area.len();
            }
        }
        usage
    }

    /// The most bytes present at once so far.
    pub fn resident_peak(&self) -> usize {
        self.resident.peak.load(Ordering::Relaxed) * PAGE
    }

    /// Present bytes, without a lock: for whoever looks for the biggest process.
    pub fn resident_bytes(&self) -> usize {
        (self.resident.private.load(Ordering::Relaxed) + self.resident.shared.load(Ordering::Relaxed)) * PAGE
    }

    /// The areas, and the present private bytes of them, as `Mapped` for a cache: an entry for the cache's list of mappers.
    pub(super) fn mapped(&self, pages: Arc<PageCache>, file: Option<Arc<dyn super::MapFile>>, first: u64) -> Mapped {
        let mapper: Arc<Mapper> = pages.add_mapper(&self.this);
        Mapped { pages, file, first, shared: false, writable: false, mapper }
    }

    /// Counts private pages in or out.
    pub(super) fn count_private(&self, pages: isize) {
        change(&self.resident.private, pages);
        self.note_peak();
    }

    /// Counts pages of `area` in or out.
    pub(super) fn count(&self, area: &Area, pages: isize) {
        if area.is_shared() {
            change(&self.resident.shared, pages);
            self.note_peak();
        } else {
            self.count_private(pages);
        }
    }

    fn note_peak(&self) {
        let now = self.resident.private.load(Ordering::Relaxed) + self.resident.shared.load(Ordering::Relaxed);
        // Only changed under the lock (or before anybody else knows the space).
        if now > self.resident.peak.load(Ordering::Relaxed) {
            self.resident.peak.store(now, Ordering::Relaxed);
        }
    }

    /// Unmaps the pages of `range`, which lies in `area`, and lets them go after the TLBs have forgotten them.
    pub(super) fn zap(&self, area: &Area, range: Range<usize>) {
        let mut step = 32 << 20;
        let mut at = range.start;
        let mut batch: Vec<Frame> = Vec::new();
        while at < range.end {
            let end = at.saturating_add(step).min(range.end);
            self.table.unmap_range(at..end, &mut |_, frame| batch.push(frame));
            // Wide empty reservations are crossed in ever longer strides; full ones are let go of piece by piece.
            step = if batch.is_empty() { step.saturating_mul(2) } else { 32 << 20 };
            if !batch.is_empty() {
                self.table.flush();
                self.count(area, -(batch.len() as isize));
                let mut counts = Counts::default();
                batch.drain(..).for_each(|frame| counts.release(frame));
            }
            at = end;
        }
    }
}

/// Changes a number of resident pages, which is done only under the lock (or before anybody else knows the space).
fn change(counter: &AtomicUsize, pages: isize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add_signed(pages), Ordering::Relaxed);
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        // The areas may be the last owners of files. Nothing is locked here, and the page table ends after them.
        drop(self.layout.get_mut().areas.take());
    }
}

pub(super) fn describe(area: &Area, heap: &Range<usize>) -> AreaInfo {
    let mut info = AreaInfo { prot: area.prot, shared: area.is_shared(), ..AreaInfo::new(area.range()) };
    match &area.backing {
        Backing::Mapped(mapped) => {
            info.offset = mapped.first * PAGE as u64;
            match &mapped.file {
                Some(file) => (info.dev, info.ino, info.name) = file.identity(),
                None => info.name = b"/dev/zero (deleted)".to_vec(),
            }
        }
        Backing::Anonymous if area.flags.contains(AreaFlags::STACK) => info.name = b"[stack]".to_vec(),
        Backing::Anonymous if area.start < heap.end && area.end > heap.start => info.name = b"[heap]".to_vec(),
        Backing::Anonymous => {}
    }
    info
}
