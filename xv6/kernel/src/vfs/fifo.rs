//! FIFOs (fifo(7)): pipes that processes meet at by opening one inode.
//!
//! The pipe lives while some end is open; a table finds it by the inode's address, which an open end keeps alive.
//!
//! Locks: the table's spin lock, taken alone.

use super::file::{FileOps, OpenFlags};
use super::inode::InodeRef;
use super::pipe::Pipe;
use crate::error::{Errno, Result};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;
use hal::sync::{Rank, SpinLock};

static PIPES: SpinLock<BTreeMap<usize, Weak<Pipe>>> = SpinLock::new(Rank::Pipe, "fifos", BTreeMap::new());

/// Opens the FIFO `inode`: for reading, waits for a writer, for writing, for a reader; with `O_NONBLOCK` a
/// reader does not wait and a lone writer is `ENXIO`.
pub(super) fn open(inode: &InodeRef, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let key = Arc::as_ptr(inode).cast::<()>() as usize;
    let pipe = {
        let mut pipes = PIPES.lock();
        match pipes.get(&key).and_then(Weak::upgrade) {
            Some(pipe) => pipe,
            None => {
                pipes.retain(|_, pipe| pipe.strong_count() > 0);
                let pipe = Pipe::new();
                pipes.insert(key, Arc::downgrade(&pipe));
                pipe
            }
        }
    };
    let nonblocking = flags.contains(OpenFlags::NONBLOCK);
    let (reads, writes) = (flags.reads(), flags.writes());
    let (readers, writers) = (pipe.readers_ever.load(Ordering::SeqCst), pipe.writers_ever.load(Ordering::SeqCst));
    if writes && !reads && nonblocking && !pipe.has_readers() {
        return Err(Errno::ENXIO.into());
    }
    let end = pipe.end(flags);
    if reads != writes && !nonblocking {
        // The other side counts even if it has come and gone already.
        pipe.opened.wait_interruptible(None, || {
            let met = if reads {
                pipe.has_writers() || pipe.writers_ever.load(Ordering::SeqCst) != writers
            } else {
                pipe.has_readers() || pipe.readers_ever.load(Ordering::SeqCst) != readers
            };
            met.then_some(())
        })?;
    }
    Ok(Arc::new(end))
}
