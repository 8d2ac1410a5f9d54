//! What an open file can do: [`FileOps`], with open(2)'s flags and poll(2)'s events.
//!
//! Regular files, directories, FIFOs, pipes, devices, ttys and generated files each implement `FileOps`;
//! [`super::File`] is the open file that carries one.

use crate::error::{Errno, Result};
use crate::mm::{PageCache, ReadBuf, WriteBuf};
use crate::sync::Poller;
use alloc::sync::Arc;

bitflags::bitflags! {
    /// open(2)'s flags, Linux x86_64's values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct OpenFlags: u32 {
        /// Write only.
        const WRONLY = 0o1;
        /// Read and write. Neither bit: read only.
        const RDWR = 0o2;
        /// Create the file if it is missing.
        const CREAT = 0o100;
        /// With `CREAT`: fail if it exists.
        const EXCL = 0o200;
        /// A terminal does not become the controlling one.
        const NOCTTY = 0o400;
        /// Cut the file to length 0.
        const TRUNC = 0o1000;
        /// Each write goes to the end.
        const APPEND = 0o2000;
        /// What would wait is `EAGAIN`.
        const NONBLOCK = 0o4000;
        /// A write returns when its data is on the disk.
        const DSYNC = 0o10000;
        /// Pass by the page cache: accepted, and has no effect.
        const DIRECT = 0o40000;
        /// Large offsets: always so.
        const LARGEFILE = 0o100000;
        /// Fail unless it is a directory.
        const DIRECTORY = 0o200000;
        /// Fail if the last component is a symlink.
        const NOFOLLOW = 0o400000;
        /// Leave the access time alone.
        const NOATIME = 0o1000000;
        /// The descriptor is closed at exec.
        const CLOEXEC = 0o2000000;
        /// As `DSYNC`, metadata too.
        const SYNC = 0o4010000;
        /// Only name the place.
        const PATH = 0o10000000;
        /// An unnamed file (not supported).
        const TMPFILE = 0o20200000;
    }
}

bitflags::bitflags! {
    /// poll(2)'s events.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Events: u32 {
        /// Something to read, or the end of the file.
        const IN = 0x001;
        /// Something exceptional.
        const PRI = 0x002;
        /// Room to write.
        const OUT = 0x004;
        /// An error; for a pipe, no reader.
        const ERR = 0x008;
        /// The other side is gone.
        const HUP = 0x010;
        /// Not an open descriptor.
        const NVAL = 0x020;
        /// As `IN`.
        const RDNORM = 0x040;
        /// Priority data to read.
        const RDBAND = 0x080;
        /// As `OUT`.
        const WRNORM = 0x100;
        /// Priority data may be written.
        const WRBAND = 0x200;
        /// The peer writes no more.
        const RDHUP = 0x2000;
    }
}

/// What an open file can do. `file` is the open file itself, for its flags (`NONBLOCK`, `APPEND`) which `fcntl` may change.
pub trait FileOps: Send + Sync {
    /// Reads at `*offset` and moves it (a stream ignores it). Returns the bytes read; 0 is end of file.
    fn read(&self, _file: &super::File, _buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        Err(Errno::EINVAL.into())
    }
    /// Writes at `*offset` and moves it. Returns the bytes written.
    fn write(&self, _file: &super::File, _buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        Err(Errno::EINVAL.into())
    }
    /// True for pipes, ttys and other streams: pread(2) is `ESPIPE`, and so is lseek(2), unless it has [`FileOps::seek`].
    fn is_stream(&self) -> bool {
        false
    }
    /// True where lseek(2) moves the open file's offset; else [`FileOps::seek`] answers.
    fn has_offset(&self) -> bool {
        !self.is_stream()
    }
    /// False where a file has no end that lseek(2) could count from: a process's memory.
    fn has_end(&self) -> bool {
        true
    }
    /// lseek(2) without an offset: `ESPIPE`, except on a device that has places of its own.
    fn seek(&self, _whence: super::openfile::Whence, _by: i64) -> Result<u64> {
        Err(Errno::ESPIPE.into())
    }
    /// The events that hold now; registers `poller` (if given) with the wait queues that would change them.
    fn poll(&self, _file: &super::File, _poller: Option<&mut Poller>) -> Events {
        Events::IN | Events::OUT | Events::RDNORM | Events::WRNORM
    }
    /// ioctl(2); `arg` is a user address or a number.
    fn ioctl(&self, _file: &super::File, _request: u32, _arg: usize) -> Result<usize> {
        Err(Errno::ENOTTY.into())
    }
    /// fsync(2).
    fn sync(&self, file: &super::File) -> Result<()> {
        file.inode.sync()
    }
    /// The pages to map (mmap(2)), where they are not the inode's.
    fn pages(&self) -> Option<Arc<PageCache>> {
        None
    }
    /// For downcasts (a pidfd, a namespace file, an epoll).
    fn as_any(&self) -> &dyn core::any::Any;
}
