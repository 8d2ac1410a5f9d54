//! The virtio console: fast, a buffer at a time.

/// Whether there is one.
pub fn present() -> bool {
    todo!()
}

/// Writes bytes as they are; waits by spinning only when the host is slower than the queue is long.
pub fn write(bytes: &[u8]) {
    let _ = bytes;
    todo!()
}

/// Takes received bytes; how many.
pub fn read(buf: &mut [u8]) -> usize {
    let _ = buf;
    todo!()
}

/// Sets what the receive interrupt calls.
pub fn on_input(f: fn()) {
    let _ = f;
    todo!()
}
