//! [`Ring`]: the log's records in a fixed piece of memory, the oldest making room for the newest.
//!
//! ```text
//!   a record:   length of the text, 2 bytes | priority, 2 | microseconds, 8 | the text
//!   the ring:   ... overwritten | oldest ... newest | room ...     positions count bytes for ever, modulo SIZE in memory
//! ```
//! No locks of its own.

use core::fmt::{self, Arguments, Write};

/// Bytes before a record's text.
const HEADER: usize = 12;

/// The longest text of a record; more is cut.
pub const TEXT_MAX: usize = 976;

/// A place between two records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    position: u64,
    sequence: u64,
}

impl Cursor {
    /// Before the first record of the boot.
    pub const START: Cursor = Cursor { position: 0, sequence: 0 };

    /// How many records there were before it.
    pub fn sequence(self) -> u64 {
        self.sequence
    }
}

/// The record wanted is gone; this is before the oldest that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overwritten(pub Cursor);

/// A record's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Facility * 8 + level.
    pub priority: u16,
    /// When it was made, on the monotonic clock.
    pub micros: u64,
    /// Bytes of its text, all of them.
    pub length: usize,
    /// After this record.
    pub next: Cursor,
}

/// The ring. `SIZE` is more than a record of the longest text.
pub struct Ring<const SIZE: usize> {
    bytes: [u8; SIZE],
    oldest: Cursor,
    newest: Cursor,
}

/// Writes a record's text into the ring, up to the most it may have.
struct Text<'a, const SIZE: usize> {
    ring: &'a mut Ring<SIZE>,
    length: usize,
}

impl<const SIZE: usize> Write for Text<'_, SIZE> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == TEXT_MAX {
                break;
            }
            let at = self.ring.newest.position + (HEADER + self.length) as u64;
            self.ring.put(at, &[byte]);
            self.length += 1;
        }
        Ok(())
    }
}

impl<const SIZE: usize> Ring<SIZE> {
    /// An empty ring.
    pub const fn new() -> Self {
        assert!(SIZE > HEADER + TEXT_MAX);
        Self { bytes: [0; SIZE], oldest: Cursor::START, newest: Cursor::START }
    }

    /// Before the oldest record.
    pub fn oldest(&self) -> Cursor {
        self.oldest
    }

    /// After the newest record.
    pub fn newest(&self) -> Cursor {
        self.newest
    }

    /// Adds a record.
    pub fn push(&mut self, priority: u16, micros: u64, text: Arguments<'_>) {
        let at = self.newest.position;
        let mut writer = Text { ring: self, length: 0 };
        // Text in memory cannot fail to be written; a `Display` that does has written what it could.
        let _ = writer.write_fmt(text);
        let length = writer.length;
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&(length as u16).to_le_bytes());
        header[2..4].copy_from_slice(&priority.to_le_bytes());
        header[4..].copy_from_slice(&micros.to_le_bytes());
        self.put(at, &header);
        self.newest = Cursor { position: at + (HEADER + length) as u64, sequence: self.newest.sequence + 1 };
    }

    /// Reads the record at `cursor`: its text goes into `text`, cut if that is short. `None` after the newest.
    pub fn read(&self, cursor: Cursor, text: &mut [u8]) -> Result<Option<Record>, Overwritten> {
        if cursor.position < self.oldest.position {
            return Err(Overwritten(self.oldest));
        }
        if cursor.position >= self.newest.position {
            return Ok(None);
        }
        let (length, priority, micros) = self.header(cursor.position);
        for (byte, at) in text.iter_mut().take(length).zip(cursor.position + HEADER as u64..) {
            *byte = self.bytes[(at % SIZE as u64) as usize];
        }
        let next = Cursor { position: cursor.position + (HEADER + length) as u64, sequence: cursor.sequence + 1 };
        Ok(Some(Record { priority, micros, length, next }))
    }

    fn header(&self, position: u64) -> (usize, u16, u64) {
        let byte = |offset: usize| self.bytes[((position + offset as u64) % SIZE as u64) as usize];
        let length = u16::from_le_bytes([byte(0), byte(1)]);
        let priority = u16::from_le_bytes([byte(2), byte(3)]);
        (length.into(), priority, u64::from_le_bytes(core::array::from_fn(|i| byte(4 + i))))
    }

    /// Writes bytes at `position`, which is past the newest record; the oldest records make room.
    fn put(&mut self, position: u64, bytes: &[u8]) {
        while position + bytes.len() as u64 - self.oldest.position > SIZE as u64 {
            let (length, ..) = self.header(self.oldest.position);
            self.oldest.position += (HEADER + length) as u64;
            self.oldest.sequence += 1;
        }
        for (byte, at) in bytes.iter().zip(position..) {
            self.bytes[(at % SIZE as u64) as usize] = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Overwritten, Ring, TEXT_MAX};
    use alloc::string::String;

    /// The records from `cursor` on.
    fn texts<const SIZE: usize>(ring: &Ring<SIZE>, mut cursor: Cursor) -> alloc::vec::Vec<String> {
        let mut found = alloc::vec::Vec::new();
        let mut text = [0; TEXT_MAX];
        while let Some(record) = ring.read(cursor, &mut text).expect("kept") {
            found.push(String::from_utf8_lossy(&text[..record.length]).into_owned());
            assert_eq!(record.next.sequence(), cursor.sequence() + 1);
            cursor = record.next;
        }
        assert_eq!(cursor, ring.newest());
        found
    }

    #[test]
    fn the_newest_push_the_oldest_out() {
        let mut ring = Ring::<1024>::new();
        for n in 0..1000u32 {
            ring.push(n as u16, n.into(), format_args!("line {n}"));
            let kept = texts(&ring, ring.oldest());
            assert_eq!(kept.last().expect("one"), &alloc::format!("line {n}"));
            assert_eq!(ring.oldest().sequence() + kept.len() as u64, u64::from(n) + 1);
        }
        assert!((40..60).contains(&texts(&ring, ring.oldest()).len()), "the ring is used whole");
        assert_eq!(ring.read(Cursor::START, &mut []), Err(Overwritten(ring.oldest())));
        let record = ring.read(ring.oldest(), &mut []).expect("kept").expect("a record");
        let oldest = ring.oldest().sequence();
        assert_eq!((u64::from(record.priority), record.micros), (oldest, oldest));
    }

    #[test]
    fn a_long_text_is_cut_and_an_empty_one_kept() {
        let mut ring = Ring::<1024>::new();
        ring.push(0, 0, format_args!("{}", "x".repeat(5000)));
        ring.push(0, 0, format_args!(""));
        ring.push(0, 0, format_args!("y"));
        let long = "x".repeat(TEXT_MAX);
        assert_eq!(texts(&ring, ring.oldest()), [&long, "", "y"]);
        ring.push(0, 0, format_args!("{long}"));
        assert_eq!(texts(&ring, ring.oldest()), ["", "y", &long]);
    }
}
