//! Builtins about files and text: `cd`, `pwd`, `umask`, `test`, `echo`, `printf`.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use user::shell::syntax::Bytes;

use super::{print, refuse};
use crate::shell::{Run, Shell};

/// `path` without `.`, `..` and double slashes, by its text alone.
fn normalize(path: &[u8]) -> Bytes {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    [b"/".as_slice(), &parts.join(&b'/')].concat()
}

pub fn change_directory(shell: &mut Shell, words: &[Bytes]) -> Run {
    let mut rest = &words[1..];
    let mut physical = false;
    while let Some(flag @ (b"-P" | b"-L" | b"--")) = rest.first().map(Vec::as_slice) {
        physical = flag == b"-P";
        rest = &rest[1..];
    }
    let variable = |name: &[u8]| shell.variables.get(name).cloned().filter(|value| !value.is_empty());
    let mut show = false;
    let target = match rest.first().map(Vec::as_slice) {
        None => match variable(b"HOME") {
            Some(home) => home,
            None => return refuse(shell, words, "HOME not set", 2),
        },
        Some(b"-") => match variable(b"OLDPWD") {
            Some(old) => {
                show = true;
                old
            }
            None => return refuse(shell, words, "OLDPWD not set", 2),
        },
        Some(path) => path.to_vec(),
    };
    let old = shell.variables.get(b"PWD").cloned().unwrap_or_else(|| b"/".to_vec());
    let mut path = target.clone();
    let relative = !target.starts_with(b"/");
    let dotted = matches!(target.split(|byte| *byte == b'/').next(), Some(b"." | b".."));
    if relative && !dotted {
        for folder in
            variable(b"CDPATH").unwrap_or_default().split(|byte| *byte == b':').filter(|folder| !folder.is_empty())
        {
            let candidate = [folder, b"/", &target].concat();
            if std::path::Path::new(OsStr::from_bytes(&candidate)).is_dir() {
                path = candidate;
                show = true;
                break;
            }
        }
    }
    if !path.starts_with(b"/") {
        path = [old.as_slice(), b"/", &path].concat();
    }
    let logical = normalize(&path);
    let moved = if physical {
        std::env::set_current_dir(OsStr::from_bytes(&target))
    } else {
        std::env::set_current_dir(OsStr::from_bytes(&logical))
    };
    // The text may lie where a link has moved; the kernel's own reading of the operand decides then.
    let moved = moved
        .or_else(|error| if relative { std::env::set_current_dir(OsStr::from_bytes(&target)) } else { Err(error) });
    if let Err(error) = moved {
        let text = format!("can't cd to {}: {}", String::from_utf8_lossy(&target), user::fail::why(&error));
        return refuse(shell, words, &text, 2);
    }
    let now = if physical || !same_place(&logical) {
        std::env::current_dir().map_or(logical, |path| path.into_os_string().into_vec())
    } else {
        logical
    };
    shell.assign(b"OLDPWD", old)?;
    shell.assign(b"PWD", now.clone())?;
    if show { print(shell, &[&now[..], b"\n"].concat()) } else { Ok(0) }
}

/// Whether `path` is the current directory.
fn same_place(path: &[u8]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &OsStr| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    id(OsStr::from_bytes(path)) == id(OsStr::new("."))
}

pub fn print_directory(shell: &mut Shell, words: &[Bytes]) -> Run {
    let physical = match words.get(1).map(Vec::as_slice) {
        None | Some(b"-L") => false,
        Some(b"-P") => true,
        Some(_) => return refuse(shell, words, "usage: pwd [-LP]", 2),
    };
    let logical = shell.variables.get(b"PWD").filter(|path| !physical && same_place(path)).cloned();
    let path = match logical {
        Some(path) => path,
        None => match std::env::current_dir() {
            Ok(path) => path.into_os_string().into_vec(),
            Err(error) => return refuse(shell, words, &user::fail::why(&error), 1),
        },
    };
    print(shell, &[&path[..], b"\n"].concat())
}

pub fn umask(shell: &mut Shell, words: &[Bytes]) -> Run {
    use rustix::fs::Mode;
    let old = rustix::process::umask(Mode::empty());
    rustix::process::umask(old);
    match words.get(1).map(Vec::as_slice) {
        None => print(shell, format!("{:04o}\n", old.as_raw_mode()).as_bytes()),
        Some(b"-S") => {
            let allowed = !old.as_raw_mode();
            let part = |shift: u32| -> String {
                [(4, 'r'), (2, 'w'), (1, 'x')]
                    .iter()
                    .filter(|(bit, _)| allowed >> shift & bit != 0)
                    .map(|(_, letter)| *letter)
                    .collect()
            };
            print(shell, format!("u={},g={},o={}\n", part(6), part(3), part(0)).as_bytes())
        }
        Some(text) => {
            let text = String::from_utf8_lossy(text);
            // A symbolic mask says what is allowed.
            let symbolic = !text.starts_with(|c: char| c.is_ascii_digit());
            let start = if symbolic { !old.as_raw_mode() & 0o777 } else { 0 };
            let Some(mode) = user::mode::parse(&text, start, 0) else {
                return refuse(shell, words, &format!("{text}: bad mode"), 2);
            };
            let mask = if symbolic { !mode } else { mode };
            rustix::process::umask(Mode::from_raw_mode(mask & 0o777));
            Ok(0)
        }
    }
}

pub fn test(shell: &mut Shell, words: &[Bytes]) -> Run {
    let mut operands = &words[1..];
    if words[0] == b"[" {
        let Some((last, rest)) = operands.split_last().filter(|(last, _)| *last == b"]") else {
            return refuse(shell, words, "missing ]", 2);
        };
        debug_assert_eq!(last, b"]");
        operands = rest;
    }
    match user::test::evaluate(operands) {
        Ok(truth) => Ok(i32::from(!truth)),
        Err(text) => refuse(shell, words, &text, 2),
    }
}

pub fn echo(shell: &mut Shell, words: &[Bytes]) -> Run {
    print(shell, &user::echo::compose(&words[1..]))
}

pub fn printf(shell: &mut Shell, words: &[Bytes]) -> Run {
    let rest = if words.get(1).is_some_and(|word| word == b"--") { &words[2..] } else { &words[1..] };
    let Some((format, arguments)) = rest.split_first() else {
        return refuse(shell, words, "usage: printf FORMAT [ARGUMENT...]", 2);
    };
    let result = user::printf::compose(format, arguments);
    let status = print(shell, &result.text)?;
    match result.error {
        Some(text) => refuse(shell, words, &text, 1),
        None => Ok(status),
    }
}
