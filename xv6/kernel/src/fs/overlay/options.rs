//! The mount options of an overlay: `lowerdir=A:B,upperdir=U,workdir=W` (Linux's overlayfs.rst).

use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// Lower layers one overlay may have (as Linux).
const MAX_LAYERS: usize = 500;

/// The options, as paths still to be found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Lower layers, the topmost first.
    pub lower: Vec<Vec<u8>>,
    /// The layer that takes changes, and its work directory; `None` for a read-only overlay.
    pub upper: Option<(Vec<u8>, Vec<u8>)>,
}

/// Splits at `separator`; a backslash takes the byte after it literally and stays in the parts.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if *byte == b'\\' {
            escaped = true;
        } else if *byte == separator {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Takes the escaping backslashes out.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            _ => out.push(*byte),
        }
    }
    out
}

impl Options {
    /// Parses mount(2)'s data. `EINVAL`: an unknown option, a feature that we do not have (`redirect_dir=on`,
    /// `index=on`, `metacopy=on`), a missing or empty path, or an upper directory without a work directory or the other
    /// way round.
    pub fn parse(data: &[u8]) -> Result<Options> {
        let bad = |what| Err(Errno::EINVAL.during(what));
        let mut options = Options::default();
        let (mut upper, mut work) = (None, None);
        for option in split(data, b',').into_iter().filter(|option| !option.is_empty()) {
            let mut parts = option.splitn(2, |byte| *byte == b'=');
            let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match key {
                b"lowerdir" => options.lower = split(value, b':').into_iter().map(unescape).collect(),
                b"upperdir" => upper = Some(unescape(value)),
                b"workdir" => work = Some(unescape(value)),
                b"index" | b"metacopy" | b"nfs_export" | b"uuid" if value == b"off" => {}
                b"redirect_dir" if [&b"off"[..], b"nofollow"].contains(&value) => {}
                b"xino" | b"volatile" => {}
                _ => return bad("mounting an overlay with an option it does not have"),
            }
        }
        if options.lower.is_empty() || options.lower.len() > MAX_LAYERS || options.lower.iter().any(Vec::is_empty) {
            return bad("mounting an overlay without proper lower directories");
        }
        options.upper = match (upper, work) {
            (Some(upper), Some(work)) if !upper.is_empty() && !work.is_empty() => Some((upper, work)),
            (None, None) => None,
            _ => return bad("mounting an overlay with only one of upperdir and workdir"),
        };
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;
    use alloc::vec;

    #[test]
    fn options_are_parsed() {
        let parsed = Options::parse(b"lowerdir=/a:/b\\:c,upperdir=/u\\,1,workdir=/w,index=off").expect("good options");
        assert_eq!(parsed.lower, vec![b"/a".to_vec(), b"/b:c".to_vec()]);
        assert_eq!(parsed.upper, Some((b"/u,1".to_vec(), b"/w".to_vec())));
        assert_eq!(Options::parse(b"lowerdir=/a").expect("read-only").upper, None);
        for bad in [&b""[..], b"lowerdir=", b"lowerdir=/a::/b", b"lowerdir=/a,upperdir=/u", b"lowerdir=/a,workdir=/w"] {
            assert!(Options::parse(bad).is_err());
        }
        for bad in [&b"upperdir=/u,workdir=/w"[..], b"lowerdir=/a,redirect_dir=on", b"lowerdir=/a,what", b"nonsense"] {
            assert!(Options::parse(bad).is_err());
        }
    }
}
