//! The kernel log: a ring of text that `dmesg` reads, echoed to the serial line up to a level. Locks: [`LOG`]
//! ([`Rank::Log`]), then the serial line's.

use crate::sync::{Rank, SpinLock};
use core::fmt::{self, Arguments, Write};
use core::sync::atomic::{AtomicU8, Ordering};

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

/// Bytes of text kept.
const SIZE: usize = 64 * 1024;

struct Log {
    text: [u8; SIZE],
    /// Bytes ever written; the newest lies before `end % SIZE`.
    end: u64,
}

static LOG: SpinLock<Log> = SpinLock::new(Rank::Log, "log", Log { text: [0; SIZE], end: 0 });
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(4);

impl fmt::Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            self.text[(self.end % SIZE as u64) as usize] = byte;
            self.end += 1;
        }
        Ok(())
    }
}

/// Adds a line (a newline is added) to the ring, stamped with the time; echoes it to the serial line if its level is *below* the
/// console level ([`set_console_level`]).
pub fn record(level: Level, text: Arguments<'_>) {
    let now = crate::time::now_ns() / 1000;
    let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
    // Text in memory cannot fail to be written.
    let _ = writeln!(LOG.lock(), "[{seconds:5}.{micros:06}] {text}");
    if (level as u8) < CONSOLE_LEVEL.load(Ordering::Relaxed) {
        print(format_args!("[{seconds:5}.{micros:06}] {text}\n"));
    }
}

/// Records below this level number go to the serial line too (`loglevel=`, 0 quiet to 8 everything; 4 at boot).
pub fn set_console_level(level: u8) {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
}

/// Reads the ring's text from position `from` (0 is the boot's first byte): the position of the first byte delivered (later than `from` when
/// older text was overwritten) and how many bytes went into `buf`. The next position is their sum.
pub fn read(from: u64, buf: &mut [u8]) -> (u64, usize) {
    let log = LOG.lock();
    let start = from.max(log.end.saturating_sub(SIZE as u64)).min(log.end);
    let count = buf.len().min((log.end - start) as usize);
    for (position, byte) in (start..).zip(&mut buf[..count]) {
        *byte = log.text[(position % SIZE as u64) as usize];
    }
    (start, count)
}

/// The position after the newest byte.
pub fn end() -> u64 {
    LOG.lock().end
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
