//! The end of the machine: what reboot(2) asks for, and what happens when init ends.
//!
//! File systems are written back first by whoever asks (init does `sync`); here the console's output is let out, and the exit is chosen.
//! No locks; may sleep.

use crate::tty::console;

/// Ends QEMU with `status`: the host sees it as the exit status of the run.
pub fn exit(status: u8) -> ! {
    console::drain();
    hal::power::exit(status)
}

/// Powers off.
pub fn off() -> ! {
    console::drain();
    hal::power::off()
}

/// Resets the machine.
pub fn reboot() -> ! {
    console::drain();
    hal::power::reboot()
}

/// Process 1 ended with wait(2) status `status`: there is nothing left to run. Its exit status becomes the machine's, 1 for a killed init.
pub fn halt_after_init(status: u32) -> ! {
    match status & 0x7f {
        0 => exit((status >> 8) as u8),
        _ => exit(1),
    }
}
