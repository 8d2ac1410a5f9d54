//! `#!` scripts (execve(2), "Interpreter scripts").

use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// Bytes of the first line that count.
pub const LINE: usize = 256;

/// The interpreter that a first line names, and its one argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    /// Path.
    pub path: Vec<u8>,
    /// All that follows, blanks at both ends removed.
    pub argument: Option<Vec<u8>>,
}

/// What separates the path from the argument; a carriage return does not, and becomes part of either.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Reads the first line of a file from its first bytes (up to [`LINE`]). `None` if it is no script, `ENOEXEC` for a bad one.
pub fn parse(start: &[u8]) -> Result<Option<Interpreter>> {
    let Some(line) = start.strip_prefix(b"#!") else { return Ok(None) };
    let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
    let whole = end.is_some() || start.len() < LINE;
    let line = &line[..end.unwrap_or(line.len())];
    let line = trim(line);
    let cut = line.iter().position(is_blank);
    let (path, rest) = line.split_at(cut.unwrap_or(line.len()));
    // A path that is cut off by the buffer's end would be another path.
    if path.is_empty() || (!whole && cut.is_none()) {
        return Err(Errno::ENOEXEC.during("reading a #! line"));
    }
    let rest = trim(rest);
    Ok(Some(Interpreter { path: path.to_vec(), argument: (!rest.is_empty()).then(|| rest.to_vec()) }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn first_lines() {
        let sh = parse(b"#!/bin/sh\necho").expect("good").expect("a script");
        assert_eq!((&sh.path[..], sh.argument), (&b"/bin/sh"[..], None));
        let env = parse(b"#! /bin/env  a b \nx").expect("good").expect("a script");
        assert_eq!((&env.path[..], env.argument.as_deref()), (&b"/bin/env"[..], Some(&b"a b"[..])));
        assert_eq!(parse(b"\x7fELF").expect("no script"), None);
        let dos = parse(b"#!/bin/sh\r\n").expect("good").expect("a script");
        assert_eq!(dos.path, b"/bin/sh\r");
        assert!(parse(b"#!\n").is_err());
        assert!(parse(&[b"#!".to_vec(), alloc::vec![b'x'; 254]].concat()).is_err());
    }
}
