//! Patterns: `*`, `?`, `[a-z]`, `[!a]`, `[[:digit:]]`, for file names, `case`, `${x#...}` and `find -name`. Bytes, as dash.
//!
//! Key types: [`Pattern`], made of [`Glyph`]s: bytes that know whether they were quoted.

/// A byte and whether it may have a pattern's meaning (it was not quoted).
pub type Glyph = (u8, bool);

enum Element {
    Byte(u8),
    Any,
    Many,
    /// Whether it is negated, and the ranges.
    Class(bool, Vec<(u8, u8)>),
}

/// A compiled pattern.
pub struct Pattern(Vec<Element>);

impl Pattern {
    /// A pattern none of which is quoted; a backslash quotes.
    pub fn parse(text: &[u8]) -> Self {
        let mut glyphs = Vec::with_capacity(text.len());
        let mut quoted = false;
        for byte in text {
            if *byte == b'\\' && !quoted {
                quoted = true;
            } else {
                glyphs.push((*byte, !quoted));
                quoted = false;
            }
        }
        Self::new(&glyphs)
    }

    /// Compiles `glyphs`.
    pub fn new(glyphs: &[Glyph]) -> Self {
        let mut elements = Vec::new();
        let mut at = 0;
        while let Some(&(byte, active)) = glyphs.get(at) {
            at += 1;
            elements.push(match byte {
                b'*' if active => Element::Many,
                b'?' if active => Element::Any,
                b'[' if active => match class(&glyphs[at..]) {
                    Some((element, length)) => {
                        at += length;
                        element
                    }
                    None => Element::Byte(b'['),
                },
                _ => Element::Byte(byte),
            });
        }
        Self(elements)
    }

    /// Whether the whole of `text` matches. Time is at most the product of the two lengths.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut element, mut at) = (0, 0);
        let mut retry = None; // after the last `*`, and how much it has taken
        loop {
            match self.0.get(element) {
                Some(Element::Many) => {
                    retry = Some((element + 1, at));
                    element += 1;
                    continue;
                }
                Some(one) if at < text.len() && one.matches(text[at]) => {
                    element += 1;
                    at += 1;
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            match retry {
                Some((after, taken)) if taken < text.len() => {
                    retry = Some((after, taken + 1));
                    (element, at) = (after, taken + 1);
                }
                _ => return false,
            }
        }
    }

    /// Removes what matches at an end of `text`: `#` the beginning, `%` the end; the longest match or the shortest.
    pub fn remove<'t>(&self, text: &'t [u8], end: u8, longest: bool) -> &'t [u8] {
        let mut cuts: Vec<usize> = (0..=text.len()).collect();
        if longest == (end == b'#') {
            cuts.reverse();
        }
        for cut in cuts {
            let (before, after) = text.split_at(cut);
            if end == b'#' && self.matches(before) {
                return after;
            }
            if end == b'%' && self.matches(after) {
                return before;
            }
        }
        text
    }
}

impl Element {
    fn matches(&self, byte: u8) -> bool {
        match self {
            Self::Byte(wanted) => byte == *wanted,
            Self::Any => true,
            Self::Many => false,
            Self::Class(negated, ranges) => ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte)) != *negated,
        }
    }
}

/// The class whose `[` has just been passed, and its length with the `]`; `None` if it is not closed.
fn class(glyphs: &[Glyph]) -> Option<(Element, usize)> {
    let negated = matches!(glyphs.first(), Some((b'!' | b'^', true)));
    let mut at = usize::from(negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let &(byte, active) = glyphs.get(at)?;
        if byte == b']' && active && at > first {
            return Some((Element::Class(negated, ranges), at + 1));
        }
        if byte == b'/' {
            return None;
        }
        if byte == b'[' && active && glyphs.get(at + 1).is_some_and(|glyph| glyph.0 == b':') {
            let name: Vec<u8> = glyphs[at + 2..].iter().map(|glyph| glyph.0).take_while(|byte| *byte != b':').collect();
            let after = at + 2 + name.len();
            if glyphs.get(after + 1).is_some_and(|glyph| glyph.0 == b']') {
                ranges.extend_from_slice(named(&name));
                at = after + 2;
                continue;
            }
        }
        match (glyphs.get(at + 1), glyphs.get(at + 2)) {
            (Some((b'-', true)), Some(&(high, high_active))) if !(high == b']' && high_active) => {
                ranges.push((byte, high));
                at += 3;
            }
            _ => {
                ranges.push((byte, byte));
                at += 1;
            }
        }
    }
}

/// The ranges of a named class; none for an unknown name, which then matches nothing.
pub fn named(name: &[u8]) -> &'static [(u8, u8)] {
    match name {
        b"digit" => &[(b'0', b'9')],
        b"lower" => &[(b'a', b'z')],
        b"upper" => &[(b'A', b'Z')],
        b"alpha" => &[(b'a', b'z'), (b'A', b'Z')],
        b"alnum" => &[(b'a', b'z'), (b'A', b'Z'), (b'0', b'9')],
        b"xdigit" => &[(b'a', b'f'), (b'A', b'F'), (b'0', b'9')],
        b"space" => &[(b' ', b' '), (9, 13)],
        b"blank" => &[(b' ', b' '), (b'\t', b'\t')],
        b"punct" => &[(33, 47), (58, 64), (91, 96), (123, 126)],
        b"print" => &[(32, 126)],
        b"graph" => &[(33, 126)],
        b"cntrl" => &[(0, 31), (127, 127)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_classes_and_quotes() {
        for (pattern, text, expected) in [
            ("*.rs", "main.rs", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
            ("[a-c]?", "bz", true),
            ("[!a-c]", "b", false),
            ("[[:digit:]x]", "7", true),
            ("[]]", "]", true),
            ("[a", "[a", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::parse(pattern.as_bytes()).matches(text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_take_little_time() {
        let pattern = Pattern::parse(&b"*a".repeat(100));
        assert!(!pattern.matches(&[b'a'; 5000][..4999].iter().copied().chain([b'b']).collect::<Vec<u8>>()));
    }

    #[test]
    fn removal_takes_the_shortest_or_longest() {
        let pattern = Pattern::parse(b"*/");
        assert_eq!(pattern.remove(b"a/b/c", b'#', false), b"b/c");
        assert_eq!(pattern.remove(b"a/b/c", b'#', true), b"c");
        let pattern = Pattern::parse(b".*");
        assert_eq!(pattern.remove(b"a.b.c", b'%', false), b"a.b");
        assert_eq!(pattern.remove(b"a.b.c", b'%', true), b"a");
    }
}
