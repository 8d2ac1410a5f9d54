//! Pipes (pipe(7)): [`Pipe`], the buffer with its readers and writers, and [`End`], one open end.
//!
//! A write of up to [`ATOMIC`] bytes is whole or waits; readers wait only for the first byte, writers only for room for an
//! atomic write, and whoever makes that true wakes them: between, no queue is touched. FIFOs (`fifo`) are pipes found through an inode.
//!
//! A write to a pipe without readers is `EPIPE` and `SIGPIPE`; one that loses them half-way is what was written, and `SIGPIPE`.
//!
//! Locks: `ring` (sleeping, since it is held across user copies). The length is also an atomic, for conditions and poll.

use super::census::{self, Counted};
use super::file::{Events, FileOps, OpenFlags};
use super::inode::{Attr, FileSystem, Inode, Kind, Owner, SetAttr};
use super::ring::Ring;
use super::{File, anon};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
use crate::sync::{Mutex, Poller, Rank, WaitQueue};
use crate::task;
use crate::task::signal::{Signal, send_to_task};
use alloc::format;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// `PIPE_BUF`: the longest write that is never interleaved with another.
pub const ATOMIC: usize = 4096;
/// A new pipe's capacity in bytes.
pub const CAPACITY: usize = 65_536;
/// The largest capacity that `F_SETPIPE_SZ` gives (Linux's default limit for users).
pub const MAX_CAPACITY: usize = 1 << 20;

/// What all pipes together may hold before new ones are small and none grows, in bytes. Nobody maps this memory, so the killer of
/// big processes could not find whose it is (Linux: `pipe-user-pages-soft`, 64 MiB for each user but root; here it binds all).
const SOFT_LIMIT: usize = 32 << 20;
/// A new pipe's capacity past that, as on Linux.
const SMALL_CAPACITY: usize = 2 * ATOMIC;

/// The capacities of all pipes, in bytes.
static CAPACITIES: AtomicUsize = AtomicUsize::new(0);

/// ioctl(2): bytes ready to read.
const FIONREAD: u32 = 0x541b;

/// A buffer between readers and writers.
pub struct Pipe {
    ring: Mutex<Ring>,
    /// What the ring holds, for who only looks. It is stored before a wake-up takes the queue's lock, and read by who waits after it took that.
    len: AtomicUsize,
    capacity: AtomicUsize,
    readers: AtomicU32,
    writers: AtomicU32,
    had_writer: AtomicBool,
    can_read: WaitQueue,
    can_write: WaitQueue,
    /// A reader or writer has come (FIFOs wait for it), and how many ever came.
    pub(super) opened: WaitQueue,
    pub(super) readers_ever: AtomicU32,
    pub(super) writers_ever: AtomicU32,
}

impl Pipe {
    /// An empty pipe with no ends.
    pub fn new() -> Arc<Pipe> {
        let capacity =
            if CAPACITIES.load(Ordering::Relaxed) + CAPACITY > SOFT_LIMIT { SMALL_CAPACITY } else { CAPACITY };
        CAPACITIES.fetch_add(capacity, Ordering::Relaxed);
        Arc::new(Pipe {
            ring: Mutex::new(Rank::Pipe, "pipe", Ring::default()),
            len: AtomicUsize::new(0),
            capacity: AtomicUsize::new(capacity),
            readers: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            had_writer: AtomicBool::new(false),
            can_read: WaitQueue::new(),
            can_write: WaitQueue::new(),
            opened: WaitQueue::new(),
            readers_ever: AtomicU32::new(0),
            writers_ever: AtomicU32::new(0),
        })
    }

    /// A new end for what `flags` say.
    pub(super) fn end(self: &Arc<Self>, flags: OpenFlags) -> End {
        let end = End { pipe: self.clone(), reads: flags.reads(), writes: flags.writes() };
        if end.reads {
            self.readers.fetch_add(1, Ordering::SeqCst);
            self.readers_ever.fetch_add(1, Ordering::SeqCst);
        }
        if end.writes {
            self.writers.fetch_add(1, Ordering::SeqCst);
            self.writers_ever.fetch_add(1, Ordering::SeqCst);
            self.had_writer.store(true, Ordering::SeqCst);
        }
        self.opened.wake_all();
        end
    }

    pub(super) fn has_readers(&self) -> bool {
        self.readers.load(Ordering::SeqCst) > 0
    }

    pub(super) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::SeqCst) > 0
    }

    fn room(&self) -> usize {
        self.capacity.load(Ordering::Relaxed).saturating_sub(self.len.load(Ordering::Acquire))
    }

    /// `F_GETPIPE_SZ`.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    /// `F_SETPIPE_SZ`: rounded up to a power of two of pages; `EBUSY` below what it holds, `EPERM` past the maximum of
    /// this pipe or of all, `EINVAL` for a negative size.
    pub fn set_capacity(&self, bytes: u32) -> Result<usize> {
        /// What has no power of two in 32 bits, a negative `int` above all.
        const LARGEST: u32 = 1 << 31;
        if bytes > LARGEST {
            return Err(Errno::EINVAL.into());
        }
        let bytes = bytes as usize;
        if bytes > MAX_CAPACITY {
            return Err(Errno::EPERM.into());
        }
        let capacity = bytes.max(ATOMIC).next_power_of_two();
        let ring = self.ring.lock();
        if ring.len() > capacity {
            return Err(Errno::EBUSY.into());
        }
        let old = self.capacity();
        let all = CAPACITIES.fetch_add(capacity, Ordering::Relaxed) + capacity - old;
        if capacity > old && all > SOFT_LIMIT {
            CAPACITIES.fetch_sub(capacity, Ordering::Relaxed);
            return Err(Errno::EPERM.into());
        }
        CAPACITIES.fetch_sub(old, Ordering::Relaxed);
        self.capacity.store(capacity, Ordering::Relaxed);
        drop(ring);
        self.can_write.wake_all();
        Ok(capacity)
    }

    fn read(&self, buf: &mut ReadBuf<'_>, nonblocking: bool) -> Result<usize> {
        if buf.remaining() == 0 {
            return Ok(0);
        }
        loop {
            {
                let mut ring = self.ring.lock();
                let before = ring.len();
                if before > 0 {
                    let moved = ring.drain(buf)?;
                    self.len.store(ring.len(), Ordering::Release);
                    let (capacity, after) = (self.capacity(), ring.len());
                    drop(ring);
                    if capacity - after >= ATOMIC && capacity.saturating_sub(before) < ATOMIC {
                        self.can_write.wake_all();
                    }
                    return Ok(moved);
                }
            }
            if !self.has_writers() {
                // A writer may have written and gone between the two looks.
                if self.len.load(Ordering::Acquire) > 0 {
                    continue;
                }
                return Ok(0);
            }
            if nonblocking {
                return Err(Errno::EAGAIN.into());
            }
            self.can_read.wait_interruptible(None, || {
                (self.len.load(Ordering::Acquire) > 0 || !self.has_writers()).then_some(())
            })?;
        }
    }

    /// Writes all of `buf`, or what fits before something ends it; true if the readers have gone.
    fn write(&self, buf: &mut WriteBuf<'_>, nonblocking: bool) -> (Result<usize>, bool) {
        let total = buf.remaining();
        let need = if total <= ATOMIC { total } else { 1 };
        let mut done = 0;
        while done < total {
            match self.write_some(buf, need) {
                Ok(Some((asked, moved))) => {
                    done += moved;
                    if moved < asked {
                        break;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    let broken = error.errno == Errno::EPIPE;
                    return (if done == 0 { Err(error) } else { Ok(done) }, broken);
                }
            }
            if nonblocking {
                return (if done == 0 { Err(Errno::EAGAIN.into()) } else { Ok(done) }, false);
            }
            let waited = self.can_write.wait_interruptible(None, || {
                (self.room() >= need.max(total.min(ATOMIC)) || !self.has_readers()).then_some(())
            });
            match waited {
                Err(error) if done == 0 => return (Err(error), false),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        (Ok(done), false)
    }

    /// Moves bytes if there is room for `need`: how many it tried and managed. `EPIPE` without readers.
    fn write_some(&self, buf: &mut WriteBuf<'_>, need: usize) -> Result<Option<(usize, usize)>> {
        let mut ring = self.ring.lock();
        if !self.has_readers() {
            return Err(Errno::EPIPE.into());
        }
        let before = ring.len();
        let room = self.capacity().saturating_sub(before);
        if room < need {
            return Ok(None);
        }
        let asked = room.min(buf.remaining());
        let moved = ring.fill(buf, asked)?;
        self.len.store(ring.len(), Ordering::Release);
        drop(ring);
        if before == 0 && moved > 0 {
            self.can_read.wake_all();
        }
        Ok(Some((asked, moved)))
    }
}

/// One open end of a pipe; a FIFO opened `O_RDWR` is both.
pub struct End {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
}

impl End {
    /// The pipe.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Writes without a signal: what was written, and whether the readers have gone.
    pub(super) fn write_quietly(&self, file: &File, buf: &mut WriteBuf<'_>) -> (Result<usize>, bool) {
        self.pipe.write(buf, file.is_nonblocking())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        CAPACITIES.fetch_sub(self.capacity(), Ordering::Relaxed);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.reads && self.pipe.readers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.pipe.can_write.wake_all();
        }
        if self.writes && self.pipe.writers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.pipe.can_read.wake_all();
        }
    }
}

impl FileOps for End {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        self.pipe.read(buf, file.is_nonblocking())
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let (result, broken) = self.write_quietly(file, buf);
        if broken && let Some(task) = task::try_current() {
            send_to_task(&task, Signal::PIPE);
        }
        result
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        let pipe = &self.pipe;
        if let Some(poller) = poller {
            if self.reads {
                poller.register(&pipe.can_read);
            }
            if self.writes {
                poller.register(&pipe.can_write);
            }
        }
        let mut events = Events::empty();
        if self.reads {
            events.set(Events::IN | Events::RDNORM, pipe.len.load(Ordering::Acquire) > 0);
            events.set(Events::HUP, !pipe.has_writers() && pipe.had_writer.load(Ordering::SeqCst));
        }
        if self.writes {
            events.set(Events::OUT | Events::WRNORM, pipe.room() >= ATOMIC);
            events.set(Events::ERR, !pipe.has_readers());
        }
        events
    }

    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let len = self.pipe.len.load(Ordering::Acquire) as u32;
        user::write_bytes(arg, &len.to_le_bytes())?;
        Ok(0)
    }

    fn sync(&self, _file: &File) -> Result<()> {
        Err(Errno::EINVAL.into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What stat(2) and `/proc/PID/fd` see of an unnamed pipe.
struct PipeInode {
    _counted: Counted,
    ino: u64,
    owner: Owner,
    pipe: Arc<Pipe>,
}

impl Inode for PipeInode {
    fn attr(&self) -> Result<Attr> {
        Ok(Attr { uid: self.owner.uid, gid: self.owner.gid, ..anon::attr(self.ino, Kind::Fifo) })
    }
    fn kind(&self) -> Kind {
        Kind::Fifo
    }
    fn set_attr(&self, _change: &SetAttr) -> Result<()> {
        Ok(())
    }
    fn open(&self, flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        // Through /proc/PID/fd: nobody waits for the other side, which may have come and gone (`cat <(echo a)` in bash).
        Ok(Some(Arc::new(self.pipe.end(flags))))
    }
    fn fs(&self) -> Arc<dyn FileSystem> {
        anon::fs()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// pipe(2): the read end and the write end, owned by `owner` (the caller's file-system ids). `flags` may hold `NONBLOCK` and `DIRECT`, which is ignored.
pub fn create(uid: u32, gid: u32, flags: OpenFlags) -> (Arc<File>, Arc<File>) {
    let pipe = Pipe::new();
    let ino = anon::next_ino();
    let inode = Arc::new(PipeInode {
        _counted: census::INODES.count(),
        ino,
        owner: Owner { mode: 0o600, uid, gid },
        pipe: pipe.clone(),
    });
    let path = anon::path(inode, format!("pipe:[{ino}]").as_bytes());
    let status = flags.intersection(OpenFlags::NONBLOCK);
    let read = File::new(path.clone(), Arc::new(pipe.end(OpenFlags::empty())), status);
    let write = File::new(path, Arc::new(pipe.end(OpenFlags::WRONLY)), status | OpenFlags::WRONLY);
    (read, write)
}
