//! File contents between the page cache and the disk, with delayed allocation.
//!
//! A page that becomes dirty gets a promise of a block; which block that is, is decided when it is written, many pages at once.
//! Frames go straight to and from the disk. Reads look the places up and then let go of the volume: a place stays the file's while
//! the inode is in use and pages of it are being filled (a truncation drops pages, which waits for that, before it frees blocks).

use super::failed;
use super::inode::XvInode;
use crate::error::{Errno, Result};
use crate::mm::{PageCache, PageSource};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::frame::{Frame, SIZE};

impl XvInode {
    fn cache(&self) -> Result<&Arc<PageCache>> {
        self.pages.as_ref().ok_or(Errno::EINVAL.into())
    }

    /// The promised pages of `first..first + count`.
    fn promised_in(&self, first: u64, count: usize) -> Vec<u64> {
        self.promised.lock().range(first..first.saturating_add(count as u64)).copied().collect()
    }

    fn forget_promises(&self, pages: &[u64]) {
        let mut promised = self.promised.lock();
        for page in pages {
            promised.remove(page);
        }
    }
}

impl PageSource for XvInode {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        let mut runs = Vec::new();
        let size = self
            .fs
            .lock()
            .locate(self.ino, first, frames.len(), &mut |place, count| runs.push((place, count)))
            .map_err(failed)?;
        let mut rest = &frames[..];
        for (place, count) in runs {
            let (part, tail) = rest.split_at(count);
            match place {
                Some(place) => self.fs.storage.read_frames(place, part)?,
                None => part.iter().for_each(|frame| frame.fill(0, SIZE, 0)),
            }
            rest = tail;
        }
        // What the volume's blocks hold behind the file's end is not the file's.
        for (page, frame) in (first..).zip(frames.iter()) {
            let within = size.saturating_sub(page * SIZE as u64);
            if within < SIZE as u64 {
                frame.fill(within as usize, SIZE - within as usize, 0);
            }
        }
        Ok(())
    }

    fn write_pages(&self, first: u64, frames: &[Frame]) -> Result<()> {
        let end = first.saturating_add(frames.len() as u64).saturating_mul(SIZE as u64);
        let size = self.cache()?.size().min(end);
        let mut volume = self.fs.lock();
        let promised = self.promised_in(first, frames.len());
        let written = volume.write_blocks(
            self.ino,
            first,
            frames.len(),
            size,
            promised.len() as u64,
            &mut |disk, place, range| disk.0.write_frames(place, &frames[range]).map_err(|_| xv6fs::Error::Io),
        );
        // To pages that became dirty before the volume failed, the failure is what counts.
        let lost = |error| {
            if volume.failure().is_some() { Errno::EIO.during("writing to a failed xv6fs") } else { failed(error) }
        };
        written.map_err(lost)?;
        self.forget_promises(&promised);
        self.save_times(&mut volume)?;
        self.refresh(&mut volume)?;
        drop(volume);
        crate::mm::expect_flush();
        Ok(())
    }

    fn reserve(&self, first: u64, pages: usize) -> Result<()> {
        let mut volume = self.fs.lock();
        if volume.is_read_only() {
            return Err(Errno::EROFS.during("writing to a read-only xv6fs"));
        }
        let mut fresh = Vec::new();
        let mut promise = |page: u64| {
            if page >= xv6fs::MAX_FILE_BLOCKS {
                return Err(xv6fs::Error::TooBig);
            }
            // In a statement of its own: the look at the map below may sleep.
            let known = self.promised.lock().contains(&page);
            if !known && !volume.is_mapped(self.ino, page * SIZE as u64)? {
                volume.reserve(1)?;
                fresh.push(page);
            }
            Ok(())
        };
        let result = (first..first.saturating_add(pages as u64)).try_for_each(&mut promise);
        match result {
            Ok(()) => {
                self.promised.lock().extend(fresh);
                Ok(())
            }
            Err(error) => {
                volume.unreserve(fresh.len() as u64);
                Err(failed(error))
            }
        }
    }

    fn unreserve(&self, first: u64, pages: usize) {
        if self.promised_in(first, pages).is_empty() {
            return;
        }
        let mut volume = self.fs.lock();
        let unused = self.promised_in(first, pages);
        self.forget_promises(&unused);
        volume.unreserve(unused.len() as u64);
    }

    fn modified(&self, _size: u64) {
        self.touch();
    }
}
