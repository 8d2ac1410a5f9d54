//! The ISA serial port COM1, a 16550: the kernel log, panics, and a console where there is no better one. Locks: [`OUT`]
//! ([`Rank::Serial`]), the input ring ([`Rank::Device`]).

use crate::irq::Handler;
#[cfg(target_os = "none")]
use crate::sync::{Rank, SpinLock};

static ON_INPUT: Handler = Handler::none();

/// Writes bytes as they are (no newline conversion). Slow: each byte leaves the guest.
pub fn write(bytes: &[u8]) {
    #[cfg(target_os = "none")]
    machine::write(bytes);
    #[cfg(not(target_os = "none"))]
    std::print!("{}", alloc::string::String::from_utf8_lossy(bytes));
}

/// Writes formatted text as [`write`] does.
pub struct Out;

impl core::fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// The next received byte.
pub fn read() -> Option<u8> {
    #[cfg(target_os = "none")]
    return machine::read();
    #[cfg(not(target_os = "none"))]
    None
}

/// Sets what the receive interrupt calls.
pub fn on_input(f: fn()) {
    ON_INPUT.set(f);
}

#[cfg(target_os = "none")]
pub(crate) use machine::{Raw, connect, init};

#[cfg(target_os = "none")]
mod machine {
    use super::{ON_INPUT, Rank, SpinLock};
    use crate::dev::ring::Ring;
    use crate::irq::ioapic::{self, Trigger};
    use crate::x86::{inb, outb};
    use core::fmt;

    const DATA: u16 = 0x3f8;
    const INTERRUPT_ENABLE: u16 = DATA + 1;
    const FIFO_CONTROL: u16 = DATA + 2;
    const LINE_CONTROL: u16 = DATA + 3;
    const MODEM_CONTROL: u16 = DATA + 4;
    const LINE_STATUS: u16 = DATA + 5;
    /// COM1's interrupt line.
    const LINE: u32 = 4;
    /// Bytes the transmitter takes at once.
    const FIFO: usize = 16;

    static OUT: SpinLock<()> = SpinLock::new(Rank::Serial, "serial output", ());
    static IN: SpinLock<Ring<1024>> = SpinLock::new(Rank::Device, "serial input", Ring::new());

    /// 8 bits, no parity, FIFOs on.
    pub fn init() {
        outb(LINE_CONTROL, 3);
        outb(FIFO_CONTROL, 7);
        outb(MODEM_CONTROL, 0b1011);
    }

    /// Turns the receive interrupt on.
    pub fn connect() {
        ioapic::connect(LINE, Trigger::Edge, 0, received, 0);
        outb(INTERRUPT_ENABLE, 1);
    }

    fn received(_: usize) {
        let mut ring = IN.lock();
        while inb(LINE_STATUS) & 1 != 0 {
            ring.push(inb(DATA));
        }
        drop(ring);
        ON_INPUT.call();
    }

    pub fn read() -> Option<u8> {
        IN.lock().pop()
    }

    pub fn write(bytes: &[u8]) {
        let _guard = OUT.lock();
        raw_write(bytes);
    }

    /// Writes without the lock.
    fn raw_write(bytes: &[u8]) {
        for chunk in bytes.chunks(FIFO) {
            while inb(LINE_STATUS) & 0x20 == 0 {
                core::hint::spin_loop();
            }
            for &byte in chunk {
                outb(DATA, byte);
            }
        }
    }

    /// The port without its lock, for panics.
    pub struct Raw;

    impl fmt::Write for Raw {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            raw_write(text.as_bytes());
            Ok(())
        }
    }
}
