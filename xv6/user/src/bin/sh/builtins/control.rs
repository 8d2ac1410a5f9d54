//! Builtins that change what runs next: `.`, `break`, `continue`, `eval`, `exec`, `exit`, `return`, `set`, `shift`, `command`, `type`.

use user::shell::syntax::Bytes;

use super::{find, print, quote, refuse};
use crate::shell::{Flow, OPTION_NAMES, Run, Shell};

/// The number in `words[1]`, if there is a word.
fn number(words: &[Bytes]) -> Result<Option<i32>, Flow> {
    let Some(word) = words.get(1) else { return Ok(None) };
    let text = String::from_utf8_lossy(word);
    text.parse()
        .map(Some)
        .map_err(|_| Flow::Fatal(format!("{}: Illegal number: {text}", String::from_utf8_lossy(&words[0]))))
}

pub fn source(shell: &mut Shell, words: &[Bytes]) -> Run {
    let Some(name) = words.get(1) else { return Err(Flow::Fatal(".: filename argument required".to_owned())) };
    let path = if name.contains(&b'/') { name.clone() } else { in_path(shell, name) };
    let text = std::fs::read(std::ffi::OsStr::new(&*String::from_utf8_lossy(&path)))
        .map_err(|error| Flow::Fatal(format!("{}: {}", String::from_utf8_lossy(name), user::fail::why(&error))))?;
    shell.status = 0;
    match shell.called(|shell| shell.run_text(&text, false)) {
        Err(Flow::Return(status)) => Ok(status),
        other => other,
    }
}

/// A sourced file is looked for along `PATH` and need not be executable.
fn in_path(shell: &Shell, name: &Bytes) -> Bytes {
    let path = shell.variables.get(b"PATH").cloned().unwrap_or_default();
    let candidates = path.split(|byte| *byte == b':').map(|folder| [folder, b"/", name].concat());
    let found = candidates.into_iter().find(|path| std::path::Path::new(&*String::from_utf8_lossy(path)).is_file());
    found.unwrap_or_else(|| name.clone())
}

pub fn leave_loop(shell: &mut Shell, words: &[Bytes]) -> Run {
    let levels = number(words)?.unwrap_or(1);
    let levels = u32::try_from(levels).ok().filter(|levels| *levels > 0);
    let levels =
        levels.ok_or_else(|| Flow::Fatal(format!("{}: Illegal number", String::from_utf8_lossy(&words[0]))))?;
    match levels.min(shell.loops) {
        0 => Ok(0),
        levels if words[0] == b"break" => Err(Flow::Break(levels)),
        levels => Err(Flow::Continue(levels)),
    }
}

pub fn eval(shell: &mut Shell, words: &[Bytes]) -> Run {
    let text = words[1..].join(&b' ');
    shell.status = 0;
    shell.called(|shell| shell.run_text(&text, false))
}

pub fn exec(shell: &mut Shell, words: &[Bytes]) -> Run {
    let words = &words[1..];
    let Some(name) = words.first() else { return Ok(0) };
    match shell.find_program(name, None) {
        Ok(path) => {
            // What the shell ignores or catches for itself is not passed on.
            shell.enter_child(None, false);
            let status = shell.become_program(&path, words, &[], &[])?;
            Err(Flow::Exit(status))
        }
        Err(missing) => {
            shell.complain(missing.text());
            if shell.options.interactive { Ok(missing.status()) } else { Err(Flow::Exit(missing.status())) }
        }
    }
}

pub fn exit(shell: &mut Shell, words: &[Bytes]) -> Run {
    Err(Flow::Exit(number(words)?.unwrap_or(shell.status)))
}

pub fn leave_function(shell: &mut Shell, words: &[Bytes]) -> Run {
    Err(Flow::Return(number(words)?.unwrap_or(shell.status)))
}

pub fn shift(shell: &mut Shell, words: &[Bytes]) -> Run {
    let count = usize::try_from(number(words)?.unwrap_or(1)).ok().filter(|count| *count <= shell.parameters.len());
    let Some(count) = count else { return Err(Flow::Fatal("shift: can't shift that many".to_owned())) };
    shell.parameters.drain(..count);
    Ok(0)
}

pub fn set(shell: &mut Shell, words: &[Bytes]) -> Run {
    let mut next = 1;
    if words.len() == 1 {
        let mut text = Bytes::new();
        for (name, variable) in shell.variables.sorted() {
            if let Some(value) = &variable.value {
                text.extend([name.as_slice(), b"=", &quote(value), b"\n"].concat());
            }
        }
        return print(shell, &text);
    }
    while let Some(word) = words.get(next).filter(|word| word.len() > 1 && matches!(word[0], b'-' | b'+')) {
        next += 1;
        let on = word[0] == b'-';
        if word == b"--" {
            shell.parameters = words[next..].to_vec();
            return Ok(0);
        }
        for letter in &word[1..] {
            let known = match letter {
                b'o' => match words.get(next) {
                    Some(name) => {
                        next += 1;
                        shell.options.set_by_name(name, on)
                    }
                    None => return show_options(shell),
                },
                letter => shell.options.set(*letter, on),
            };
            if !known {
                return Err(Flow::Fatal(format!("set: Illegal option {}", String::from_utf8_lossy(word))));
            }
        }
    }
    if next < words.len() {
        shell.parameters = words[next..].to_vec();
    }
    Ok(0)
}

fn show_options(shell: &Shell) -> Run {
    let line = |(_, name): &(u8, &str)| format!("{name:<12}{}\n", if shell.options.get(name) { "on" } else { "off" });
    print(shell, OPTION_NAMES.iter().map(line).collect::<String>().as_bytes())
}

pub fn command(shell: &mut Shell, words: &[Bytes]) -> Run {
    let rest = match words.get(1).map(Vec::as_slice) {
        Some(b"-v") => return describe(shell, &words[2..], false),
        Some(b"-V") => return describe(shell, &words[2..], true),
        Some(b"-p" | b"--") => &words[2..],
        _ => &words[1..],
    };
    let Some(name) = rest.first() else { return Ok(0) };
    match find(name) {
        Some(builtin) => (builtin.run)(shell, rest),
        None => shell.run_program(rest, &[], &[], false),
    }
}

pub fn kind(shell: &mut Shell, words: &[Bytes]) -> Run {
    describe(shell, &words[1..], true)
}

/// `which`: where a program is; the shell's own commands by their names.
pub fn kind_path(shell: &mut Shell, words: &[Bytes]) -> Run {
    if words.get(1).is_some_and(|word| word.starts_with(b"-")) {
        return refuse(shell, words, "usage: which NAME...", 2);
    }
    describe(shell, &words[1..], false)
}

fn describe(shell: &Shell, names: &[Bytes], verbose: bool) -> Run {
    let mut status = 0;
    for name in names {
        let shown = String::from_utf8_lossy(name);
        let (short, long) = if shell.functions.contains_key(name) {
            (shown.to_string(), format!("{shown} is a shell function"))
        } else if let Some(builtin) = find(name) {
            let special = if builtin.special { "special " } else { "" };
            (shown.to_string(), format!("{shown} is a {special}shell builtin"))
        } else {
            match shell.find_program(name, None) {
                Ok(path) if std::path::Path::new(&*String::from_utf8_lossy(&path)).exists() => {
                    let path = String::from_utf8_lossy(&path).into_owned();
                    (path.clone(), format!("{shown} is {path}"))
                }
                _ => {
                    status = 127;
                    if verbose {
                        shell.complain(&format!("{shown}: not found"));
                    }
                    continue;
                }
            }
        };
        print(shell, format!("{}\n", if verbose { long } else { short }).as_bytes())?;
    }
    Ok(status)
}
