//! File name expansion, XCU 2.6.6: the existing paths that a field matches, sorted.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::pattern::{Glyph, Pattern};
use super::syntax::Bytes;

/// The paths that `field` matches; empty if it holds no pattern or nothing matches.
pub fn expand(field: &[Glyph]) -> Vec<Bytes> {
    if !has_pattern(field) {
        return Vec::new();
    }
    let mut found = vec![Bytes::new()];
    let mut rest = field;
    while !rest.is_empty() {
        let slashes = rest.iter().take_while(|glyph| glyph.0 == b'/').count();
        let length = rest[slashes..].iter().take_while(|glyph| glyph.0 != b'/').count();
        let (component, last) = (&rest[slashes..slashes + length], slashes + length == rest.len());
        for path in &mut found {
            path.extend(std::iter::repeat_n(b'/', slashes));
        }
        found = found.into_iter().flat_map(|path| step(path, component, last)).collect();
        rest = &rest[slashes + length..];
    }
    found.sort();
    found
}

fn has_pattern(field: &[Glyph]) -> bool {
    field.iter().any(|(byte, active)| *active && b"*?[".contains(byte))
}

/// The paths that `component` makes of one path.
fn step(base: Bytes, component: &[Glyph], last: bool) -> Vec<Bytes> {
    let joined = |name: &[u8]| [base.as_slice(), name].concat();
    if !has_pattern(component) {
        let path = joined(&component.iter().map(|glyph| glyph.0).collect::<Bytes>());
        let exists = path.is_empty() || fs::symlink_metadata(Path::new(OsStr::from_bytes(&path))).is_ok();
        return if exists { vec![path] } else { Vec::new() };
    }
    let pattern = Pattern::new(component);
    let hidden = component.first().is_some_and(|glyph| glyph.0 == b'.');
    let folder = if base.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(&base) };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<OsString> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    if hidden {
        names.extend([".".into(), "..".into()]);
    }
    names
        .into_iter()
        .map(OsStringExt::into_vec)
        .filter(|name| (hidden || name.first() != Some(&b'.')) && pattern.matches(name))
        .map(|name| joined(&name))
        .filter(|path| last || Path::new(OsStr::from_bytes(path)).is_dir())
        .collect()
}
