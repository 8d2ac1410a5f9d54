//! Randomness from the CPU (RDRAND) and from virtio-rng if there is one.

/// Fills `buf` with random bytes.
pub fn fill(buf: &mut [u8]) {
    let _ = buf;
    todo!()
}
