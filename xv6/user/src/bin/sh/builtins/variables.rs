//! Builtins about variables: `export`, `readonly`, `unset`, `local`.

use user::shell::syntax::Bytes;

use super::{print, quote};
use crate::shell::{Flow, Run, Shell};
use crate::variables::is_name;

/// `name=value` taken apart; the name checked.
fn parse<'w>(words: &[Bytes], word: &'w [u8]) -> Result<(&'w [u8], Option<&'w [u8]>), Flow> {
    let mut halves = word.splitn(2, |byte| *byte == b'=');
    let name = halves.next().unwrap_or_default();
    if !is_name(name) {
        let (command, name) = (String::from_utf8_lossy(&words[0]), String::from_utf8_lossy(name));
        return Err(Flow::Fatal(format!("{command}: {name}: bad variable name")));
    }
    Ok((name, halves.next()))
}

pub fn export(shell: &mut Shell, words: &[Bytes]) -> Run {
    let exporting = words[0] == b"export";
    if words.len() == 1 || words.get(1).is_some_and(|word| word == b"-p") {
        let mut text = Bytes::new();
        for (name, variable) in shell.variables.sorted() {
            if if exporting { variable.exported } else { variable.readonly } {
                text.extend([words[0].as_slice(), b" ", name].concat());
                if let Some(value) = &variable.value {
                    text.push(b'=');
                    text.extend(quote(value));
                }
                text.push(b'\n');
            }
        }
        return print(shell, &text);
    }
    for word in &words[1..] {
        let (name, value) = parse(words, word)?;
        if let Some(value) = value {
            shell.assign(name, value)?;
        }
        if exporting {
            shell.variables.export(name);
        } else {
            shell.variables.make_readonly(name);
        }
    }
    Ok(0)
}

pub fn unset(shell: &mut Shell, words: &[Bytes]) -> Run {
    let functions = words.get(1).is_some_and(|word| word == b"-f");
    let skip = 1 + usize::from(functions || words.get(1).is_some_and(|word| word == b"-v"));
    for word in words.iter().skip(skip) {
        if functions {
            shell.functions.remove(word);
        } else {
            let (name, _) = parse(words, word)?;
            shell.variables.unset(name).map_err(Flow::Fatal)?;
        }
    }
    Ok(0)
}

pub fn local(shell: &mut Shell, words: &[Bytes]) -> Run {
    for word in &words[1..] {
        let (name, value) = parse(words, word)?;
        if !shell.variables.make_local(name) {
            return Err(Flow::Fatal("local: not in a function".to_owned()));
        }
        if let Some(value) = value {
            shell.assign(name, value)?;
        }
    }
    Ok(0)
}
