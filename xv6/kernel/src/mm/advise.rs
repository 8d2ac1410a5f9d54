//! madvise(2), msync(2), mincore(2): what programs tell about, and ask of, mapped ranges.

use super::area::{AreaFlags, Backing};
use super::mapping::mapped_pages;
use super::{AddressSpace, MapFile, PageCache};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::SIZE as PAGE;

/// The advice that changes something; the rest is checked and ignored by the system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// `MADV_DONTNEED`: private pages read as zeros (or the file) again.
    DontNeed,
    /// `MADV_FREE`: the same, allowed for private anonymous memory only.
    Free,
    /// `MADV_REMOVE`: the pages of shared memory are freed in the file too.
    Remove,
    /// `MADV_DONTFORK` and `MADV_DOFORK`.
    NotInChild(bool),
    /// `MADV_WIPEONFORK` and `MADV_KEEPONFORK`.
    WipedInChild(bool),
}

/// A stretch of a cache that a range shows.
struct Shown {
    cache: Arc<PageCache>,
    file: Option<Arc<dyn MapFile>>,
    pages: Range<u64>,
}

impl AddressSpace {
    /// madvise(2). `ENOMEM` if part of the range is not mapped (the rest is advised), `EINVAL` where the advice does not fit the memory.
    pub fn advise(&self, addr: usize, len: usize, advice: Advice) -> Result<()> {
        if len == 0 && addr.is_multiple_of(PAGE) {
            return Ok(());
        }
        let range = mapped_pages(addr, len)?;
        if advice == Advice::Remove {
            return self.punch(range);
        }
        let mut layout = self.layout.lock();
        let mut anonymous_only =
            layout.areas.overlapping(range.clone()).filter(|area| !matches!(area.backing, Backing::Anonymous));
        if matches!(advice, Advice::Free | Advice::WipedInChild(true)) && anonymous_only.next().is_some() {
            return Err(Errno::EINVAL.during("advising about a file mapping"));
        }
        drop(anonymous_only);
        let whole = layout.areas.covers(range.clone());
        match advice {
            Advice::DontNeed | Advice::Free => {
                for area in layout.areas.overlapping(range.clone()) {
                    self.zap(area, range.start.max(area.start)..range.end.min(area.end));
                }
            }
            Advice::NotInChild(set) => {
                layout.areas.change(range, |area| area.flags.set(AreaFlags::NOT_IN_CHILD, set))?
            }
            Advice::WipedInChild(set) => {
                layout.areas.change(range, |area| area.flags.set(AreaFlags::WIPED_IN_CHILD, set))?
            }
            Advice::Remove => {}
        }
        if whole { Ok(()) } else { Err(Errno::ENOMEM.during("advising about what is not mapped")) }
    }

    fn punch(&self, range: Range<usize>) -> Result<()> {
        for shown in self.shown(range, true)?.0 {
            shown.cache.punch(shown.pages)?;
        }
        Ok(())
    }

    /// The cache pages that a range shows, and whether all of it is mapped; `strict`: anything but shared mappings is `EINVAL`.
    fn shown(&self, range: Range<usize>, strict: bool) -> Result<(Vec<Shown>, bool)> {
        let layout = self.layout.lock();
        let mut shown = Vec::new();
        for area in layout.areas.overlapping(range.clone()) {
            let (from, to) = (range.start.max(area.start), range.end.min(area.end));
            match &area.backing {
                Backing::Mapped(mapped) if mapped.shared => shown.push(Shown {
                    cache: mapped.pages.clone(),
                    file: mapped.file.clone(),
                    pages: area.page_at(mapped, from)..area.page_at(mapped, to),
                }),
                _ if strict => return Err(Errno::EINVAL.during("removing pages of private memory")),
                _ => {}
            }
        }
        Ok((shown, layout.areas.covers(range)))
    }

    /// msync(2): writes the dirty pages of shared file mappings in the range; with `wait` until they are durable. `ENOMEM` if part of it is not mapped.
    pub fn sync(&self, addr: usize, len: usize, wait: bool) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let (shown, whole) = self.shown(mapped_pages(addr, len)?, false)?;
        if wait {
            for part in shown {
                part.cache.write_back(part.pages)?;
                if let Some(file) = part.file {
                    file.sync()?;
                }
            }
        }
        if whole { Ok(()) } else { Err(Errno::ENOMEM.during("syncing what is not mapped")) }
    }

    /// mincore(2): for each page of the range, whether it is in memory. `ENOMEM` if part of it is not mapped.
    pub fn resident(&self, addr: usize, len: usize) -> Result<Vec<u8>> {
        let range = mapped_pages(addr, len)?;
        let mut answer = Vec::new();
        answer.try_reserve_exact(range.len() / PAGE).map_err(|_| Errno::ENOMEM)?;
        let layout = self.layout.lock();
        if !layout.areas.covers(range.clone()) {
            return Err(Errno::ENOMEM.during("asking about what is not mapped"));
        }
        for area in layout.areas.overlapping(range.clone()) {
            for page in (range.start.max(area.start)..range.end.min(area.end)).step_by(PAGE) {
                let cached = match &area.backing {
                    Backing::Mapped(mapped) => mapped.pages.lookup(area.page_at(mapped, page)).is_some(),
                    Backing::Anonymous => false,
                };
                answer.push(u8::from(cached || self.table.get(page).is_some()));
            }
        }
        Ok(answer)
    }
}
