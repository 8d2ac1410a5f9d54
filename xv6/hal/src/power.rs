//! Ending the machine.

/// Ends QEMU with a program's exit status: prints `xv6: exit status N` on the serial log, then powers off (0), or leaves
/// through isa-debug-exit with the value `status + 1` (1 to 125), or powers off (above: the line carries it).
pub fn exit(status: u8) -> ! {
    let _ = status;
    todo!()
}

/// Powers the machine off: QEMU ends with status 0.
pub fn off() -> ! {
    todo!()
}

/// Resets the machine (QEMU ends when it runs with `-no-reboot`).
pub fn reboot() -> ! {
    todo!()
}
