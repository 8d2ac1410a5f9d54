//! `/proc/PID/mem`: a process's memory as a file, a debugger's way to it (proc_pid_mem(5)). An offset is an address; protections do not count.
//!
//! Whoever opens it must be allowed to inspect the process. It stays the memory of that moment: after an execve(2), and after the end, there is
//! nothing to read. It keeps no memory alive.

use super::View;
use crate::error::{Errno, Result};
use crate::mm::{AddressSpace, ReadBuf, WriteBuf};
use crate::task;
use crate::vfs::File;
use crate::vfs::file::FileOps;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use core::any::Any;

/// Bytes moved at a time.
const PIECE: usize = 4096;

/// An open `mem`.
struct Mem {
    space: Weak<AddressSpace>,
}

/// The operations of the file, for a caller who may.
pub fn open(view: &View) -> Result<Option<Arc<dyn FileOps>>> {
    let space = super::memory::space(view)?.map(|space| Arc::downgrade(&space)).unwrap_or_default();
    Ok(Some(Arc::new(Mem { space })))
}

impl Mem {
    /// Moves `len` bytes at `*offset` piece by piece: `piece` moves up to so many and tells how many it moved. `EIO` where there is no memory.
    fn each(
        &self,
        len: usize,
        offset: &mut u64,
        mut piece: impl FnMut(&AddressSpace, usize, &mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        let Some(space) = self.space.upgrade() else { return Ok(0) };
        let mut bytes = vec![0; PIECE];
        let mut done = 0;
        while done < len {
            let want = PIECE.min(len - done);
            let moved = match piece(&space, *offset as usize, &mut bytes[..want]) {
                Ok(moved) => moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            *offset += moved as u64;
            done += moved;
            if moved < want || task::breathe_after(done, moved) {
                break;
            }
        }
        Ok(done)
    }
}

impl FileOps for Mem {
    fn read(&self, _file: &File, buf: &mut ReadBuf<'_>, offset: &mut u64) -> Result<usize> {
        self.each(buf.remaining(), offset, |space, at, bytes| {
            let read = space.peek(at, bytes).map_err(|_| Errno::EIO)?;
            buf.put(&bytes[..read])
        })
    }

    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, offset: &mut u64) -> Result<usize> {
        self.each(buf.remaining(), offset, |space, at, bytes| {
            let taken = buf.take(bytes)?;
            Ok(space.poke(at, &bytes[..taken]).map_err(|_| Errno::EIO)?)
        })
    }

    fn has_end(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
