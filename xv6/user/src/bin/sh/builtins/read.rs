//! Builtins that take text apart: `read` and `getopts`.

use std::io::Write;

use user::shell::syntax::Bytes;

use super::refuse;
use crate::shell::{Flow, Run, Shell};
use crate::variables::is_name;

/// A byte of the line and whether a backslash stood before it.
type Marked = (u8, bool);

/// Reads a line byte by byte, so that nothing after it is taken; `None` if a signal came.
fn read_marked(shell: &Shell, raw: bool) -> Option<(Vec<Marked>, bool)> {
    let mut line: Vec<Marked> = Vec::new();
    let mut escaped = false;
    let mut byte = [0];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(1) => {}
            Err(rustix::io::Errno::INTR) => {
                if shell.arrived_signal().is_some() {
                    return None;
                }
                continue;
            }
            _ => return Some((line, false)),
        }
        match (byte[0], escaped) {
            (b'\n', true) => escaped = false, // a continued line
            (b'\n', false) => return Some((line, true)),
            (b'\\', false) if !raw => escaped = true,
            (0, _) => {}
            (other, _) => {
                line.push((other, escaped));
                escaped = false;
            }
        }
    }
}

pub fn read(shell: &mut Shell, words: &[Bytes]) -> Run {
    let mut raw = false;
    let mut names = &words[1..];
    while let Some(flag) = names.first().filter(|word| word.len() > 1 && word[0] == b'-') {
        match flag.as_slice() {
            b"-r" => raw = true,
            b"-p" if names.len() > 1 => {
                let _ = std::io::stderr().write_all(&names[1]);
                names = &names[1..];
            }
            b"--" => {
                names = &names[1..];
                break;
            }
            _ => return refuse(shell, words, "usage: read [-r] [-p PROMPT] NAME...", 2),
        }
        names = &names[1..];
    }
    if names.is_empty() || !names.iter().all(|name| is_name(name)) {
        return refuse(shell, words, "usage: read [-r] [-p PROMPT] NAME...", 2);
    }
    let Some((line, complete)) = read_marked(shell, raw) else {
        shell.run_traps()?;
        return Ok(128 + libc::SIGINT);
    };
    let ifs = shell.variables.get(b"IFS").cloned().unwrap_or_else(|| b" \t\n".to_vec());
    let mut rest = line.as_slice();
    for (index, name) in names.iter().enumerate() {
        let value = if index + 1 == names.len() { last_field(rest, &ifs) } else { take_field(&mut rest, &ifs) };
        shell.assign(name, value)?;
    }
    Ok(i32::from(!complete))
}

fn is_blank(marked: &Marked, ifs: &[u8]) -> bool {
    !marked.1 && matches!(marked.0, b' ' | b'\t' | b'\n') && ifs.contains(&marked.0)
}

fn is_separator(marked: &Marked, ifs: &[u8]) -> bool {
    !marked.1 && ifs.contains(&marked.0)
}

fn skip_blanks<'l>(line: &'l [Marked], ifs: &[u8]) -> &'l [Marked] {
    &line[line.iter().take_while(|marked| is_blank(marked, ifs)).count()..]
}

/// Takes a field and the separator after it.
fn take_field(rest: &mut &[Marked], ifs: &[u8]) -> Bytes {
    let line = skip_blanks(rest, ifs);
    let end = line.iter().position(|marked| is_separator(marked, ifs)).unwrap_or(line.len());
    let after = skip_blanks(&line[end..], ifs);
    *rest = match after.first() {
        Some(marked) if is_separator(marked, ifs) => skip_blanks(&after[1..], ifs),
        _ => after,
    };
    line[..end].iter().map(|marked| marked.0).collect()
}

/// The rest of the line; a single separator at its end, and blanks around it, do not count.
fn last_field(rest: &[Marked], ifs: &[u8]) -> Bytes {
    let mut line = skip_blanks(rest, ifs);
    let trim = |line: &mut &[Marked]| {
        while let Some((last, before)) = line.split_last()
            && is_blank(last, ifs)
        {
            *line = before;
        }
    };
    trim(&mut line);
    if let Some((last, before)) = line.split_last()
        && is_separator(last, ifs)
        && !before.iter().any(|marked| is_separator(marked, ifs))
    {
        line = before;
        trim(&mut line);
    }
    line.iter().map(|marked| marked.0).collect()
}

/// `getopts OPTSTRING NAME [ARGUMENT...]`. Where it stands within a cluster is kept in `OPTIND`'s companion `_OPTPOS`.
pub fn getopts(shell: &mut Shell, words: &[Bytes]) -> Run {
    let [_, spec, name, own @ ..] = words else {
        return refuse(shell, words, "usage: getopts OPTSTRING NAME [ARGUMENT...]", 2);
    };
    if !is_name(name) {
        return Err(Flow::Fatal("getopts: bad variable name".to_owned()));
    }
    let arguments = if own.is_empty() { shell.parameters.clone() } else { own.to_vec() };
    let number = |shell: &Shell, name: &[u8]| {
        shell.variables.get(name).and_then(|text| str::from_utf8(text).ok()?.parse::<usize>().ok()).unwrap_or(1).max(1)
    };
    let mut index = number(shell, b"OPTIND");
    let mut position = number(shell, b"_OPTPOS");
    if shell.variables.get(b"_OPTFOR").is_none_or(|kept| *kept != index.to_string().into_bytes()) {
        position = 1; // the script has set OPTIND itself
    }
    let silent = spec.first() == Some(&b':');
    let finish = |shell: &mut Shell, index: usize, position: usize, letter: &[u8], status: i32| {
        shell.assign(b"OPTIND", index.to_string())?;
        shell.assign(b"_OPTFOR", index.to_string())?;
        shell.assign(b"_OPTPOS", position.to_string())?;
        shell.assign(name, letter)?;
        Ok(status)
    };
    let Some(word) = arguments.get(index - 1).filter(|word| word.len() > 1 && word[0] == b'-' && *word != b"--") else {
        let ended = arguments.get(index - 1).is_some_and(|word| word == b"--");
        return finish(shell, index + usize::from(ended), 1, b"?", 1);
    };
    let letter = word.get(position).copied().unwrap_or(b'?');
    position += 1;
    let cluster_ends = position >= word.len();
    let place = spec.iter().position(|known| *known == letter && letter != b':');
    let Some(place) = place else {
        if silent {
            shell.assign(b"OPTARG", vec![letter])?;
        } else {
            shell.complain(&format!("Illegal option -{}", char::from(letter)));
            shell.variables.unset(b"OPTARG").map_err(Flow::Fatal)?;
        }
        let (index, position) = if cluster_ends { (index + 1, 1) } else { (index, position) };
        return finish(shell, index, position, b"?", 0);
    };
    if spec.get(place + 1) != Some(&b':') {
        shell.variables.unset(b"OPTARG").map_err(Flow::Fatal)?;
        let (index, position) = if cluster_ends { (index + 1, 1) } else { (index, position) };
        return finish(shell, index, position, &[letter], 0);
    }
    let value = if cluster_ends {
        index += 1;
        arguments.get(index - 1).cloned()
    } else {
        Some(word[position..].to_vec())
    };
    match value {
        Some(value) => {
            shell.assign(b"OPTARG", value)?;
            finish(shell, index + 1, 1, &[letter], 0)
        }
        None if silent => {
            shell.assign(b"OPTARG", vec![letter])?;
            finish(shell, index, 1, b":", 0)
        }
        None => {
            shell.complain(&format!("No arg for -{} option", char::from(letter)));
            finish(shell, index, 1, b"?", 0)
        }
    }
}
