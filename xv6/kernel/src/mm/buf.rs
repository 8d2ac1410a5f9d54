//! [`ReadBuf`], where a read's bytes go, and [`WriteBuf`], where a write's bytes come from: user memory, a user iovec, or a kernel slice.
//!
//! File systems and devices fill and drain them without knowing which it is. A call that meets bad user memory returns the bytes
//! moved so far; `EFAULT` only if there were none. No spin lock, page-cache or address-space lock may be held across a call.

use super::user::copy_with;
use crate::error::{Errno, Result};
use alloc::vec::Vec;
use hal::frame::{self, Frame};

/// The most one read or write call moves (read(2), NOTES).
const MAX_TRANSFER: usize = 0x7fff_f000;

/// One element of readv(2)'s array: user address and length.
#[derive(Clone, Copy, Debug)]
pub struct IoVec {
    /// User address.
    pub base: usize,
    /// Bytes.
    pub len: usize,
}

/// Stretches of user memory, consumed from the front.
struct UserMemory {
    first: IoVec,
    rest: Vec<IoVec>,
    /// Index of the next element of `rest`.
    next: usize,
}

impl UserMemory {
    fn one(base: usize, len: usize) -> Result<UserMemory> {
        if base.checked_add(len).is_none_or(|end| end > hal::user::LIMIT) {
            return Err(Errno::EFAULT.into());
        }
        Ok(UserMemory { first: IoVec { base, len: len.min(MAX_TRANSFER) }, rest: Vec::new(), next: 0 })
    }

    /// Feeds up to `len` bytes' worth of addresses to `copy(user address, bytes already moved, bytes)`, which returns how many it moved.
    fn advance(&mut self, len: usize, mut copy: impl FnMut(usize, usize, usize) -> usize) -> Result<usize> {
        let mut done = 0;
        while done < len {
            if self.first.len == 0 {
                let Some(&next) = self.rest.get(self.next) else { break };
                self.first = next;
                self.next += 1;
                continue;
            }
            let part = self.first.len.min(len - done);
            let moved = copy(self.first.base, done, part);
            self.first.base += moved;
            self.first.len -= moved;
            done += moved;
            if moved < part {
                break;
            }
        }
        if done == 0 && len != 0 { Err(Errno::EFAULT.into()) } else { Ok(done) }
    }
}

enum Target<'a> {
    User(UserMemory),
    Kernel(&'a mut [u8]),
}

/// The destination of a read.
pub struct ReadBuf<'a> {
    target: Target<'a>,
    remaining: usize,
    done: usize,
}

impl<'a> ReadBuf<'a> {
    /// `len` bytes at user address `addr`; `EFAULT` if that leaves the user half.
    pub fn user(addr: usize, len: usize) -> Result<ReadBuf<'static>> {
        let memory = UserMemory::one(addr, len)?;
        Ok(ReadBuf { remaining: memory.first.len, target: Target::User(memory), done: 0 })
    }

    /// The stretches of a user iovec ([`super::user::read_iovec`]).
    pub fn user_vec(vec: Vec<IoVec>) -> ReadBuf<'static> {
        let remaining = vec.iter().map(|part| part.len).sum::<usize>().min(MAX_TRANSFER);
        let first = IoVec { base: 0, len: 0 };
        ReadBuf { target: Target::User(UserMemory { first, rest: vec, next: 0 }), remaining, done: 0 }
    }

    /// A kernel slice.
    pub fn kernel(slice: &'a mut [u8]) -> ReadBuf<'a> {
        let remaining = slice.len();
        ReadBuf { target: Target::Kernel(slice), remaining, done: 0 }
    }

    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Bytes put so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Appends as much of `bytes` as fits; how much that was.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = bytes.len().min(self.remaining);
        let moved = match &mut self.target {
            Target::Kernel(slice) => {
                slice[self.done..self.done + len].copy_from_slice(&bytes[..len]);
                len
            }
            Target::User(user) => user.advance(len, |va, at, len| {
                let bytes = &bytes[at..at + len];
                copy_with(va, len, |part| hal::user::write(va + part.start, &bytes[part]))
            })?,
        };
        Ok(self.moved(moved))
    }

    /// Appends `len` bytes of `frame` from `off`, as much as fits; how much that was. `off + len` is at most the frame's size.
    pub fn put_frame(&mut self, frame: &Frame, off: usize, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        let moved = match &mut self.target {
            Target::Kernel(slice) => {
                frame.read(off, &mut slice[self.done..self.done + len]);
                len
            }
            Target::User(user) => user.advance(len, |va, at, len| {
                copy_with(va, len, |part| frame.copy_to_user(off + at + part.start, va + part.start, part.len()))
            })?,
        };
        Ok(self.moved(moved))
    }

    /// Appends up to `len` zeros; how many.
    pub fn put_zeros(&mut self, len: usize) -> Result<usize> {
        let zero = Frame::zero_page();
        let mut put = 0;
        while put < len && self.remaining > 0 {
            let moved = match self.put_frame(&zero, 0, (len - put).min(frame::SIZE)) {
                Ok(moved) => moved,
                Err(error) if put == 0 => return Err(error),
                Err(_) => break,
            };
            put += moved;
            if crate::task::breathe_after(put, moved) {
                break;
            }
        }
        Ok(put)
    }

    fn moved(&mut self, moved: usize) -> usize {
        self.remaining -= moved;
        self.done += moved;
        moved
    }
}

enum Origin<'a> {
    User(UserMemory),
    Kernel(&'a [u8]),
}

/// The source of a write.
pub struct WriteBuf<'a> {
    origin: Origin<'a>,
    remaining: usize,
    done: usize,
}

impl<'a> WriteBuf<'a> {
    /// `len` bytes at user address `addr`; `EFAULT` if that leaves the user half.
    pub fn user(addr: usize, len: usize) -> Result<WriteBuf<'static>> {
        let memory = UserMemory::one(addr, len)?;
        Ok(WriteBuf { remaining: memory.first.len, origin: Origin::User(memory), done: 0 })
    }

    /// The stretches of a user iovec ([`super::user::read_iovec`]).
    pub fn user_vec(vec: Vec<IoVec>) -> WriteBuf<'static> {
        let remaining = vec.iter().map(|part| part.len).sum::<usize>().min(MAX_TRANSFER);
        let first = IoVec { base: 0, len: 0 };
        WriteBuf { origin: Origin::User(UserMemory { first, rest: vec, next: 0 }), remaining, done: 0 }
    }

    /// A kernel slice.
    pub fn kernel(slice: &'a [u8]) -> WriteBuf<'a> {
        WriteBuf { origin: Origin::Kernel(slice), remaining: slice.len(), done: 0 }
    }

    /// Leaves at most `len` bytes to be taken.
    pub fn limit(&mut self, len: usize) {
        self.remaining = self.remaining.min(len);
    }

    /// Bytes not yet taken.
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Bytes taken so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Takes up to `buf.len()` bytes; how many.
    pub fn take(&mut self, buf: &mut [u8]) -> Result<usize> {
        let len = buf.len().min(self.remaining);
        let moved = match &mut self.origin {
            Origin::Kernel(slice) => {
                buf[..len].copy_from_slice(&slice[self.done..self.done + len]);
                len
            }
            Origin::User(user) => user.advance(len, |va, at, len| {
                let buf = &mut buf[at..at + len];
                copy_with(va, len, |part| hal::user::read(va + part.start, &mut buf[part]))
            })?,
        };
        Ok(self.moved(moved))
    }

    /// Takes up to `len` bytes into `frame` at `off`; how many. `off + len` is at most the frame's size.
    pub fn take_to_frame(&mut self, frame: &Frame, off: usize, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        let moved = match &mut self.origin {
            Origin::Kernel(slice) => {
                frame.write(off, &slice[self.done..self.done + len]);
                len
            }
            Origin::User(user) => user.advance(len, |va, at, len| {
                copy_with(va, len, |part| frame.copy_from_user(off + at + part.start, va + part.start, part.len()))
            })?,
        };
        Ok(self.moved(moved))
    }

    fn moved(&mut self, moved: usize) -> usize {
        self.remaining -= moved;
        self.done += moved;
        moved
    }
}
