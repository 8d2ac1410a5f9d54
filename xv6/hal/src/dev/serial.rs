//! The ISA serial port COM1: the kernel log, panics, and a console where there is no better one.

/// Writes bytes as they are (no newline conversion). Slow: each byte leaves the guest.
pub fn write(bytes: &[u8]) {
    let _ = bytes;
    todo!()
}

/// The next received byte.
pub fn read() -> Option<u8> {
    todo!()
}

/// Sets what the receive interrupt calls.
pub fn on_input(f: fn()) {
    let _ = f;
    todo!()
}
