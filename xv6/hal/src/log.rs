//! The kernel log: a ring of text that `dmesg` reads, echoed to the serial line up to a level.

use core::fmt::Arguments;

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

/// Adds a line (a newline is added) to the ring, stamped with the time; echoes it to the serial line if its level is *below* the
/// console level ([`set_console_level`]).
pub fn record(level: Level, text: Arguments<'_>) {
    let _ = (level, text);
    todo!()
}

/// Records below this level number go to the serial line too (`loglevel=`, 0 quiet to 8 everything; 4 at boot).
pub fn set_console_level(level: u8) {
    let _ = level;
    todo!()
}

/// Reads the ring's text from position `from` (0 is the boot's first byte): the position of the first byte delivered (later than `from` when
/// older text was overwritten) and how many bytes went into `buf`. The next position is their sum.
pub fn read(from: u64, buf: &mut [u8]) -> (u64, usize) {
    let _ = (from, buf);
    todo!()
}

/// The position after the newest byte.
pub fn end() -> u64 {
    todo!()
}

/// Writes straight to the serial line, under its lock. What `print!` calls.
pub fn print(text: Arguments<'_>) {
    let _ = text;
    todo!()
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
