//! pidfds (pidfd_open(2)): a descriptor that names a process and becomes readable when it ends.
//!
//! No locks.

use super::{Process, Task};
use crate::error::{Errno, Result};
use crate::sync::Poller;
use crate::vfs::File;
use crate::vfs::file::{Events, FileOps, OpenFlags};
use alloc::sync::Arc;
use core::any::Any;

/// What an open pidfd names.
pub struct PidFd(pub Arc<Process>);

impl FileOps for PidFd {
    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(&self.0.exited);
        }
        let mut events = Events::empty();
        events.set(Events::IN | Events::RDNORM, self.0.is_zombie());
        events.set(Events::HUP, self.0.is_reaped());
        events
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A new descriptor of the calling process for `process`, close-on-exec as all pidfds are. `EMFILE` if there is no room.
pub fn open(task: &Task, process: &Arc<Process>, nonblocking: bool) -> Result<u32> {
    let flags = if nonblocking { OpenFlags::RDWR | OpenFlags::NONBLOCK } else { OpenFlags::RDWR };
    let file = File::anonymous(Arc::new(PidFd(process.clone())), flags, "[pidfd]");
    task.files().insert(file, true)
}

/// As [`open`], for a child that is not visible yet.
pub(super) fn reserve(task: &Task, process: &Arc<Process>) -> Result<u32> {
    open(task, process, false)
}

/// The process that descriptor `fd` of the calling process names: a pidfd; `EBADF` for other files.
pub fn process_of(task: &Task, fd: u32) -> Result<Arc<Process>> {
    process_in(&*task.files().get(fd)?).ok_or(Errno::EBADF.into())
}

/// The process that an open pidfd names.
pub fn process_in(file: &File) -> Option<Arc<Process>> {
    file.operations::<PidFd>().map(|pidfd| pidfd.0.clone())
}
