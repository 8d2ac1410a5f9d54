//! A pipe's bytes: a queue of frames, filled at the back and drained at the front. Each byte is copied once in and once out, straight
//! between the frame and the program.
//!
//! Frames are kept for reuse while the pipe lives, up to [`SPARES`]. No locks: the pipe's mutex guards it.

use crate::error::{Errno, Result};
use crate::mm::{self, ReadBuf, WriteBuf};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hal::frame::{Frame, SIZE};

/// Emptied frames kept for the next bytes.
const SPARES: usize = 4;

/// Bytes on their way.
#[derive(Default)]
pub struct Ring {
    frames: VecDeque<Frame>,
    spares: Vec<Frame>,
    /// First byte, in the first frame.
    start: usize,
    /// One past the last byte, in the last frame.
    end: usize,
    len: usize,
}

impl Ring {
    /// Bytes held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes up to `most` bytes from `buf`; how many. `ENOMEM` or `EFAULT` if none.
    pub fn fill(&mut self, buf: &mut WriteBuf<'_>, most: usize) -> Result<usize> {
        let mut done = 0;
        let most = most.min(buf.remaining());
        while done < most {
            match self.fill_frame(buf, most - done) {
                Ok(0) => break,
                Ok(moved) => done += moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn fill_frame(&mut self, buf: &mut WriteBuf<'_>, most: usize) -> Result<usize> {
        if self.frames.is_empty() || self.end == SIZE {
            let frame = match self.spares.pop() {
                Some(frame) => frame,
                None => {
                    mm::reserve(SIZE)?;
                    Frame::alloc().ok_or(Errno::ENOMEM.during("growing a pipe"))?
                }
            };
            self.frames.push_back(frame);
            self.end = 0;
            if self.len == 0 {
                self.start = 0;
            }
        }
        let Some(frame) = self.frames.back() else { return Ok(0) };
        let moved = buf.take_to_frame(frame, self.end, most.min(SIZE - self.end))?;
        self.end += moved;
        self.len += moved;
        Ok(moved)
    }

    /// Puts as many bytes into `buf` as fit; how many. `EFAULT` if none.
    pub fn drain(&mut self, buf: &mut ReadBuf<'_>) -> Result<usize> {
        let mut done = 0;
        while self.len > 0 && buf.remaining() > 0 {
            let Some(frame) = self.frames.front() else { break };
            let part = self.len.min(SIZE - self.start);
            match buf.put_frame(frame, self.start, part) {
                Ok(0) => break,
                Ok(moved) => {
                    done += moved;
                    self.consumed(moved);
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Moves the front past `moved` bytes of the first frame.
    fn consumed(&mut self, moved: usize) {
        self.start += moved;
        self.len -= moved;
        if self.len == 0 {
            // One frame stays in place, from its beginning: a ping-pong of small messages touches no allocator.
            while self.frames.len() > 1 {
                let frame = self.frames.pop_front();
                self.keep(frame);
            }
            self.start = 0;
            self.end = 0;
        } else if self.start == SIZE {
            let frame = self.frames.pop_front();
            self.keep(frame);
            self.start = 0;
        }
    }

    fn keep(&mut self, frame: Option<Frame>) {
        if self.spares.len() < SPARES {
            self.spares.extend(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;
    use crate::mm::{ReadBuf, WriteBuf};
    use alloc::collections::VecDeque;
    use alloc::vec;

    #[test]
    fn bytes_come_out_in_order() {
        let mut ring = Ring::default();
        let mut model = VecDeque::new();
        let mut seed = 1u32;
        for round in 0..2000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let amount = (seed >> 16) as usize % 9000;
            if round % 2 == 0 && ring.len() < 60_000 {
                let bytes: vec::Vec<u8> = (0..amount).map(|at| (at + round) as u8).collect();
                let moved = ring.fill(&mut WriteBuf::kernel(&bytes), amount).expect("fill");
                assert_eq!(moved, amount);
                model.extend(bytes);
            } else {
                let mut bytes = vec![0; amount];
                let moved = ring.drain(&mut ReadBuf::kernel(&mut bytes)).expect("drain");
                assert_eq!(moved, amount.min(model.len()));
                assert!(model.drain(..moved).eq(bytes[..moved].iter().copied()));
            }
            assert_eq!(ring.len(), model.len());
        }
    }
}
