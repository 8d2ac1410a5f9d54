//! Directories: 32-byte entries, long names (VFAT) and DOS times, parsed into a list of [`Entry`]s.

use crate::vfs::inode::Time;
use alloc::string::String;
use alloc::vec::Vec;

/// One file or directory as its directory describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name shown: the long one if there is one.
    pub name: String,
    /// The 8.3 name, which finds the file too.
    pub short: String,
    /// True for a directory.
    pub is_dir: bool,
    /// The read-only attribute.
    pub read_only: bool,
    /// First cluster; 0 for an empty file.
    pub cluster: u32,
    /// Size in bytes; 0 for a directory.
    pub size: u32,
    /// Last write.
    pub mtime: Time,
    /// Last access, to the day.
    pub atime: Time,
    /// Creation.
    pub ctime: Time,
    /// Which entry of the directory holds the 8.3 name.
    pub slot: u32,
}

const READ_ONLY: u8 = 0x01;
const VOLUME_LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;

/// A long name while its pieces arrive, last piece first.
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    next: u8,
    checksum: u8,
}

impl LongName {
    fn piece(&mut self, raw: &[u8]) {
        let order = raw[0];
        if order & 0x40 != 0 {
            *self = LongName { units: Vec::new(), next: order & 0x3f, checksum: raw[13] };
        }
        if order & 0x3f == 0 || order & 0x3f != self.next || self.next > 20 || raw[13] != self.checksum {
            *self = LongName::default();
            return;
        }
        self.next -= 1;
        let unit = |at: usize| u16::from_le_bytes([raw[at], raw[at + 1]]);
        let piece = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].map(unit);
        self.units.splice(0..0, piece);
    }

    /// The name, if all pieces came and belong to the 8.3 name `short`.
    fn finish(&mut self, short: &[u8]) -> Option<String> {
        let name = core::mem::take(self);
        if name.units.is_empty() || name.next != 0 || name.checksum != checksum(short) {
            return None;
        }
        let end = name.units.iter().position(|unit| *unit == 0).unwrap_or(name.units.len());
        let text = String::from_utf16_lossy(&name.units[..end]);
        is_proper(&text).then_some(text)
    }
}

fn checksum(short: &[u8]) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// True for a name that a path can hold.
fn is_proper(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && name.len() <= 255 && !name.contains(['/', '\0'])
}

/// The 8.3 name; `case` holds Windows NT's flags for lower-case base and extension. Bytes outside of ASCII depend on a
/// code page nobody recorded and become U+FFFD.
fn short_name(raw: &[u8], case: u8) -> String {
    let part = |bytes: &[u8], lower: bool| -> String {
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let letter = |byte: &u8| match byte {
            byte if !byte.is_ascii() => char::REPLACEMENT_CHARACTER,
            byte if lower => char::from(byte.to_ascii_lowercase()),
            byte => char::from(*byte),
        };
        bytes[..end].iter().map(letter).collect()
    };
    let mut name = part(&raw[..8], case & 0x08 != 0);
    let extension = part(&raw[8..11], case & 0x10 != 0);
    if !extension.is_empty() {
        name.push('.');
        name.push_str(&extension);
    }
    name
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A DOS date and time, taken as UTC.
fn time(date: u16, clock: u16, hundredths: u8) -> Time {
    let (date, clock) = (i64::from(date), i64::from(clock));
    let days = days_from_civil(1980 + (date >> 9), (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    let seconds = (clock >> 11) * 3600 + (clock >> 5 & 63) * 60 + (clock & 31) * 2 + i64::from(hundredths / 100);
    Time { sec: days * 86_400 + seconds, nsec: u32::from(hundredths % 100) * 10_000_000 }
}

/// The entries of a directory's raw bytes; what is damaged is left out.
pub fn parse(raw: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut long = LongName::default();
    for (slot, raw) in (0..).zip(raw.chunks_exact(32)) {
        let attributes = raw[11];
        match raw[0] {
            0 => break,
            0xe5 => long = LongName::default(),
            _ if attributes & 0x3f == LONG_NAME => long.piece(raw),
            _ if attributes & VOLUME_LABEL != 0 => long = LongName::default(),
            first => {
                let mut base = [0; 11];
                base.copy_from_slice(&raw[..11]);
                let long = long.finish(&base);
                if first == 0x05 {
                    base[0] = 0xe5;
                }
                let short = short_name(&base, raw[12]);
                if !is_proper(&short) {
                    continue;
                }
                let half = |at: usize| u16::from_le_bytes([raw[at], raw[at + 1]]);
                let is_dir = attributes & DIRECTORY != 0;
                entries.push(Entry {
                    name: long.unwrap_or_else(|| short.clone()),
                    short,
                    is_dir,
                    read_only: attributes & READ_ONLY != 0,
                    cluster: u32::from(half(20)) << 16 | u32::from(half(26)),
                    size: if is_dir { 0 } else { u32::from(half(28)) | u32::from(half(30)) << 16 },
                    mtime: time(half(24), half(22), 0),
                    atime: time(half(18), 0, 0),
                    ctime: time(half(16), half(14), raw[13]),
                    slot,
                });
            }
        }
    }
    entries
}

/// A name as lookups compare it: VFAT ignores case.
pub fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}
