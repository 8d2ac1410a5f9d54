//! Lines and columns: reading lines of bytes, opening `-` as standard input, aligning a table.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use crate::Out;
use crate::fail::{About, Failure};

/// The file called `name`, or standard input for `-`; a directory is an error at once.
pub fn open(name: impl AsRef<OsStr>) -> Result<Box<dyn Read>, Failure> {
    let name = name.as_ref();
    if name == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(Path::new(name)).about(name)?))
}

/// The same with a buffer, for reading lines.
pub fn open_lines(name: impl AsRef<OsStr>) -> Result<Box<dyn BufRead>, Failure> {
    let name = name.as_ref();
    if name == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, File::open(Path::new(name)).about(name)?)))
}

/// Opens each of `files` (standard input if there are none) and hands it to `act`, with whether it is the last; above each goes a title if
/// `titles` says so, or by default if there are several. What cannot be opened is a warning; the status is the worst of all.
pub fn each_file(
    mut files: Vec<OsString>,
    titles: Option<bool>,
    out: &mut Out,
    mut act: impl FnMut(&OsStr, Box<dyn BufRead>, bool, &mut Out) -> Result<u8, Failure>,
) -> Result<u8, Failure> {
    if files.is_empty() {
        files.push("-".into());
    }
    let titles = titles.unwrap_or(files.len() > 1);
    let mut status = 0;
    for (index, file) in files.iter().enumerate() {
        let opened = match open_lines(file) {
            Ok(opened) => opened,
            Err(failure) => {
                crate::warn(&failure);
                status = 1;
                continue;
            }
        };
        if titles {
            let shown = if file == "-" { "standard input".into() } else { file.to_string_lossy() };
            writeln!(out, "{}==> {shown} <==", if index > 0 { "\n" } else { "" })?;
        }
        status = status.max(act(file, opened, index + 1 == files.len(), out)?);
    }
    Ok(status)
}

/// Reads the next line without its newline into `line`; `false` at the end.
pub fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if reader.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(true)
}

/// A table with each column as wide as its widest cell; columns in `right` are aligned to the right, the last is never padded.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                line.push(' ');
            }
            let pad = " ".repeat(widths[column] - cell.chars().count());
            if right.contains(&column) {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `echo -e`'s and `printf`'s escapes; the `bool` says whether `\c` ended the output.
pub fn unescape(text: &[u8], octal_needs_zero: bool) -> (Vec<u8>, bool) {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' || at + 1 == text.len() {
            plain.push(text[at]);
            at += 1;
            continue;
        }
        let letter = text[at + 1];
        at += 2;
        match letter {
            b'a' => plain.push(7),
            b'b' => plain.push(8),
            b'c' => return (plain, true),
            b'e' => plain.push(27),
            b'f' => plain.push(12),
            b'n' => plain.push(b'\n'),
            b'r' => plain.push(b'\r'),
            b't' => plain.push(b'\t'),
            b'v' => plain.push(11),
            b'\\' => plain.push(b'\\'),
            b'x' => at += number(&text[at..], 16, 2, &mut plain, b"\\x"),
            b'0' if octal_needs_zero => at += number(&text[at..], 8, 3, &mut plain, b"\0"),
            b'0'..=b'7' if !octal_needs_zero => {
                at -= 1;
                at += number(&text[at..], 8, 3, &mut plain, b"\0");
            }
            other => plain.extend([b'\\', other]),
        }
    }
    (plain, false)
}

/// Appends the byte written as at most `most` digits; `otherwise` if there are none. Returns how many digits there were.
fn number(text: &[u8], radix: u32, most: usize, plain: &mut Vec<u8>, otherwise: &[u8]) -> usize {
    let digits: Vec<u32> = text.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix)).collect();
    if digits.is_empty() {
        plain.extend_from_slice(otherwise);
    } else {
        let value = digits.iter().fold(0, |value, digit| value * radix + digit);
        plain.push(u8::try_from(value & 0xff).unwrap_or(0));
    }
    digits.len()
}

#[cfg(test)]
mod tests {
    use super::{table, unescape};

    #[test]
    fn columns_line_up() {
        let rows = [["PID", "CMD"], ["1", "init -s"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows, &[0]), "PID CMD\n  1 init -s\n");
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(br"a\tb\0101\x42\q", true).0, b"a\tbAB\\q");
        assert_eq!(unescape(br"\101\c no", false), (b"A".to_vec(), true));
    }
}
