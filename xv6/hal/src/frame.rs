//! Physical memory in 4 KiB frames, counted by reference.

use crate::user::Fault;
use core::sync::atomic::AtomicU32;

/// Bytes in a frame.
pub const SIZE: usize = 4096;

/// A counted reference to a frame: `clone` shares it, dropping the last reference frees it. Its bytes may be changed by user code and
/// devices at any time, so they are copied in and out; only a sole owner gets a reference ([`Frame::get_mut`]).
#[derive(Debug)]
pub struct Frame {
    index: u32,
}

impl Frame {
    /// A frame with whatever its last user left in it. `None` when memory is full.
    pub fn alloc() -> Option<Frame> {
        todo!()
    }

    /// A frame of zeros. `None` when memory is full.
    pub fn zeroed() -> Option<Frame> {
        todo!()
    }

    /// The one shared frame of zeros, for reads of untouched memory. Never write to it.
    pub fn zero_page() -> Frame {
        todo!()
    }

    /// Whether this is [`Frame::zero_page`].
    pub fn is_zero_page(&self) -> bool {
        todo!()
    }

    /// The physical address.
    pub fn addr(&self) -> u64 {
        u64::from(self.index) * SIZE as u64
    }

    /// How many references there are (mappings count).
    pub fn refs(&self) -> usize {
        todo!()
    }

    /// Whether both are the same frame.
    pub fn same(&self, other: &Frame) -> bool {
        self.index == other.index
    }

    /// Copies `buf.len()` bytes at `off` out. Panics past the end.
    pub fn read(&self, off: usize, buf: &mut [u8]) {
        let _ = (off, buf);
        todo!()
    }

    /// Copies `buf` in at `off`. Panics past the end.
    pub fn write(&self, off: usize, buf: &[u8]) {
        let _ = (off, buf);
        todo!()
    }

    /// Sets `len` bytes at `off` to `byte`. Panics past the end.
    pub fn fill(&self, off: usize, len: usize, byte: u8) {
        let _ = (off, len, byte);
        todo!()
    }

    /// Copies all of `from`.
    pub fn copy_from(&self, from: &Frame) {
        let _ = from;
        todo!()
    }

    /// The bytes, when this is the only reference; like `Arc::get_mut`.
    pub fn get_mut(&mut self) -> Option<&mut [u8; SIZE]> {
        todo!()
    }

    /// Copies `len` bytes at `off` to user address `va` of the active page table.
    pub fn copy_to_user(&self, off: usize, va: usize, len: usize) -> Result<(), Fault> {
        let _ = (off, va, len);
        todo!()
    }

    /// Copies `len` bytes at user address `va` of the active page table to `off`.
    pub fn copy_from_user(&self, off: usize, va: usize, len: usize) -> Result<(), Fault> {
        let _ = (off, va, len);
        todo!()
    }

    /// The aligned 32-bit word at `off`, for futexes in shared memory. Panics when misaligned or past the end.
    pub fn word(&self, off: usize) -> &AtomicU32 {
        let _ = off;
        todo!()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        todo!()
    }
}

/// Frames of memory the kernel manages.
pub fn total() -> usize {
    todo!()
}

/// Frames that are free.
pub fn free() -> usize {
    todo!()
}
