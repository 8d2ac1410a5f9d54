//! One tar header (POSIX ustar and pax, with GNU's long names and base-256 numbers; tar(5)), decoded and checked.

use crate::error::{Errno, Error, Result};
use alloc::vec::Vec;

/// Bytes in a tar block.
pub const BLOCK: u64 = 512;

pub(super) const DAMAGED: Error = Errno::EUCLEAN.during("reading a damaged tar file");

/// What a header says, before pax records change it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The type flag, `b'0'` for old archives' NUL.
    pub kind: u8,
    /// The name, prefix included.
    pub name: Vec<u8>,
    /// The target of a hard link or symlink.
    pub link: Vec<u8>,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of data after the header.
    pub size: u64,
    /// Modification time, seconds.
    pub mtime: i64,
    /// Device numbers.
    pub device: (u32, u32),
}

/// A text field: up to the first NUL.
fn text(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A number: octal digits among spaces and NULs, or base-256 (GNU) where the first bit is set; negative numbers are
/// refused except -1 bits of a time, which no field but `mtime` can use.
fn number(field: &[u8]) -> Result<i64> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let start = if negative { -1 } else { i128::from(field[0] & 0x3f) };
        let fold = |value: i128, byte: &u8| value.checked_mul(256)?.checked_add(i128::from(*byte));
        let value = field[1..].iter().try_fold(start, fold).ok_or(DAMAGED)?;
        return i64::try_from(value).map_err(|_| DAMAGED);
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| ![b' ', 0].contains(*byte));
    digits.into_iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8).map(|value| value + i64::from(digit - b'0')).ok_or(DAMAGED),
        _ => Err(DAMAGED),
    })
}

fn unsigned<T: TryFrom<i64>>(field: &[u8]) -> Result<T> {
    T::try_from(number(field)?).map_err(|_| DAMAGED)
}

impl Header {
    /// Decodes a block; `None` for the block of zeros that ends an archive. `EUCLEAN`: the checksum or a number is
    /// wrong.
    pub fn parse(block: &[u8; BLOCK as usize]) -> Result<Option<Header>> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum: i64 = block.iter().map(|byte| i64::from(*byte)).sum();
        let stored: i64 = block[148..156].iter().map(|byte| i64::from(*byte)).sum();
        if number(&block[148..156])? != sum - stored + 8 * i64::from(b' ') {
            return Err(DAMAGED);
        }
        let kind = if block[156] == 0 { b'0' } else { block[156] };
        let mut name = text(&block[..100]);
        // GNU's own format keeps other things where ustar has its prefix and says so in its magic.
        if block[257..263] == *b"ustar\0" && block[345] != 0 {
            name = [text(&block[345..500]), name].join(&b'/');
        }
        let device = match kind {
            b'3' | b'4' => (unsigned(&block[329..337])?, unsigned(&block[337..345])?),
            _ => (0, 0),
        };
        Ok(Some(Header {
            kind,
            name,
            link: text(&block[157..257]),
            mode: (number(&block[100..108])? & 0o7777) as u16,
            uid: unsigned(&block[108..116])?,
            gid: unsigned(&block[116..124])?,
            size: unsigned(&block[124..136])?,
            mtime: number(&block[136..148])?,
            device,
        }))
    }

    /// True for the kinds that never have data after the header, whatever their size field says.
    pub fn is_bare(&self) -> bool {
        matches!(self.kind, b'1'..=b'6')
    }
}

/// Splits a pax header's data into its records, `"LENGTH KEY=VALUE\n"` each (pax(1)). `EUCLEAN` for anything else.
pub fn pax_records(mut data: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    // Some writers pad the data with NULs.
    while data.first().is_some_and(|byte| *byte != 0) {
        let space = data.iter().position(|byte| *byte == b' ').ok_or(DAMAGED)?;
        let len = usize::try_from(decimal(&data[..space])?).map_err(|_| DAMAGED)?;
        if len > data.len() || len < space + 3 || data[len - 1] != b'\n' {
            return Err(DAMAGED);
        }
        let record = &data[space + 1..len - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or(DAMAGED)?;
        records.push((&record[..equals], &record[equals + 1..]));
        data = &data[len..];
    }
    Ok(records)
}

/// A decimal number.
pub fn decimal(digits: &[u8]) -> Result<u64> {
    core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(DAMAGED)
}
