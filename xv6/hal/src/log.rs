//! The kernel log: a ring of records that `dmesg` reads, echoed to the serial line up to a level. Readers keep a [`Cursor`] each, which knows
//! when what it was about to read has been overwritten. Locks: [`LOG`] ([`Rank::Log`]), then the serial line's.

mod ring;

pub use ring::{Cursor, Overwritten, Record, TEXT_MAX};

use crate::irq::Handler;
use crate::sync::{Rank, SpinLock};
use core::fmt::{self, Arguments, Write};
use core::sync::atomic::{AtomicU8, Ordering};
use ring::Ring;

/// How urgent a record is, as syslog(2) numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// The system is unusable.
    Emergency = 0,
    /// Something must be done at once.
    Alert = 1,
    /// A critical condition.
    Critical = 2,
    /// An error.
    Error = 3,
    /// A warning.
    Warning = 4,
    /// Normal, but worth a line.
    Notice = 5,
    /// Information.
    Info = 6,
    /// For debugging.
    Debug = 7,
}

/// Bytes of records kept.
pub const SIZE: usize = 64 * 1024;

/// The console level at boot: errors show, news do not.
pub const CONSOLE_LEVEL: u8 = 4;

static LOG: SpinLock<Ring<SIZE>> = SpinLock::new(Rank::Log, "log", Ring::new());
static LEVEL: AtomicU8 = AtomicU8::new(CONSOLE_LEVEL);
static ON_RECORD: Handler = Handler::none();

/// Adds a line of the kernel's own to the ring, stamped with the time; echoes it to the serial line if its level is *below* the console level
/// ([`set_console_level`]).
pub fn record(level: Level, text: Arguments<'_>) {
    record_from(level as u16, text);
}

/// Adds a line of `priority`: facility * 8 + level, as syslog(3) numbers them; the kernel's facility is 0.
pub fn record_from(priority: u16, text: Arguments<'_>) {
    let now = crate::time::now_ns() / 1000;
    LOG.lock().push(priority, now, text);
    if ((priority & 7) as u8) < console_level() {
        print(format_args!("[{:5}.{:06}] {text}\n", now / 1_000_000, now % 1_000_000));
    }
    ON_RECORD.call();
}

/// Sets what is called after each new record: by any CPU, whatever locks it holds.
pub fn on_record(f: fn()) {
    ON_RECORD.set(f);
}

/// Records below this level number go to the serial line too (`loglevel=`, 0 quiet to 8 everything).
pub fn set_console_level(level: u8) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// The console level.
pub fn console_level() -> u8 {
    LEVEL.load(Ordering::Relaxed)
}

/// Before the oldest record that is kept.
pub fn oldest() -> Cursor {
    LOG.lock().oldest()
}

/// After the newest record.
pub fn newest() -> Cursor {
    LOG.lock().newest()
}

/// Reads the record at `cursor`: its text goes into `text`, cut if that is short. `None` after the newest.
pub fn read(cursor: Cursor, text: &mut [u8]) -> Result<Option<Record>, Overwritten> {
    LOG.lock().read(cursor, text)
}

/// Writes straight to the serial line, a piece at a time under its lock. What `print!` calls.
pub fn print(text: Arguments<'_>) {
    struct Line {
        bytes: [u8; 256],
        length: usize,
    }
    impl Line {
        fn flush(&mut self) {
            crate::dev::serial::write(&self.bytes[..self.length]);
            self.length = 0;
        }
    }
    impl fmt::Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for &byte in text.as_bytes() {
                if self.length == self.bytes.len() {
                    self.flush();
                }
                self.bytes[self.length] = byte;
                self.length += 1;
            }
            Ok(())
        }
    }
    let mut line = Line { bytes: [0; 256], length: 0 };
    // Writing cannot fail; a `Display` that does has written what it could.
    let _ = line.write_fmt(text);
    line.flush();
}

/// Prints to the serial line.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::log::print(format_args!($($arg)*)) };
}

/// Prints a line to the serial line.
#[macro_export]
macro_rules! println {
    () => { $crate::log::print(format_args!("\n")) };
    ($($arg:tt)*) => { $crate::log::print(format_args!("{}\n", format_args!($($arg)*))) };
}
