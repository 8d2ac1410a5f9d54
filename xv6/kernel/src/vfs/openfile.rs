//! [`File`]: what a descriptor names (open(2), "Open file descriptions"): a place, what can be done there, flags, and an offset.
//!
//! It is shared by `dup`, `fork` and descriptor passing; dropping the last `Arc` is the close. What a kind of file does is
//! its [`FileOps`]; the rules common to all (access mode, offset, seeking) are here.
//!
//! Locks: the offset is a sleeping mutex held across a read or write that uses it (as Linux's `f_pos_lock`); streams do not take it.

use super::census::{self, Counted};
use super::file::{Events, FileOps, OpenFlags};
use super::inode::{InodeRef, Kind};
use super::text::Writing;
use super::{Path, anon, flock, record_lock};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::{Mutex, MutexGuard, Poller, Rank};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Flags that fcntl(2) `F_SETFL` may change.
const SETTABLE: OpenFlags =
    OpenFlags::APPEND.union(OpenFlags::NONBLOCK).union(OpenFlags::DIRECT).union(OpenFlags::NOATIME);

/// From where lseek(2) counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whence {
    /// The start of the file.
    Set,
    /// The present offset.
    Current,
    /// The end of the file.
    End,
    /// The next data: every byte before the end is data here.
    Data,
    /// The next hole: the one at the end.
    Hole,
}

/// An open file.
pub struct File {
    _counted: Counted,
    /// Where it was opened.
    pub path: Path,
    /// What it is.
    pub inode: InodeRef,
    /// What it can do.
    pub ops: Arc<dyn FileOps>,
    flags: AtomicU32,
    offset: Mutex<u64>,
    /// Counted in its mount as a writer.
    counted: bool,
    /// And in its inode.
    _writing: Option<Writing>,
    /// Holds a flock(2) lock.
    pub(super) flocked: AtomicBool,
    /// May hold record locks of its own (`F_OFD_SETLK`).
    record_locked: AtomicBool,
}

impl File {
    /// An open file at `path` with `ops`; permissions were checked.
    pub fn new(path: Path, ops: Arc<dyn FileOps>, flags: OpenFlags) -> Arc<File> {
        File::counted(path, ops, flags, None)
    }

    /// As [`File::new`], with the right to write it.
    pub(super) fn counted(path: Path, ops: Arc<dyn FileOps>, flags: OpenFlags, writing: Option<Writing>) -> Arc<File> {
        let inode = path.inode().clone();
        let counted = flags.writes() && matches!(inode.kind(), Kind::File | Kind::Directory);
        if counted {
            path.mount.add_writer();
        }
        let kept = flags
            .difference(OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::NOCTTY | OpenFlags::TRUNC | OpenFlags::CLOEXEC);
        Arc::new(File {
            _counted: census::FILES.count(),
            path,
            inode,
            ops,
            flags: AtomicU32::new(kept.bits()),
            offset: Mutex::new(Rank::FileOffset, "file offset", 0),
            counted,
            _writing: writing,
            flocked: AtomicBool::new(false),
            record_locked: AtomicBool::new(false),
        })
    }

    /// An open file without a name in any directory, such as an epoll or a pidfd; `/proc/PID/fd` shows it as `anon_inode:NAME`.
    pub fn anonymous(ops: Arc<dyn FileOps>, flags: OpenFlags, name: &str) -> Arc<File> {
        File::new(anon::path_of(name), ops, flags)
    }

    /// The status flags and the access mode, as `F_GETFL` tells them.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// `F_SETFL`: changes what may change and ignores the rest.
    pub fn set_flags(&self, flags: OpenFlags) {
        let kept = self.flags().difference(SETTABLE);
        self.flags.store((kept | flags.intersection(SETTABLE)).bits(), Ordering::Relaxed);
    }

    /// Sets or clears `O_NONBLOCK` (`FIONBIO`).
    pub fn set_nonblocking(&self, on: bool) {
        let mut flags = self.flags();
        flags.set(OpenFlags::NONBLOCK, on);
        self.set_flags(flags);
    }

    /// True with `O_NONBLOCK`: what would wait is `EAGAIN`.
    pub fn is_nonblocking(&self) -> bool {
        self.flags().contains(OpenFlags::NONBLOCK)
    }

    /// True for a descriptor that only names a place (`O_PATH`).
    pub fn is_path(&self) -> bool {
        self.flags().contains(OpenFlags::PATH)
    }

    /// True when opened for reading.
    pub fn is_readable(&self) -> bool {
        self.flags().reads()
    }

    /// True when opened for writing.
    pub fn is_writable(&self) -> bool {
        self.flags().writes()
    }

    /// read(2): `EBADF` if not open for reading.
    pub fn read(&self, buf: &mut ReadBuf<'_>) -> Result<usize> {
        self.check_readable()?;
        if self.ops.is_stream() {
            return self.ops.read(self, buf, &mut 0);
        }
        let mut offset = self.offset.lock();
        self.ops.read(self, buf, &mut offset)
    }

    /// write(2): `EBADF` if not open for writing.
    pub fn write(&self, buf: &mut WriteBuf<'_>) -> Result<usize> {
        self.check_writable()?;
        if self.ops.is_stream() {
            return self.ops.write(self, buf, &mut 0);
        }
        let mut offset = self.offset.lock();
        self.ops.write(self, buf, &mut offset)
    }

    /// pwritev2(2) with `RWF_APPEND`: a write at the end, if the file has one. With `moves` the file's own offset follows.
    pub fn append(&self, buf: &mut WriteBuf<'_>, moves: bool) -> Result<usize> {
        self.check_writable()?;
        let Some(pages) = self.inode.pages() else { return self.write(buf) };
        let mut offset = self.offset.lock();
        let (at, moved) = super::content::append(&pages, buf)?;
        if moves {
            *offset = at + moved as u64;
        }
        Ok(moved)
    }

    /// pread(2): `ESPIPE` on a stream. The file's own offset stays.
    pub fn read_at(&self, buf: &mut ReadBuf<'_>, mut offset: u64) -> Result<usize> {
        self.check_readable()?;
        self.check_seekable()?;
        self.ops.read(self, buf, &mut offset)
    }

    /// pwrite(2): `ESPIPE` on a stream. The file's own offset stays.
    pub fn write_at(&self, buf: &mut WriteBuf<'_>, mut offset: u64) -> Result<usize> {
        self.check_writable()?;
        self.check_seekable()?;
        self.ops.write(self, buf, &mut offset)
    }

    fn check_readable(&self) -> Result<()> {
        if self.is_readable() { Ok(()) } else { Err(Errno::EBADF.into()) }
    }

    fn check_writable(&self) -> Result<()> {
        if self.is_writable() { Ok(()) } else { Err(Errno::EBADF.into()) }
    }

    /// `ESPIPE` on a stream.
    pub fn check_seekable(&self) -> Result<()> {
        if self.ops.is_stream() { Err(Errno::ESPIPE.into()) } else { Ok(()) }
    }

    /// The offset, locked: for calls that move it themselves (getdents(2), sendfile(2)).
    pub fn lock_offset(&self) -> MutexGuard<'_, u64> {
        self.offset.lock()
    }

    /// The offset now (`/proc/PID/fdinfo`).
    pub fn offset(&self) -> u64 {
        *self.offset.lock()
    }

    /// The file's size.
    pub fn size(&self) -> Result<u64> {
        match self.ops.pages().or_else(|| self.inode.pages()) {
            Some(pages) => Ok(pages.size()),
            None => Ok(self.inode.attr()?.size),
        }
    }

    /// lseek(2): the new offset. `EINVAL` below 0, `ENXIO` for data or holes past the end, `ESPIPE` on a stream.
    pub fn seek(&self, whence: Whence, by: i64) -> Result<u64> {
        if !self.ops.has_offset() {
            return self.ops.seek(whence, by);
        }
        let mut offset = self.offset.lock();
        let to = match whence {
            Whence::Set => Some(by),
            Whence::Current => (*offset as i64).checked_add(by),
            _ if !self.ops.has_end() => None,
            Whence::End => (self.size()? as i64).checked_add(by),
            Whence::Data | Whence::Hole => {
                let size = self.size()?;
                if by < 0 || by as u64 >= size {
                    return Err(Errno::ENXIO.into());
                }
                Some(if whence == Whence::Data { by } else { size as i64 })
            }
        };
        match to {
            Some(to) if to >= 0 => {
                *offset = to as u64;
                Ok(*offset)
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }

    /// The events that hold now; registers `poller`, if given, for the next change.
    pub fn poll(&self, poller: Option<&mut Poller>) -> Events {
        if self.is_path() { Events::NVAL } else { self.ops.poll(self, poller) }
    }

    /// Notes that record locks are taken in this open file's own name.
    pub fn note_record_locks(&self) {
        self.record_locked.store(true, Ordering::Relaxed);
    }

    /// The operations as their own type: a pidfd, a namespace file, an epoll.
    pub fn operations<T: 'static>(&self) -> Option<&T> {
        self.ops.as_any().downcast_ref::<T>()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if *self.flocked.get_mut() {
            flock::release(self);
        }
        if *self.record_locked.get_mut() {
            record_lock::release(self, core::ptr::from_ref(self) as usize);
        }
        if self.counted {
            self.path.mount.remove_writer();
        }
    }
}

impl OpenFlags {
    /// True for access mode 3: neither reads nor writes, only ioctl(2); but opening takes the permission for both (open(2)).
    pub fn only_controls(self) -> bool {
        self.contains(OpenFlags::WRONLY | OpenFlags::RDWR)
    }

    /// True for access modes that read.
    pub fn reads(self) -> bool {
        !self.intersects(OpenFlags::PATH | OpenFlags::WRONLY)
    }

    /// True for access modes that write.
    pub fn writes(self) -> bool {
        !self.contains(OpenFlags::PATH) && self.intersects(OpenFlags::WRONLY | OpenFlags::RDWR) && !self.only_controls()
    }
}
