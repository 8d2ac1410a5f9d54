//! The kernel log's policy: who may read it, waiting for news, where `dmesg -c` has cleared it, and the console's level.
//!
//! `hal::log` keeps the records and may be called under any lock, where nobody can be woken: a new record therefore only kicks the CPU it
//! was made on, and [`kicked`], an interrupt handler, wakes the readers. `kmsg` and `syscall::syslog` are the two ways to read.
//!
//! Locks: the marks, a spin lock of rank `Leaf`.

use crate::error::{Errno, Result};
use crate::sync::WaitQueue;
use crate::task::{self, Cap};
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use hal::log::{self, Cursor, Overwritten, Record, TEXT_MAX};
use hal::sync::{Rank, SpinLock};

/// The level that messages without one get (`printk`'s second number).
pub const MESSAGE_LEVEL: u8 = 4;
/// The lowest console level that can be set: emergencies always show.
pub const CONSOLE_MIN: u8 = 1;

/// Whether only those with `CAP_SYSLOG` may read (`/proc/sys/kernel/dmesg_restrict`).
static RESTRICTED: AtomicBool = AtomicBool::new(true);
/// The level that `SYSLOG_ACTION_CONSOLE_ON` goes back to; 0: the console is on.
static SAVED_LEVEL: AtomicU8 = AtomicU8::new(0);
/// Somebody waits for a record.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Those who do.
static READERS: WaitQueue = WaitQueue::new();

/// Places in the log that readers share.
struct Marks {
    /// `SYSLOG_ACTION_CLEAR` was called here.
    cleared: Cursor,
    /// `SYSLOG_ACTION_READ` goes on here.
    read: Cursor,
    /// Bytes already read of the record there.
    part: usize,
}

static MARKS: SpinLock<Marks> =
    SpinLock::new(Rank::Leaf, "log marks", Marks { cleared: Cursor::START, read: Cursor::START, part: 0 });

/// Has new records wake the readers.
pub fn init() {
    log::on_record(|| {
        if WANTED.load(Ordering::SeqCst) {
            hal::cpu::kick(hal::cpu::id());
        }
    });
}

/// The part of the kick handler that is the log's.
pub fn kicked() {
    if WANTED.swap(false, Ordering::SeqCst) {
        READERS.wake_all();
    }
}

/// The queue of those who wait for records. Register, then call [`want`], then look: no record is missed.
pub fn readers() -> &'static WaitQueue {
    &READERS
}

/// Asks to be woken by the next record.
pub fn want() {
    WANTED.store(true, Ordering::SeqCst);
}

/// `EPERM` unless the caller may do what only `CAP_SYSLOG` allows, and may read if `reads` is all that is asked.
pub fn check(reads: bool) -> Result<()> {
    if reads && !RESTRICTED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let allowed = task::try_current().is_none_or(|task| task.cred().capable(Cap::Syslog));
    if allowed { Ok(()) } else { Err(Errno::EPERM.during("using the kernel log")) }
}

/// `/proc/sys/kernel/dmesg_restrict`.
pub fn is_restricted() -> bool {
    RESTRICTED.load(Ordering::Relaxed)
}

/// Sets it.
pub fn restrict(on: bool) {
    RESTRICTED.store(on, Ordering::Relaxed);
}

/// Sets the console's level, as far as it may go.
pub fn set_console_level(level: u8) {
    SAVED_LEVEL.store(0, Ordering::Relaxed);
    log::set_console_level(level.max(CONSOLE_MIN));
}

/// Turns printing to the console off, or on again.
pub fn switch_console(on: bool) {
    if !on {
        let _ = SAVED_LEVEL.compare_exchange(0, log::console_level(), Ordering::Relaxed, Ordering::Relaxed);
        log::set_console_level(CONSOLE_MIN);
        return;
    }
    match SAVED_LEVEL.swap(0, Ordering::Relaxed) {
        0 => {}
        level => log::set_console_level(level),
    }
}

/// What comes after the last clearing.
pub fn cleared() -> Cursor {
    later(MARKS.lock().cleared)
}

/// Clears: what there is now is not shown by `SYSLOG_ACTION_READ_ALL` any more.
pub fn clear() {
    MARKS.lock().cleared = log::newest();
}

/// `cursor`, or the oldest record if that is gone.
fn later(cursor: Cursor) -> Cursor {
    match log::read(cursor, &mut []) {
        Err(Overwritten(oldest)) => oldest,
        Ok(_) => cursor,
    }
}

/// The record at `cursor` with its text; `None` after the newest. What was overwritten is skipped.
fn record(cursor: Cursor) -> Option<(Record, String)> {
    let mut text = [0; TEXT_MAX];
    let mut at = cursor;
    loop {
        match log::read(at, &mut text) {
            Ok(record) => {
                let record = record?;
                return Some((record, String::from_utf8_lossy(&text[..record.length]).into_owned()));
            }
            Err(Overwritten(oldest)) => at = oldest,
        }
    }
}

/// The record at `cursor` as syslog(2) shows it, and the place after it.
pub fn line(cursor: Cursor) -> Option<(String, Cursor)> {
    let (record, text) = record(cursor)?;
    let (seconds, micros) = (record.micros / 1_000_000, record.micros % 1_000_000);
    Some((format!("<{}>[{seconds:5}.{micros:06}] {text}\n", record.priority), record.next))
}

/// Takes up to `room` bytes of the text that `SYSLOG_ACTION_READ` has not delivered yet; empty if there is none.
pub fn take(room: usize) -> String {
    let mut taken = String::new();
    let mut marks = MARKS.lock();
    while let Some((text, next)) = line(marks.read) {
        let from = marks.part.min(text.len());
        let mut to = text.len().min(from + (room - taken.len()));
        while !text.is_char_boundary(to) {
            to -= 1;
        }
        taken.push_str(&text[from..to]);
        if to < text.len() {
            // At least one byte moves, however small the room: a character that never fits would stay for ever.
            marks.part = if taken.is_empty() { to + 1 } else { to };
            while !text.is_char_boundary(marks.part) {
                marks.part += 1;
            }
            break;
        }
        (marks.read, marks.part) = (next, 0);
    }
    taken
}

/// Bytes of text that `SYSLOG_ACTION_READ` has not delivered yet.
pub fn unread() -> usize {
    let (mut at, part) = {
        let marks = MARKS.lock();
        (marks.read, marks.part)
    };
    let mut bytes = 0;
    while let Some((text, next)) = line(at) {
        bytes += text.len();
        at = next;
    }
    bytes.saturating_sub(part)
}
