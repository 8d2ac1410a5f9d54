//! A ring of input bytes.

/// Up to `N` bytes that came and were not read yet; more are dropped.
pub struct Ring<const N: usize> {
    bytes: [u8; N],
    start: usize,
    length: usize,
}

impl<const N: usize> Ring<N> {
    /// Empty.
    pub const fn new() -> Self {
        Self { bytes: [0; N], start: 0, length: 0 }
    }

    /// Adds a byte, if there is room.
    pub fn push(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[(self.start + self.length) % N] = byte;
            self.length += 1;
        }
    }

    /// Takes the oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        if self.length == 0 {
            return None;
        }
        let byte = self.bytes[self.start];
        self.start = (self.start + 1) % N;
        self.length -= 1;
        Some(byte)
    }
}
