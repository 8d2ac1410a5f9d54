//! [`FdTable`]: a process's file descriptors (`CLONE_FILES` shares it).
//!
//! A descriptor is an index and a close-on-exec flag; the open file behind it is shared. The table grows to the process's
//! `RLIMIT_NOFILE`. Its address is the owner of record locks (`record_lock`), which closing any descriptor of the file releases.
//!
//! Locks: one spin lock; files are dropped (which may sleep) after it is released.

use super::{File, record_lock};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hal::sync::{Rank, SpinLock};

/// The soft `RLIMIT_NOFILE` of a first process.
pub const DEFAULT_LIMIT: u32 = 1024;

/// The most that `RLIMIT_NOFILE` may be raised to (Linux's `fs.nr_open` is 1,048,576).
pub const MAX_LIMIT: u32 = 65_536;

/// A table of descriptors.
pub struct FdTable {
    slots: SpinLock<Slots>,
    limit: AtomicU32,
    /// Some record lock was taken by this table: closing must look.
    has_locks: AtomicBool,
}

#[derive(Clone, Default)]
struct Slots {
    files: Vec<Option<Slot>>,
    /// No free slot lies below.
    first_free: usize,
}

#[derive(Clone)]
struct Slot {
    file: Arc<File>,
    cloexec: bool,
}

impl Slots {
    /// Puts `slot` at the lowest free index from `from` on.
    fn insert(&mut self, slot: Slot, from: usize, limit: usize) -> Result<usize> {
        let start = from.max(self.first_free);
        let free =
            (start..self.files.len()).find(|&fd| self.files[fd].is_none()).unwrap_or(start.max(self.files.len()));
        if free >= limit {
            return Err(Errno::EMFILE.into());
        }
        self.put(free, Some(slot))?;
        if from <= self.first_free {
            self.first_free = free + 1;
        }
        Ok(free)
    }

    /// Replaces the slot at `fd`, growing the table as needed.
    fn put(&mut self, fd: usize, slot: Option<Slot>) -> Result<Option<Slot>> {
        if fd >= self.files.len() {
            self.files
                .try_reserve(fd + 1 - self.files.len())
                .map_err(|_| Errno::ENOMEM.during("growing a descriptor table"))?;
            self.files.resize_with(fd + 1, || None);
        }
        if slot.is_none() {
            self.first_free = self.first_free.min(fd);
        }
        Ok(mem::replace(&mut self.files[fd], slot))
    }
}

impl Default for FdTable {
    fn default() -> FdTable {
        FdTable::new()
    }
}

impl FdTable {
    /// An empty table.
    pub fn new() -> FdTable {
        FdTable::with(Slots::default(), DEFAULT_LIMIT)
    }

    fn with(slots: Slots, limit: u32) -> FdTable {
        FdTable {
            slots: SpinLock::new(Rank::Files, "fd table", slots),
            limit: AtomicU32::new(limit),
            has_locks: AtomicBool::new(false),
        }
    }

    /// A copy with the same open files, for fork(2) and unshare(2).
    pub fn fork(&self) -> FdTable {
        let slots = self.slots.lock().clone();
        FdTable::with(slots, self.limit.load(Ordering::Relaxed))
    }

    /// Follows the process's soft `RLIMIT_NOFILE`.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit.min(u64::from(MAX_LIMIT)) as u32, Ordering::Relaxed);
    }

    /// The limit on new descriptors.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed) as usize
    }

    /// The open file behind `fd`, or `EBADF`.
    pub fn get(&self, fd: u32) -> Result<Arc<File>> {
        let slots = self.slots.lock();
        match slots.files.get(fd as usize) {
            Some(Some(slot)) => Ok(slot.file.clone()),
            _ => Err(Errno::EBADF.into()),
        }
    }

    /// A new descriptor, the lowest free one; `EMFILE` at the limit.
    pub fn insert(&self, file: Arc<File>, cloexec: bool) -> Result<u32> {
        self.insert_from(file, cloexec, 0)
    }

    /// As [`FdTable::insert`], but not below `from` (`F_DUPFD`).
    pub fn insert_from(&self, file: Arc<File>, cloexec: bool, from: u32) -> Result<u32> {
        let limit = self.limit();
        let fd = self.slots.lock().insert(Slot { file, cloexec }, from as usize, limit)?;
        Ok(fd as u32)
    }

    /// Two new descriptors or none (pipe(2)).
    pub fn insert_pair(&self, first: Arc<File>, second: Arc<File>, cloexec: bool) -> Result<(u32, u32)> {
        let a = self.insert(first, cloexec)?;
        match self.insert(second, cloexec) {
            Ok(b) => Ok((a, b)),
            Err(error) => {
                self.close(a)?;
                Err(error)
            }
        }
    }

    /// dup2(2): `fd` now names `file`; what it named before is closed. `EBADF` past the limit.
    pub fn dup_to(&self, file: Arc<File>, cloexec: bool, fd: u32) -> Result<()> {
        if fd as usize >= self.limit() {
            return Err(Errno::EBADF.into());
        }
        let old = self.slots.lock().put(fd as usize, Some(Slot { file, cloexec }))?;
        self.closed(old);
        Ok(())
    }

    /// close(2).
    pub fn close(&self, fd: u32) -> Result<()> {
        let old = {
            let mut slots = self.slots.lock();
            match slots.files.get(fd as usize) {
                Some(Some(_)) => slots.put(fd as usize, None)?,
                _ => return Err(Errno::EBADF.into()),
            }
        };
        self.closed(old);
        Ok(())
    }

    /// close_range(2) without flags: closes what is open in `first..=last`.
    pub fn close_range(&self, first: u32, last: u32) {
        for fd in first..=last {
            if self.slots.lock().files.len() <= fd as usize {
                break;
            }
            // A descriptor that is not open is no error here (close_range(2)).
            let _ = self.close(fd);
        }
    }

    /// The close-on-exec flag of `fd`.
    pub fn cloexec(&self, fd: u32) -> Result<bool> {
        match self.slots.lock().files.get(fd as usize) {
            Some(Some(slot)) => Ok(slot.cloexec),
            _ => Err(Errno::EBADF.into()),
        }
    }

    /// Sets the close-on-exec flag of `fd`.
    pub fn set_cloexec(&self, fd: u32, cloexec: bool) -> Result<()> {
        match self.slots.lock().files.get_mut(fd as usize) {
            Some(Some(slot)) => {
                slot.cloexec = cloexec;
                Ok(())
            }
            _ => Err(Errno::EBADF.into()),
        }
    }

    /// execve(2): closes what is marked so.
    pub fn close_on_exec(&self) {
        let marked: Vec<u32> = {
            let slots = self.slots.lock();
            let marked =
                slots.files.iter().enumerate().filter(|(_, slot)| slot.as_ref().is_some_and(|slot| slot.cloexec));
            marked.map(|(fd, _)| fd as u32).collect()
        };
        for fd in marked {
            // Only this thread is left at exec, so the descriptor is still open; a shared table may have closed it.
            let _ = self.close(fd);
        }
    }

    /// The open descriptors in ascending order, for `/proc/PID/fd`.
    pub fn list(&self) -> Vec<(u32, Arc<File>)> {
        let slots = self.slots.lock();
        let open =
            slots.files.iter().enumerate().filter_map(|(fd, slot)| Some((fd as u32, slot.as_ref()?.file.clone())));
        open.collect()
    }

    /// Notes that record locks were taken in this table's name.
    pub fn note_locks(&self) {
        self.has_locks.store(true, Ordering::Relaxed);
    }

    /// The owner of record locks.
    pub fn owner(&self) -> usize {
        core::ptr::from_ref(self) as usize
    }

    /// What follows a close: record locks of this process on the file go (fcntl(2), "Advisory record locking").
    fn closed(&self, slot: Option<Slot>) {
        if let Some(slot) = slot
            && self.has_locks.load(Ordering::Relaxed)
        {
            record_lock::release(&slot.file, self.owner());
        }
    }
}

impl Drop for FdTable {
    fn drop(&mut self) {
        let slots = mem::take(self.slots.get_mut());
        if self.has_locks.load(Ordering::Relaxed) {
            for slot in slots.files.iter().flatten() {
                record_lock::release(&slot.file, self.owner());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FdTable;
    use crate::error::Errno;
    use crate::vfs::tests::scratch_file;

    #[test]
    fn lowest_free_descriptor_first() {
        let table = FdTable::new();
        let file = scratch_file();
        for want in 0..4 {
            assert_eq!(table.insert(file.clone(), false), Ok(want));
        }
        table.close(1).expect("close 1");
        table.close(2).expect("close 2");
        assert_eq!(table.insert_from(file.clone(), false, 2), Ok(2));
        assert_eq!(table.insert(file.clone(), true), Ok(1));
        assert_eq!(table.insert_from(file.clone(), false, 10), Ok(10));
        assert_eq!(table.insert(file.clone(), false), Ok(4));
        table.close_on_exec();
        assert_eq!(table.get(1).err().map(|error| error.errno), Some(Errno::EBADF));
    }

    #[test]
    fn limit_is_emfile() {
        let table = FdTable::new();
        table.set_limit(2);
        let file = scratch_file();
        table.insert(file.clone(), false).expect("0");
        table.insert(file.clone(), false).expect("1");
        assert_eq!(table.insert(file.clone(), false).expect_err("full").errno, Errno::EMFILE);
        assert_eq!(table.dup_to(file, false, 2).expect_err("beyond").errno, Errno::EBADF);
    }
}
