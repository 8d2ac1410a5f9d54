//! The memory of a traced thread, read with process_vm_readv(2).

use std::io::IoSliceMut;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// A read goes to the end of a page at most, so that it never fails for the sake of a page that nobody needs.
const PAGE: u64 = 4096;
/// The most words of a NULL-terminated array that are read.
const WORDS_MAX: u64 = 4096;

/// A thread's memory.
pub struct Memory(Pid);

impl Memory {
    /// That of thread `tid`.
    pub fn of(tid: i32) -> Memory {
        Memory(Pid::from_raw(tid))
    }

    /// `length` bytes, or as many as are there; `None` if not even one is.
    pub fn bytes(&self, at: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let from = at.checked_add(done as u64)?;
            let part = (length - done).min((PAGE - from % PAGE) as usize);
            let remote = RemoteIoVec { base: usize::try_from(from).ok()?, len: part };
            let mut local = [IoSliceMut::new(&mut bytes[done..done + part])];
            match process_vm_readv(self.0, &mut local, &[remote]) {
                Ok(0) | Err(_) if done == 0 => return None,
                Ok(0) | Err(_) => break,
                Ok(read) => done += read,
            }
        }
        bytes.truncate(done);
        Some(bytes)
    }

    /// A string up to its NUL, at most `most` bytes; whether the NUL was found.
    pub fn text(&self, at: u64, most: usize) -> Option<(Vec<u8>, bool)> {
        let mut text = Vec::new();
        while text.len() < most {
            let from = at.checked_add(text.len() as u64)?;
            let part = (most - text.len()).min(256).min((PAGE - from % PAGE) as usize);
            let Some(piece) = self.bytes(from, part) else {
                return if text.is_empty() { None } else { Some((text, false)) };
            };
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&piece[..end]);
                return Some((text, true));
            }
            text.extend(piece);
        }
        Some((text, false))
    }

    /// The word at `at`.
    pub fn word(&self, at: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(at, 8)?.try_into().ok()?))
    }

    /// The words at `at` up to a zero.
    pub fn words(&self, at: u64) -> Option<Vec<u64>> {
        let mut words = Vec::new();
        for index in 0..WORDS_MAX {
            match self.word(at.checked_add(8 * index)?)? {
                0 => break,
                word => words.push(word),
            }
        }
        Some(words)
    }
}
