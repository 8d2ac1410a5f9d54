//! mremap(2): a mapping shrinks, grows where it is, or moves with its pages.

use super::area::{Area, Backing};
use super::mapping::{choose, pages};
use super::space::Layout;
use super::{AddressSpace, Place};
use crate::error::{Errno, Result};
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::SIZE as PAGE;
use hal::user::LIMIT;

/// What mremap(2) may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// Grow or shrink in place only.
    Never,
    /// Move if there is no room (`MREMAP_MAYMOVE`).
    MayMove,
    /// Move exactly there, replacing what is there (`MREMAP_FIXED`).
    To(usize),
}

impl AddressSpace {
    /// mremap(2): where the mapping is now. `EFAULT` unless the old range lies in one area; `ENOMEM` without room.
    pub fn remap(&self, addr: usize, old_len: usize, new_len: usize, how: Move) -> Result<usize> {
        let new_len =
            new_len.checked_next_multiple_of(PAGE).filter(|&len| len != 0 && len < LIMIT).ok_or(Errno::EINVAL)?;
        if old_len == 0 {
            return Err(Errno::EINVAL.during("duplicating a mapping by mremap"));
        }
        let old = pages(addr, old_len)?;
        let mut removed = Vec::new();
        let at = {
            let mut layout = self.layout.lock();
            self.remap_locked(&mut layout, old, new_len, how, &mut removed)
        };
        drop(removed);
        at
    }

    fn remap_locked(
        &self,
        layout: &mut Layout,
        old: Range<usize>,
        new_len: usize,
        how: Move,
        removed: &mut Vec<Area>,
    ) -> Result<usize> {
        let fault = Errno::EFAULT.during("remapping what is not one mapping");
        let area = layout.areas.find(old.start).filter(|area| area.end >= old.end).ok_or(fault)?.clone();
        if let Move::To(to) = how {
            let target = pages(to, new_len)?;
            if target.start < old.end && old.start < target.end {
                return Err(Errno::EINVAL.during("remapping a range onto itself"));
            }
        } else {
            if new_len <= old.len() {
                removed.extend(self.shrink(layout, old.start + new_len..old.end)?);
                return Ok(old.start);
            }
            let more = old.end..old.start + new_len;
            if area.end == old.end && more.end <= LIMIT && layout.areas.overlapping(more.clone()).next().is_none() {
                let extra = part(&area, old.end, more);
                self.admit(layout, &extra, extra.len(), 0)?;
                layout.areas.insert(extra)?;
                layout.peak = layout.peak.max(layout.areas.size());
                return Ok(old.start);
            }
        }
        let place = match how {
            Move::Never => return Err(Errno::ENOMEM.during("growing a mapping in place")),
            Move::MayMove => Place::Hint(0),
            Move::To(to) => Place::Fixed(to),
        };
        let to = choose(layout, place, new_len)?;
        removed.extend(self.remove(layout, to..to + new_len)?);
        let target = part(&area, old.start, to..to + new_len);
        self.admit(layout, &target, new_len, old.len())?;
        layout.areas.insert(target)?;
        let kept = old.len().min(new_len);
        if self.table.move_range(old.start, to, kept).is_err() {
            // Moving back needs no memory.
            let _ = self.table.move_range(to, old.start, kept);
            self.table.flush();
            removed.extend(layout.areas.remove(to..to + new_len)?);
            return Err(Errno::ENOMEM.during("moving page tables"));
        }
        self.table.flush();
        removed.extend(self.remove(layout, old)?);
        layout.peak = layout.peak.max(layout.areas.size());
        Ok(to)
    }

    fn shrink(&self, layout: &mut Layout, tail: Range<usize>) -> Result<Vec<Area>> {
        if tail.is_empty() { Ok(Vec::new()) } else { self.remove(layout, tail) }
    }
}

/// An area like `area` at `range`, showing what `area` shows (or would, if it went on) from `from`.
fn part(area: &Area, from: usize, range: Range<usize>) -> Area {
    let mut copy = area.clone();
    if let Backing::Mapped(mapped) = &mut copy.backing {
        mapped.first += ((from - area.start) / PAGE) as u64;
    }
    (copy.start, copy.end) = (range.start, range.end);
    copy
}
