//! Reading, writing and cutting a file through its [`PageCache`]. User memory is copied with no page-cache lock held: the copy may
//! fault on a mapping of this very file. Writes and truncations hold the file's content lock; reads hold none.

use super::writeback;
use super::{PageCache, ReadBuf, WriteBuf, reclaim};
use crate::error::{Errno, Result};
use crate::task::{self, iocount};
use core::ops::Range;
use core::sync::atomic::Ordering;
use hal::frame::SIZE as PAGE;

/// The largest file size: what `off_t` and page arithmetic can hold.
pub const SIZE_MAX: u64 = i64::MAX as u64 & !(PAGE as u64 - 1);

impl PageCache {
    /// Reads from `offset` up to the end of the file; 0 there.
    pub fn read(&self, buf: &mut ReadBuf<'_>, offset: u64) -> Result<usize> {
        let mut done = 0;
        while buf.remaining() > 0 {
            let at = offset + done as u64;
            let left = self.size().saturating_sub(at);
            if left == 0 {
                break;
            }
            let within = (at % PAGE as u64) as usize;
            let len = (PAGE - within).min(left.min(PAGE as u64) as usize).min(buf.remaining());
            let moved = match self.get(at / PAGE as u64).and_then(|frame| buf.put_frame(&frame, within, len)) {
                Ok(moved) => moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            done += moved;
            if moved < len || task::breathe_after(done, moved) {
                break;
            }
        }
        Ok(done)
    }

    /// Writes at `offset`, growing the file; how much. `EFBIG` past the largest size.
    pub fn write(&self, buf: &mut WriteBuf<'_>, offset: u64) -> Result<usize> {
        let _content = self.content.lock();
        self.write_locked(buf, offset)
    }

    /// Writes at the end of the file (`O_APPEND`), atomically; where, and how much. `check` may cut the write or refuse it, once the place is known.
    pub fn append(
        &self,
        buf: &mut WriteBuf<'_>,
        check: impl FnOnce(&mut WriteBuf<'_>, u64) -> Result<()>,
    ) -> Result<(u64, usize)> {
        let _content = self.content.lock();
        let offset = self.size();
        check(buf, offset)?;
        Ok((offset, self.write_locked(buf, offset)?))
    }

    fn write_locked(&self, buf: &mut WriteBuf<'_>, offset: u64) -> Result<usize> {
        if buf.remaining() == 0 {
            return Ok(0);
        }
        if offset >= SIZE_MAX || SIZE_MAX - offset < buf.remaining() as u64 {
            return Err(Errno::EFBIG.during("writing past the largest file size"));
        }
        let old = self.size();
        if offset > old {
            self.clear_tail(old);
        }
        let mut done = 0;
        let mut failure = None;
        while buf.remaining() > 0 {
            let at = offset + done as u64;
            let within = (at % PAGE as u64) as usize;
            let len = (PAGE - within).min(buf.remaining());
            match self.write_page(buf, at / PAGE as u64, within, len) {
                Ok(moved) => {
                    done += moved;
                    self.size.fetch_max(at + moved as u64, Ordering::AcqRel);
                    if moved < len || task::breathe_after(done, moved) {
                        break;
                    }
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if done > 0
            && let Some(source) = self.source()
        {
            source.modified(self.size());
        }
        writeback::throttle(self);
        match failure {
            Some(error) if done == 0 => Err(error),
            _ => Ok(done),
        }
    }

    /// Runs `step`; if the disk has no room to promise, writes back what was promised room before, which takes less than is set
    /// aside for it, and runs `step` once more.
    fn with_room<T>(&self, mut step: impl FnMut() -> Result<T>) -> Result<T> {
        match step() {
            Err(error) if error.errno == Errno::ENOSPC && !self.memory => {
                // A file that cannot be written hears of it at its fsync(2).
                let _ = writeback::sync_all();
                step()
            }
            result => result,
        }
    }

    fn write_page(&self, buf: &mut WriteBuf<'_>, index: u64, within: usize, len: usize) -> Result<usize> {
        if len < PAGE || self.lookup(index).is_some() {
            let page = self.with_room(|| self.hold(index, false))?;
            return buf.take_to_frame(&page.frame, within, len);
        }
        // A whole new page: filled before anybody sees it, so that bad user memory half-way leaves the old content.
        let frame = reclaim::frame(self.purpose())?;
        let moved = buf.take_to_frame(&frame, 0, PAGE)?;
        if moved < PAGE || !self.with_room(|| self.put_whole(index, &frame))? {
            let page = self.with_room(|| self.hold(index, moved == PAGE))?;
            let mut bytes = [0; 256];
            for at in (0..moved).step_by(bytes.len()) {
                let part = &mut bytes[..(moved - at).min(256)];
                frame.read(at, part);
                page.frame.write(at, part);
            }
        }
        Ok(moved)
    }

    /// Zeros what lies behind `size` in its page: stores through a mapping may have left bytes there.
    pub(super) fn clear_tail(&self, size: u64) {
        let within = (size % PAGE as u64) as usize;
        if within != 0
            && let Some(frame) = self.lookup(size / PAGE as u64)
        {
            frame.fill(within, PAGE - within, 0);
        }
    }

    /// How many pages of `range` are not in memory: what a memory file lacks.
    pub fn missing(&self, range: Range<u64>) -> u64 {
        let mut present = 0;
        self.for_each_cached(range.start, range.end, |_, _| present += 1);
        (range.end - range.start).saturating_sub(present)
    }

    /// Gives a memory file pages of its own, of zeros, for all of `range` that it lacks, behind its end, too.
    pub fn materialise(&self, range: Range<u64>) -> Result<()> {
        for index in range {
            drop(self.hold(index, false)?);
        }
        Ok(())
    }

    /// Sets the size: pages past the end go, also from mappings; the last page's tail is zeroed. Then, still under the
    /// content lock, `commit` makes it true in the file system (frees or counts blocks).
    pub fn truncate(&self, size: u64, commit: impl FnOnce() -> Result<()>) -> Result<()> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG.during("setting a file size"));
        }
        let _content = self.content.lock();
        let old = self.size();
        if size < old {
            self.cut(size);
        } else {
            self.clear_tail(old);
            self.size.store(size, Ordering::Release);
        }
        commit()?;
        if size < old {
            // The kept page's tail reads as zeros from now on. It does not become dirty: zeros on the disk before the shorter size is
            // would be what a power cut leaves of the old content.
            let _fill = self.fill.lock();
            self.clear_tail(size);
        }
        if let Some(source) = self.source() {
            source.modified(size);
        }
        Ok(())
    }

    fn cut(&self, size: u64) {
        // Faults see the new end from here on; those that saw the old one are done when `unmap_cache` has had their lock.
        self.size.store(size, Ordering::Release);
        let _cleaning = self.cleaning.lock();
        let first = size.div_ceil(PAGE as u64);
        self.each_mapper(|space| space.unmap_cache(self, first..u64::MAX));
        self.drop_pages(first..u64::MAX);
    }

    /// Drops the pages of `range`, dirty ones too.
    pub(super) fn drop_pages(&self, range: Range<u64>) {
        let _fill = self.fill.lock();
        let source = self.source();
        loop {
            let Some(index) = self.index.lock().pages.range(range.clone()).next().map(|(&index, _)| index) else {
                break;
            };
            let Some((_frame, dirty)) = self.take(index) else { continue };
            if dirty {
                iocount::cancelled(PAGE);
            }
            if (dirty || self.memory)
                && let Some(source) = &source
            {
                source.unreserve(index, 1);
            }
        }
    }

    /// Drops whole pages of `range` (of page indices), which then read as zeros: `FALLOC_FL_PUNCH_HOLE` and `MADV_REMOVE` on a memory file.
    pub fn punch(&self, range: Range<u64>) -> Result<()> {
        if !self.memory {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let _content = self.content.lock();
        self.drop_pages(range.clone());
        // A fault in between maps a new page of zeros, at worst unmapped for nothing.
        self.each_mapper(|space| space.unmap_cache(self, range.clone()));
        Ok(())
    }
}
