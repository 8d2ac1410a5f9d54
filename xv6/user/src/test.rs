//! Conditions of `test` and `[`: the programs and the shell's builtin share them. POSIX's rules by number of operands, with
//! `-a`, `-o` and brackets beyond four.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::Access;

/// Whether the condition holds; the error is a line for the user.
pub fn evaluate(operands: &[Vec<u8>]) -> Result<bool, String> {
    let words: Vec<&[u8]> = operands.iter().map(Vec::as_slice).collect();
    match words.as_slice() {
        [] => Ok(false),
        [one] => Ok(!one.is_empty()),
        [b"!", one] => Ok(one.is_empty()),
        [left, operator, right] if is_binary(operator) => binary(left, operator, right),
        [b"!", left, operator, right] if is_binary(operator) => Ok(!binary(left, operator, right)?),
        words => {
            let mut condition = Condition { words, at: 0, depth: 0 };
            let value = condition.or()?;
            match words.get(condition.at) {
                None => Ok(value),
                Some(extra) => Err(format!("{}: unexpected operator", String::from_utf8_lossy(extra))),
            }
        }
    }
}

struct Condition<'a> {
    words: &'a [&'a [u8]],
    at: usize,
    depth: usize,
}

/// How deep brackets and `!` may nest.
const MAX_DEPTH: usize = 500;

impl<'a> Condition<'a> {
    fn next(&mut self) -> Result<&'a [u8], String> {
        let word = self.words.get(self.at).copied().ok_or_else(|| "argument expected".to_owned());
        self.at += 1;
        word
    }

    fn accept(&mut self, word: &[u8]) -> bool {
        let found = self.words.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut value = self.and()?;
        while self.accept(b"-o") {
            value |= self.and()?;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut value = self.primary()?;
        while self.accept(b"-a") {
            value &= self.primary()?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let value = self.primary_inner();
        self.depth -= 1;
        value
    }

    fn primary_inner(&mut self) -> Result<bool, String> {
        let word = self.next()?;
        if let Some(operator) = self.words.get(self.at).copied().filter(|operator| is_binary(operator))
            && self.at + 1 < self.words.len()
        {
            self.at += 1;
            return binary(word, operator, self.next()?);
        }
        match word {
            b"!" => Ok(!self.primary()?),
            b"(" => {
                let value = self.or()?;
                if self.accept(b")") { Ok(value) } else { Err("closing paren expected".to_owned()) }
            }
            [b'-', letter] if self.at < self.words.len() && is_unary(*letter) => unary(*letter, self.next()?),
            word => Ok(!word.is_empty()),
        }
    }
}

fn is_unary(letter: u8) -> bool {
    b"bcdefghkLnOGprSstuwxz".contains(&letter)
}

fn is_binary(operator: &[u8]) -> bool {
    const OPERATORS: [&[u8]; 14] =
        [b"=", b"==", b"!=", b"<", b">", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot", b"-ef"];
    OPERATORS.contains(&operator)
}

fn unary(letter: u8, word: &[u8]) -> Result<bool, String> {
    let path = OsStr::from_bytes(word);
    let meta = |holds: fn(&Metadata) -> bool| Ok(fs::metadata(path).is_ok_and(|meta| holds(&meta)));
    let may = |access: Access| Ok(!word.is_empty() && rustix::fs::access(path, access).is_ok());
    match letter {
        b'n' => Ok(!word.is_empty()),
        b'z' => Ok(word.is_empty()),
        b'e' => meta(|_| true),
        b'f' => meta(Metadata::is_file),
        b'd' => meta(Metadata::is_dir),
        b'b' => meta(|meta| meta.file_type().is_block_device()),
        b'c' => meta(|meta| meta.file_type().is_char_device()),
        b'p' => meta(|meta| meta.file_type().is_fifo()),
        b'S' => meta(|meta| meta.file_type().is_socket()),
        b's' => meta(|meta| meta.len() > 0),
        b'g' => meta(|meta| meta.mode() & 0o2000 != 0),
        b'u' => meta(|meta| meta.mode() & 0o4000 != 0),
        b'k' => meta(|meta| meta.mode() & 0o1000 != 0),
        b'O' => meta(|meta| meta.uid() == rustix::process::geteuid().as_raw()),
        b'G' => meta(|meta| meta.gid() == rustix::process::getegid().as_raw()),
        b'h' | b'L' => Ok(fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())),
        b'r' => may(Access::READ_OK),
        b'w' => may(Access::WRITE_OK),
        b'x' => may(Access::EXEC_OK),
        // Only the standard descriptors can be asked about by number.
        _ => match integer(word)? {
            0 => Ok(rustix::termios::isatty(rustix::stdio::stdin())),
            1 => Ok(rustix::termios::isatty(rustix::stdio::stdout())),
            2 => Ok(rustix::termios::isatty(rustix::stdio::stderr())),
            _ => Ok(false),
        },
    }
}

fn integer(word: &[u8]) -> Result<i64, String> {
    let text = String::from_utf8_lossy(word);
    text.trim().parse().map_err(|_| format!("Illegal number: {text}"))
}

fn binary(left: &[u8], operator: &[u8], right: &[u8]) -> Result<bool, String> {
    let meta = |word: &[u8]| fs::metadata(OsStr::from_bytes(word)).ok();
    let time = |word: &[u8]| meta(word).map(|meta| (meta.mtime(), meta.mtime_nsec()));
    match operator {
        b"=" | b"==" => Ok(left == right),
        b"!=" => Ok(left != right),
        b"<" => Ok(left < right),
        b">" => Ok(left > right),
        b"-nt" => Ok(time(left) > time(right)),
        b"-ot" => Ok(time(left) < time(right)),
        b"-ef" => {
            let id = |word: &[u8]| meta(word).map(|meta| (meta.dev(), meta.ino()));
            Ok(id(left).is_some() && id(left) == id(right))
        }
        _ => {
            let (left, right) = (integer(left)?, integer(right)?);
            Ok(match operator {
                b"-eq" => left == right,
                b"-ne" => left != right,
                b"-lt" => left < right,
                b"-le" => left <= right,
                b"-gt" => left > right,
                _ => left >= right,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    fn test(text: &str) -> Result<bool, String> {
        let words: Vec<Vec<u8>> = text.split(' ').map(|word| word.replace('_', "").into_bytes()).collect();
        super::evaluate(&words)
    }

    #[test]
    fn conditions_by_number_of_operands() {
        for (text, value) in [
            ("a", true),
            ("_", false),
            ("! a", false),
            ("-n a", true),
            ("-z _", true),
            ("a = a", true),
            ("1 -lt 2", true),
            ("! 1 -eq 1", false),
            ("-d /", true),
            ("-f / -o -d /", true),
            ("( a = b ) -o c", true),
            ("a -a _", false),
            ("-n = -n", true),
            ("/ -ef /.", true),
        ] {
            assert_eq!(test(text), Ok(value), "{text}");
        }
        assert!(test("a -eq 1").is_err());
        assert!(test("a b c d").is_err());
    }
}
