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
        const WRONLY = 0o1;
        const RDWR = 0o2;
        const CREAT = 0o100;
        const EXCL = 0o200;
        const NOCTTY = 0o400;
        const TRUNC = 0o1000;
        const APPEND = 0o2000;
        const NONBLOCK = 0o4000;
        const DSYNC = 0o10000;
        const DIRECT = 0o40000;
        const LARGEFILE = 0o100000;
        const DIRECTORY = 0o200000;
        const NOFOLLOW = 0o400000;
        const NOATIME = 0o1000000;
        const CLOEXEC = 0o2000000;
        const SYNC = 0o4010000;
        const PATH = 0o10000000;
        const TMPFILE = 0o20200000;
    }
}

bitflags::bitflags! {
    /// poll(2)'s events.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Events: u32 {
        const IN = 0x001;
        const PRI = 0x002;
        const OUT = 0x004;
        const ERR = 0x008;
        const HUP = 0x010;
        const NVAL = 0x020;
        const RDNORM = 0x040;
        const RDBAND = 0x080;
        const WRNORM = 0x100;
        const WRBAND = 0x200;
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
    /// True for pipes, ttys and other streams: lseek(2) and pread(2) are `ESPIPE`.
    fn is_stream(&self) -> bool {
        false
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
