//! Copies within the kernel: sendfile(2), copy_file_range(2).
//!
//! The bytes go through one kernel buffer, a piece at a time; each piece is written whole before the next is read.

use super::at::offset;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
use crate::task;
use crate::vfs::File;
use crate::vfs::file::OpenFlags;
use crate::vfs::inode::Kind;
use alloc::vec;

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 40, name: "sendfile", handler: sendfile },
    Row { number: 326, name: "copy_file_range", handler: copy_file_range },
];

/// Bytes moved at a time.
const PIECE: usize = 16 * 4096;
/// The most that one call moves.
const MAX: usize = 0x7fff_f000;

/// One side of a copy: at a place of its own, or at the file's offset.
struct Side<'a> {
    file: &'a File,
    at: Option<u64>,
}

impl Side<'_> {
    /// Where the next byte comes from or goes to.
    fn place(&self) -> u64 {
        self.at.unwrap_or_else(|| self.file.offset())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let mut buf = ReadBuf::kernel(bytes);
        match &mut self.at {
            None => self.file.read(&mut buf),
            Some(at) => {
                let moved = self.file.read_at(&mut buf, *at)?;
                *at += moved as u64;
                Ok(moved)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut buf = WriteBuf::kernel(bytes);
        match &mut self.at {
            None => self.file.write(&mut buf),
            Some(at) => {
                let moved = self.file.write_at(&mut buf, *at)?;
                *at += moved as u64;
                Ok(moved)
            }
        }
    }
}

/// Moves up to `len` bytes. The reader's offset follows what was written, not what was read ahead of it.
fn copy(from: &mut Side<'_>, to: &mut Side<'_>, len: usize) -> Result<usize> {
    let mut bytes = vec![0; PIECE.min(len.max(1))];
    let mut done = 0;
    let len = len.min(MAX);
    while done < len {
        let part = bytes.len().min(len - done);
        let before = from.place();
        let read = match from.read(&mut bytes[..part]) {
            Err(_) if done > 0 => break,
            read => read?,
        };
        if read == 0 {
            break;
        }
        let mut written = 0;
        let mut failed = None;
        let mut dying = false;
        while written < read && failed.is_none() && !dying {
            match to.write(&bytes[written..read]) {
                Ok(0) => break,
                Ok(moved) => written += moved,
                Err(error) => failed = Some(error),
            }
            // Some take only a few bytes at a time: an eventfd eight.
            dying = task::breathe_or_stop();
        }
        done += written;
        // A device's offset may stay where it is, whatever was read.
        if written < read && from.place() > before {
            match &mut from.at {
                Some(at) => *at = before + written as u64,
                None => *from.file.lock_offset() = before + written as u64,
            }
        }
        match failed {
            Some(error) if done == 0 => return Err(error),
            Some(_) => break,
            None if written < read || dying => break,
            None => {}
        }
    }
    Ok(done)
}

/// The place a call's pointer to an offset gives.
fn place(addr: usize) -> Result<Option<u64>> {
    if addr == 0 { Ok(None) } else { offset(user::read::<u64>(addr)? as usize).map(Some) }
}

fn write_back(addr: usize, at: Option<u64>) -> Result<()> {
    match at {
        Some(at) => user::write(addr, &at),
        None => Ok(()),
    }
}

fn sendfile(call: &mut Call<'_>) -> Result<usize> {
    let [_, _, at, len, ..] = call.args;
    let mut place: Option<u64> = if at == 0 { None } else { Some(user::read(at)?) };
    let result = send(call, &mut place, len);
    // The offset is given back whatever became of the call, as Linux does.
    write_back(at, place)?;
    result
}

fn send(call: &Call<'_>, place: &mut Option<u64>, len: usize) -> Result<usize> {
    let from = call.file(1)?;
    let at = (*place).map(|at| offset(at as usize)).transpose()?;
    let out = call.file(0)?;
    if !from.is_readable() || !out.is_writable() {
        return Err(Errno::EBADF.into());
    }
    let directory = from.inode.kind() == Kind::Directory;
    if directory || from.ops.is_stream() || out.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL.into());
    }
    let mut source = Side { file: &from, at };
    let result = copy(&mut source, &mut Side { file: &out, at: None }, len);
    *place = source.at;
    result
}

fn copy_file_range(call: &mut Call<'_>) -> Result<usize> {
    let (from, out) = (call.file(0)?, call.file(2)?);
    for file in [&from, &out] {
        match file.inode.kind() {
            Kind::File if file.inode.pages().is_some() => {}
            Kind::Directory => return Err(Errno::EISDIR.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    if !from.is_readable() || !out.is_writable() || out.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF.into());
    }
    if call.args[5] != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut source = Side { file: &from, at: place(call.args[1])? };
    let mut target = Side { file: &out, at: place(call.args[3])? };
    if from.inode.attr()?.ino == out.inode.attr()?.ino && from.inode.attr()?.dev == out.inode.attr()?.dev {
        let (a, b) = (source.at.unwrap_or(from.offset()), target.at.unwrap_or(out.offset()));
        if a.abs_diff(b) < call.args[4] as u64 {
            return Err(Errno::EINVAL.into());
        }
    }
    let result = copy(&mut source, &mut target, call.args[4]);
    write_back(call.args[1], source.at)?;
    write_back(call.args[3], target.at)?;
    result
}
