//! A split queue (specification 2.7) in one frame: descriptors, the ring of chains offered to the device, the ring of chains it is done with.
//! The driver's lock guards it.

use super::mmio::Device;
use crate::frame::Frame;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

/// The most entries used: what fits in a frame.
pub const SIZE: usize = 128;

const AVAILABLE: usize = SIZE * 16;
const USED: usize = AVAILABLE + 8 + SIZE * 2;

/// Descriptor flags.
const NEXT: u16 = 1;
const DEVICE_WRITES: u16 = 2;
/// In the available ring's flags: no interrupts, please.
const NO_INTERRUPT: u16 = 1;
/// In the used ring's flags: no notifications, please.
const NO_NOTIFY: u16 = 1;

/// One piece of a chain.
#[derive(Clone, Copy)]
pub struct Piece {
    /// Physical address.
    pub addr: u64,
    /// Bytes.
    pub len: u32,
    /// The device writes to it (or reads from it).
    pub device_writes: bool,
}

/// A queue.
pub struct Queue {
    device: Device,
    index: u32,
    size: u16,
    frame: Frame,
    /// The first free descriptor; they are linked by their `next`.
    free: u16,
    free_count: u16,
    /// Chains offered, and chains taken back, ever (modulo 2^16).
    offered: u16,
    taken: u16,
}

impl Queue {
    /// A queue in memory, of at most `most` entries.
    pub(super) fn new(device: Device, index: u32, most: u32) -> Option<Queue> {
        let size = most.min(SIZE as u32) as u16;
        if size == 0 {
            return None;
        }
        let frame = Frame::zeroed()?;
        let queue = Queue { device, index, size, frame, free: 0, free_count: size, offered: 0, taken: 0 };
        for descriptor in 0..size {
            queue.half(usize::from(descriptor) * 16 + 14).store(descriptor + 1, Ordering::Relaxed);
        }
        Some(queue)
    }

    /// Physical addresses of the three parts.
    pub(super) fn addresses(&self) -> [u64; 3] {
        [0, AVAILABLE, USED].map(|offset| self.frame.addr() + offset as u64)
    }

    /// How many entries it has.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// How many descriptors are free.
    pub fn free(&self) -> usize {
        usize::from(self.free_count)
    }

    fn half(&self, offset: usize) -> &AtomicU16 {
        assert!(offset.is_multiple_of(2) && offset < crate::frame::SIZE);
        // SAFETY: aligned, in the frame; the device and we use it by atomic accesses only.
        unsafe { AtomicU16::from_ptr(self.frame.pointer().add(offset).cast()) }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        self.frame.word(offset)
    }

    fn double(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < crate::frame::SIZE);
        // SAFETY: as for `half`.
        unsafe { AtomicU64::from_ptr(self.frame.pointer().add(offset).cast()) }
    }

    /// The first descriptor of the next chain: its name until it is taken back. There must be a free one.
    pub fn next_head(&self) -> u16 {
        self.free
    }

    /// Offers a chain to the device, without telling it yet. There must be as many free descriptors as pieces. The pieces' memory is the
    /// device's until [`Queue::take`] returns the chain: the caller keeps it alive and leaves it alone.
    pub fn offer(&mut self, pieces: &[Piece]) -> u16 {
        assert!(!pieces.is_empty() && pieces.len() <= self.free(), "no room in the queue");
        let head = self.free;
        let mut at = head;
        for (i, piece) in pieces.iter().enumerate() {
            let base = usize::from(at) * 16;
            let last = i + 1 == pieces.len();
            let flags = if last { 0 } else { NEXT } | if piece.device_writes { DEVICE_WRITES } else { 0 };
            self.double(base).store(piece.addr, Ordering::Relaxed);
            self.word(base + 8).store(piece.len, Ordering::Relaxed);
            self.half(base + 12).store(flags, Ordering::Relaxed);
            at = self.half(base + 14).load(Ordering::Relaxed);
        }
        self.free = at;
        self.free_count -= pieces.len() as u16;
        self.half(AVAILABLE + 4 + usize::from(self.offered % self.size) * 2).store(head, Ordering::Relaxed);
        self.offered = self.offered.wrapping_add(1);
        self.half(AVAILABLE + 2).store(self.offered, Ordering::Release);
        head
    }

    /// Tells the device about what was offered, unless it is looking anyway.
    pub fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.half(USED).load(Ordering::Relaxed) & NO_NOTIFY == 0 {
            self.device.notify(self.index);
        }
    }

    /// Whether the device shall interrupt when it is done with a chain.
    pub fn want_interrupts(&self, wanted: bool) {
        self.half(AVAILABLE).store(if wanted { 0 } else { NO_INTERRUPT }, Ordering::SeqCst);
    }

    /// Takes back a chain that the device is done with: its head, and the bytes the device wrote.
    pub fn take(&mut self) -> Option<(u16, u32)> {
        if self.half(USED + 2).load(Ordering::Acquire) == self.taken {
            return None;
        }
        let entry = USED + 4 + usize::from(self.taken % self.size) * 8;
        let head = self.word(entry).load(Ordering::Relaxed) as u16;
        let written = self.word(entry + 4).load(Ordering::Relaxed);
        assert!(head < self.size, "a device returned a chain that does not exist");
        self.taken = self.taken.wrapping_add(1);
        // The chain's descriptors become the head of the free list.
        let (mut last, mut count) = (head, 1);
        while self.half(usize::from(last) * 16 + 12).load(Ordering::Relaxed) & NEXT != 0 && count < self.size {
            last = self.half(usize::from(last) * 16 + 14).load(Ordering::Relaxed);
            count += 1;
        }
        self.half(usize::from(last) * 16 + 14).store(self.free, Ordering::Relaxed);
        self.free = head;
        self.free_count += count;
        Some((head, written))
    }
}
