//! What `printf` prints: the program and the shell's builtin share it. Conversions `%b %c %d %i %o %s %u %x %X %%` with flags,
//! width and precision (numbers or `*`); the format is used again while arguments are left.

use crate::text::unescape;

/// The output, and the first complaint about an argument.
#[derive(Debug, Default)]
pub struct Composed {
    /// What to print.
    pub text: Vec<u8>,
    /// Why the status is 1, if it is.
    pub error: Option<String>,
}

/// A conversion such as `%-5.3d`, without its letter.
#[derive(Default)]
struct Shape {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Widths beyond this are cut: nothing a person prints is wider.
const MAX_WIDTH: usize = 1 << 16;

/// Formats `arguments` by `format`.
pub fn compose(format: &[u8], arguments: &[Vec<u8>]) -> Composed {
    let mut out = Composed::default();
    let mut left = arguments.iter();
    loop {
        let before = left.len();
        let stopped = once(format, &mut left, &mut out);
        // A format that takes nothing would go on for ever.
        if stopped || left.len() == 0 || left.len() == before {
            return out;
        }
    }
}

/// The format once; `true` if `\c` ended the output.
fn once(format: &[u8], left: &mut std::slice::Iter<'_, Vec<u8>>, out: &mut Composed) -> bool {
    let mut at = 0;
    while at < format.len() {
        let end = format[at..].iter().position(|byte| *byte == b'%').map_or(format.len(), |length| at + length);
        let (plain, ended) = unescape(&format[at..end], false);
        out.text.extend(plain);
        if ended {
            return true;
        }
        at = end + 1;
        if at >= format.len() {
            if end < format.len() {
                out.text.push(b'%');
            }
            return false;
        }
        let shape = Shape::read(format, &mut at, left);
        let Some(&letter) = format.get(at) else { return false };
        at += 1;
        match letter {
            b'%' => out.text.push(b'%'),
            b's' => shape.pad(left.next().map_or(&[], Vec::as_slice), out),
            b'b' => {
                let (plain, ended) = unescape(left.next().map_or(&[], Vec::as_slice), true);
                shape.pad(&plain, out);
                if ended {
                    return true;
                }
            }
            b'c' => shape.pad(left.next().map_or(&[], |word| &word[..word.len().min(1)]), out),
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => {
                let value = integer(left.next().map_or(b"0", Vec::as_slice), out);
                shape.number(letter, value, out);
            }
            other => {
                out.error.get_or_insert_with(|| format!("%{}: invalid conversion", char::from(other)));
                return true;
            }
        }
    }
    false
}

impl Shape {
    fn read(format: &[u8], at: &mut usize, left: &mut std::slice::Iter<'_, Vec<u8>>) -> Self {
        let mut shape = Self::default();
        while let Some(flag) = format.get(*at) {
            match flag {
                b'-' => shape.left = true,
                b'0' => shape.zero = true,
                b'+' => shape.plus = true,
                b' ' => shape.space = true,
                b'#' => shape.alternate = true,
                _ => break,
            }
            *at += 1;
        }
        let mut number = |at: &mut usize| {
            if format.get(*at) == Some(&b'*') {
                *at += 1;
                let word = left.next().map_or(b"0".as_slice(), Vec::as_slice);
                return str::from_utf8(word).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            }
            let mut value = 0_i64;
            while let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) {
                value = (value * 10 + i64::from(digit - b'0')).min(1 << 20);
                *at += 1;
            }
            value
        };
        let width = number(at);
        shape.left |= width < 0;
        shape.width = usize::try_from(width.unsigned_abs()).unwrap_or(MAX_WIDTH).min(MAX_WIDTH);
        if format.get(*at) == Some(&b'.') {
            *at += 1;
            shape.precision = usize::try_from(number(at)).ok().map(|precision| precision.min(MAX_WIDTH));
        }
        shape
    }

    /// A string: cut to the precision, padded to the width.
    fn pad(&self, text: &[u8], out: &mut Composed) {
        let text = &text[..self.precision.unwrap_or(text.len()).min(text.len())];
        let padding = self.width.saturating_sub(text.len());
        if !self.left {
            out.text.extend(std::iter::repeat_n(b' ', padding));
        }
        out.text.extend_from_slice(text);
        if self.left {
            out.text.extend(std::iter::repeat_n(b' ', padding));
        }
    }

    fn number(&self, letter: u8, value: i64, out: &mut Composed) {
        let bits = value.cast_unsigned();
        let (sign, digits) = match letter {
            b'd' | b'i' if value < 0 => ("-", value.unsigned_abs().to_string()),
            b'd' | b'i' if self.plus => ("+", value.to_string()),
            b'd' | b'i' if self.space => (" ", value.to_string()),
            b'd' | b'i' => ("", value.to_string()),
            b'o' => (if self.alternate { "0" } else { "" }, format!("{bits:o}")),
            b'x' => (if self.alternate && value != 0 { "0x" } else { "" }, format!("{bits:x}")),
            b'X' => (if self.alternate && value != 0 { "0X" } else { "" }, format!("{bits:X}")),
            _ => ("", bits.to_string()),
        };
        let least = match self.precision {
            Some(precision) => precision,
            None if self.zero && !self.left => self.width.saturating_sub(sign.len()),
            None => 0,
        };
        let text = format!("{sign}{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
        Self { precision: None, ..Self { left: self.left, width: self.width, ..Self::default() } }
            .pad(text.as_bytes(), out);
    }
}

/// A number as C writes it, or `'c` for a character's code.
fn integer(word: &[u8], out: &mut Composed) -> i64 {
    if let [b'\'' | b'"', rest @ ..] = word {
        return rest.first().map_or(0, |byte| i64::from(*byte));
    }
    let text = String::from_utf8_lossy(word);
    let trimmed = text.trim_start();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    if end == 0 || end < digits.len() {
        out.error.get_or_insert_with(|| format!("{text}: expected numeric value"));
    }
    let value = u64::from_str_radix(&digits[..end], radix).unwrap_or(if end == 0 { 0 } else { u64::MAX });
    if negative { value.cast_signed().wrapping_neg() } else { value.cast_signed() }
}

#[cfg(test)]
mod tests {
    fn printf(format: &str, arguments: &[&str]) -> String {
        let words: Vec<Vec<u8>> = arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
        String::from_utf8(super::compose(format.as_bytes(), &words).text).expect("the tests print ASCII")
    }

    #[test]
    fn conversions() {
        assert_eq!(printf("%s-%5s|%-5s|%.2s\\n", &["a", "b", "c", "def"]), "a-    b|c    |de\n");
        assert_eq!(printf("%d %05d %+d %x %#o %i", &["1", "-42", "3", "255", "8", "0x10"]), "1 -0042 +3 ff 010 16");
        assert_eq!(printf("%c%c\\101%%", &["xyz", ""]), "xA%");
        assert_eq!(printf("%*d|%b", &["4", "7", r"a\tb"]), "   7|a\tb");
    }

    #[test]
    fn the_format_repeats_while_arguments_are_left() {
        assert_eq!(printf("%s=%s\\n", &["a", "1", "b"]), "a=1\nb=\n");
        assert_eq!(printf("none\\n", &["a"]), "none\n");
        assert!(super::compose(b"%d", &[b"x".to_vec()]).error.is_some());
    }
}
