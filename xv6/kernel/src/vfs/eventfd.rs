//! eventfd(2): a counter that can be waited for.
//!
//! Locks: the counter's spin lock, not held across a user copy.

use super::File;
use super::file::{Events, FileOps};
use super::openfile::Whence;
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::{Poller, WaitQueue};
use core::any::Any;
use hal::sync::{Rank, SpinLock};

/// The largest count.
const MAX: u64 = u64::MAX - 1;

/// An event counter.
pub struct EventFd {
    count: SpinLock<u64>,
    semaphore: bool,
    changed: WaitQueue,
}

impl EventFd {
    /// A counter at `count`; with `semaphore` a read takes 1 instead of all.
    pub fn new(count: u64, semaphore: bool) -> EventFd {
        EventFd { count: SpinLock::new(Rank::Pipe, "eventfd", count), semaphore, changed: WaitQueue::new() }
    }

    fn take(&self) -> Option<u64> {
        let mut count = self.count.lock();
        let taken = if self.semaphore { (*count).min(1) } else { *count };
        *count -= taken;
        (taken > 0).then_some(taken)
    }

    fn add(&self, value: u64) -> Option<()> {
        let mut count = self.count.lock();
        *count = count.checked_add(value).filter(|&sum| sum <= MAX)?;
        Some(())
    }
}

impl FileOps for EventFd {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        if buf.remaining() < 8 {
            return Err(Errno::EINVAL.into());
        }
        let taken = match self.take() {
            Some(taken) => taken,
            None if file.is_nonblocking() => return Err(Errno::EAGAIN.into()),
            None => self.changed.wait_interruptible(None, || self.take())?,
        };
        self.changed.wake_all();
        buf.put(&taken.to_le_bytes())
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let mut bytes = [0; 8];
        if buf.remaining() < 8 || buf.take(&mut bytes)? < 8 {
            return Err(Errno::EINVAL.into());
        }
        let value = u64::from_le_bytes(bytes);
        if value > MAX {
            return Err(Errno::EINVAL.into());
        }
        if self.add(value).is_none() {
            if file.is_nonblocking() {
                return Err(Errno::EAGAIN.into());
            }
            self.changed.wait_interruptible(None, || self.add(value))?;
        }
        self.changed.wake_all();
        Ok(8)
    }

    fn is_stream(&self) -> bool {
        true
    }

    /// It has no places; lseek(2) is heard and does nothing.
    fn seek(&self, _whence: Whence, _by: i64) -> Result<u64> {
        Ok(0)
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(&self.changed);
        }
        let count = *self.count.lock();
        let mut events = Events::empty();
        // Without the `NORM` bits, as on Linux.
        events.set(Events::IN, count > 0);
        events.set(Events::OUT, count < MAX);
        events
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
