//! socketpair(2) of Unix stream sockets (unix(7)): [`Socket`], one end, reads one pipe and writes another.
//!
//! Neighbours: `pipe` does the work and has the locks; `syscall::socket` makes the calls.

use super::census::{self, Counted};
use super::file::{Events, FileOps, OpenFlags};
use super::inode::{Attr, FileSystem, Inode, Kind, Owner, SetAttr};
use super::pipe::{End, Pipe};
use super::{File, anon};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::Poller;
use crate::task;
use crate::task::signal::{Signal, send_to_task};
use alloc::format;
use alloc::sync::Arc;
use core::any::Any;

/// One end of a connected pair.
pub struct Socket {
    input: End,
    output: End,
}

impl Socket {
    /// send(2). Unlike a pipe's, a write that has moved something before the other end went says so alone; the next one is `EPIPE`, with
    /// `SIGPIPE` if `signal` (not with `MSG_NOSIGNAL`).
    pub fn send(&self, file: &File, buf: &mut WriteBuf<'_>, signal: bool) -> Result<usize> {
        let (result, broken) = self.output.write_quietly(file, buf);
        if broken
            && signal
            && result.is_err()
            && let Some(task) = task::try_current()
        {
            send_to_task(&task, Signal::PIPE);
        }
        result
    }
}

impl FileOps for Socket {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, offset: &mut u64) -> Result<usize> {
        self.input.read(file, buf, offset)
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        self.send(file, buf, true)
    }

    fn is_stream(&self) -> bool {
        true
    }

    /// As a socket's: when the other end is gone, reading and writing end at once, so both are ready.
    fn poll(&self, file: &File, mut poller: Option<&mut Poller>) -> Events {
        let input = self.input.poll(file, poller.as_deref_mut());
        let output = self.output.poll(file, poller);
        let mut events = (input | output).difference(Events::ERR);
        if input.contains(Events::HUP) {
            events |= Events::IN | Events::RDNORM | Events::OUT | Events::WRNORM;
        }
        events
    }

    fn ioctl(&self, file: &File, request: u32, arg: usize) -> Result<usize> {
        self.input.ioctl(file, request, arg)
    }

    fn sync(&self, _file: &File) -> Result<()> {
        Err(Errno::EINVAL.into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What stat(2) and `/proc/PID/fd` see.
struct SocketInode {
    _counted: Counted,
    ino: u64,
    owner: Owner,
}

impl Inode for SocketInode {
    fn attr(&self) -> Result<Attr> {
        Ok(Attr { uid: self.owner.uid, gid: self.owner.gid, ..anon::attr(self.ino, Kind::Socket) })
    }
    fn kind(&self) -> Kind {
        Kind::Socket
    }
    fn set_attr(&self, _change: &SetAttr) -> Result<()> {
        Ok(())
    }
    /// A socket cannot be opened, through `/proc/PID/fd` neither.
    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        Err(Errno::ENXIO.into())
    }
    fn fs(&self) -> Arc<dyn FileSystem> {
        anon::fs()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A connected pair, owned by the caller's file-system ids. `flags` may hold `NONBLOCK`.
pub fn create(uid: u32, gid: u32, flags: OpenFlags) -> (Arc<File>, Arc<File>) {
    let (there, back) = (Pipe::new(), Pipe::new());
    let end = |input: &Arc<Pipe>, output: &Arc<Pipe>| {
        let ino = anon::next_ino();
        let inode =
            Arc::new(SocketInode { _counted: census::INODES.count(), ino, owner: Owner { mode: 0o777, uid, gid } });
        let socket = Socket { input: input.end(OpenFlags::empty()), output: output.end(OpenFlags::WRONLY) };
        let status = OpenFlags::RDWR | flags.intersection(OpenFlags::NONBLOCK);
        File::new(anon::path(inode, format!("socket:[{ino}]").as_bytes()), Arc::new(socket), status)
    };
    (end(&there, &back), end(&back, &there))
}
