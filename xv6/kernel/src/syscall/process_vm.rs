//! process_vm_readv(2), process_vm_writev(2): copies between the caller's memory and another process's.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task;
use crate::task::ptrace::{self, Mode};
use alloc::vec;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 310, name: "process_vm_readv", handler: read },
    Row { number: 311, name: "process_vm_writev", handler: write },
];

/// Bytes moved at a time.
const PIECE: usize = 16 * 4096;

fn read(call: &mut Call<'_>) -> Result<usize> {
    copy(call, false)
}

fn write(call: &mut Call<'_>) -> Result<usize> {
    copy(call, true)
}

/// A list of pieces of memory, being walked.
struct Pieces {
    list: alloc::vec::Vec<(usize, usize)>,
    index: usize,
    done: usize,
}

impl Pieces {
    fn read(address: usize, count: usize) -> Result<Pieces> {
        let list = memory::read_iovec(address, count)?.iter().map(|piece| (piece.base, piece.len)).collect();
        Ok(Pieces { list, index: 0, done: 0 })
    }

    /// The next bytes: where, and how many.
    fn next(&mut self) -> Option<(usize, usize)> {
        while let Some(&(base, len)) = self.list.get(self.index) {
            if self.done < len {
                return Some((base.wrapping_add(self.done), len - self.done));
            }
            (self.index, self.done) = (self.index + 1, 0);
        }
        None
    }
}

fn copy(call: &mut Call<'_>, writes: bool) -> Result<usize> {
    let [pid, local, local_count, remote, remote_count, flags] = call.args;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut ours = Pieces::read(local, local_count)?;
    let mut theirs = Pieces::read(remote, remote_count)?;
    let tid = u32::try_from(pid as i32).map_err(|_| Errno::ESRCH)?;
    let target = call.task.pid_ns().find(tid).and_then(|pid| pid.task()).ok_or(Errno::ESRCH)?;
    ptrace::may_access(call.task, &target.process, Mode::Real)?;
    let space = target.mm().ok_or(Errno::ESRCH)?;
    let mut bytes = vec![0; PIECE];
    let mut total = 0;
    while let (Some((to, room)), Some((from, len))) = (ours.next(), theirs.next()) {
        let piece = &mut bytes[..room.min(len).min(PIECE)];
        let moved = if writes {
            memory::read_bytes(to, piece).and_then(|()| space.write_remote(from, piece))
        } else {
            space.read_remote(from, piece).and_then(|read| memory::write_bytes(to, &piece[..read]).map(|()| read))
        };
        let moved = match moved {
            Ok(moved) => moved,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        };
        total += moved;
        ours.done += moved;
        theirs.done += moved;
        if moved < piece.len() || task::breathe_after(total, moved) {
            break;
        }
    }
    Ok(total)
}
