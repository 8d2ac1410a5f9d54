//! Field splitting, XCU 2.6.5: what expansion made of a word, cut into fields at `IFS`.
//!
//! Key type: [`Unit`]. The expansion writes units; this file cuts them; `glob.rs` matches the fields against files.

use super::pattern::Glyph;
use super::syntax::Bytes;

/// Where a byte came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in the script, unquoted: not split, but may be a pattern.
    Literal,
    /// Quoted: neither.
    Quoted,
    /// From an unquoted expansion: split, and may be a pattern.
    Expanded,
}

/// A piece of an expanded word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A byte.
    Byte(u8, Origin),
    /// Quotes with nothing in them, which make a field all the same.
    Empty,
    /// The end of a field, between the parameters of `$@`.
    Break,
}

/// One field before its patterns are matched.
pub type Field = Vec<Glyph>;

/// Cuts `units` into fields.
pub fn split(units: &[Unit], ifs: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut current: Option<Field> = None;
    let mut ended_by_blank = false;
    for unit in units {
        match *unit {
            Unit::Byte(byte, Origin::Expanded) if ifs.contains(&byte) => {
                let blank = matches!(byte, b' ' | b'\t' | b'\n');
                match current.take() {
                    Some(field) => {
                        fields.push(field);
                        ended_by_blank = blank;
                    }
                    None if blank => {}
                    // `a , b`: the comma belongs to the blank that ended the field.
                    None if ended_by_blank => ended_by_blank = false,
                    None => fields.push(Field::new()),
                }
            }
            Unit::Byte(byte, origin) => current.get_or_insert_default().push((byte, origin != Origin::Quoted)),
            Unit::Empty => {
                current.get_or_insert_default();
            }
            Unit::Break => {
                fields.extend(current.take());
                ended_by_blank = false;
            }
        }
    }
    fields.extend(current);
    fields
}

/// The bytes of a field.
pub fn plain(field: &[Glyph]) -> Bytes {
    field.iter().map(|glyph| glyph.0).collect()
}

/// The bytes of `units` as one string; breaks become spaces.
pub fn join(units: &[Unit]) -> Bytes {
    let byte = |unit: &Unit| match unit {
        Unit::Byte(byte, _) => Some(*byte),
        Unit::Break => Some(b' '),
        Unit::Empty => None,
    };
    units.iter().filter_map(byte).collect()
}

/// The units as one pattern, in which quoted bytes mean themselves.
pub fn pattern(units: &[Unit]) -> Field {
    let glyph = |unit: &Unit| match unit {
        Unit::Byte(byte, origin) => Some((*byte, *origin != Origin::Quoted)),
        Unit::Break => Some((b' ', false)),
        Unit::Empty => None,
    };
    units.iter().filter_map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::{Origin, Unit, plain, split};

    fn fields(text: &str, ifs: &str) -> Vec<String> {
        let units: Vec<Unit> = text.bytes().map(|byte| Unit::Byte(byte, Origin::Expanded)).collect();
        split(&units, ifs.as_bytes()).iter().map(|field| String::from_utf8_lossy(&plain(field)).into_owned()).collect()
    }

    #[test]
    fn blanks_join_and_other_separators_do_not() {
        assert_eq!(fields("  a  b ", " \t\n"), ["a", "b"]);
        assert_eq!(fields("a::b:", ":"), ["a", "", "b"]);
        assert_eq!(fields(":a", ":"), ["", "a"]);
        assert_eq!(fields("a , b", " ,"), ["a", "b"]);
        assert_eq!(fields("a , , b", " ,"), ["a", "", "b"]);
        assert_eq!(fields("a b", ""), ["a b"]);
    }
}
