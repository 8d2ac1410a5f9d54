//! A file is written or it runs, never both at once: opening a running program for writing, and executing a file that is open for writing,
//! is `ETXTBSY` (open(2), execve(2)).
//!
//! [`Usage`] is the count that an inode of a writable file system keeps; [`Writing`] and [`Running`] hold it up and let it go when dropped. A
//! program runs from its load until its last process ends or executes another. Neighbours: `open`, `attr`, `exec`. Locks: none.

use super::File;
use super::inode::{InodeRef, Kind};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

/// How often an inode is open for writing (above 0), or running (below).
#[derive(Debug, Default)]
pub struct Usage(AtomicI32);

impl Usage {
    /// Of an inode that nobody has opened.
    pub const fn new() -> Usage {
        Usage(AtomicI32::new(0))
    }

    /// Counts one more in the direction of `step`; `ETXTBSY` if it is used in the other.
    fn begin(&self, step: i32) -> Result<()> {
        let more = |count: i32| if count.signum() == -step { None } else { count.checked_add(step) };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(Errno::ETXTBSY.during("writing a running program, or running a file that is open for writing"))
            }
        }
    }

    fn end(&self, step: i32) {
        self.0.fetch_sub(step, Ordering::AcqRel);
    }
}

const WRITE: i32 = 1;
const RUN: i32 = -1;

/// A right to write a file, for as long as it lives.
pub struct Writing(InodeRef);

impl Writing {
    /// `ETXTBSY` if the file runs. `None` where nobody counts: what is no regular file, or of a file system that is never written.
    pub fn begin(inode: &InodeRef) -> Result<Option<Writing>> {
        match inode.usage().filter(|_| inode.kind() == Kind::File) {
            Some(usage) => usage.begin(WRITE).map(|()| Some(Writing(inode.clone()))),
            None => Ok(None),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(usage) = self.0.usage() {
            usage.end(WRITE);
        }
    }
}

/// A program that runs, or is about to.
pub struct Running {
    /// Its file.
    pub file: Arc<File>,
}

impl Running {
    /// `ETXTBSY` if the file is open for writing.
    pub fn begin(file: Arc<File>) -> Result<Arc<Running>> {
        if let Some(usage) = file.inode.usage() {
            usage.begin(RUN)?;
        }
        Ok(Arc::new(Running { file }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(usage) = self.file.inode.usage() {
            usage.end(RUN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RUN, Usage, WRITE};
    use crate::error::Errno;

    #[test]
    fn writers_and_programs_exclude_each_other() {
        let usage = Usage::new();
        let busy = Err(Errno::ETXTBSY);
        let begin = |step| usage.begin(step).map_err(|error| error.errno);
        assert_eq!((begin(WRITE), begin(WRITE), begin(RUN)), (Ok(()), Ok(()), busy));
        usage.end(WRITE);
        assert_eq!(begin(RUN), busy);
        usage.end(WRITE);
        assert_eq!((begin(RUN), begin(RUN), begin(WRITE)), (Ok(()), Ok(()), busy));
        usage.end(RUN);
        assert_eq!(begin(WRITE), busy);
        usage.end(RUN);
        assert_eq!(begin(WRITE), Ok(()));
    }
}
