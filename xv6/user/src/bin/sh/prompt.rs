//! Prompts: `PS1` and `PS2` with parameters expanded, and the escapes people know: `\h` host, `\w` folder, `\W` its last part,
//! `\u` user, `\$` `#` for root, `\n`, `\e`; `\[` and `\]` vanish.

use user::shell::parser::parse_text;
use user::shell::syntax::Bytes;

use crate::shell::Shell;

/// The text of the prompt kept in the variable `name`; one that cannot be expanded is shown as it is.
pub fn expand(shell: &mut Shell, name: &[u8]) -> Bytes {
    let source = shell.variables.get(name).cloned().unwrap_or_default();
    let escaped = escapes(shell, &source);
    let status = shell.status;
    let text = parse_text(&escaped).ok().and_then(|word| shell.expand_string(&word).ok());
    shell.status = status; // a substitution in the prompt is not the last command
    text.unwrap_or(source)
}

fn escapes(shell: &Shell, source: &[u8]) -> Bytes {
    let mut text = Bytes::new();
    let mut bytes = source.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'h') => literal(&mut text, rustix::system::uname().nodename().to_bytes()),
            Some(b'w') => literal(&mut text, &folder(shell)),
            Some(b'W') => {
                let folder = folder(shell);
                let last = folder.rsplit(|byte| *byte == b'/').next().filter(|last| !last.is_empty());
                literal(&mut text, last.unwrap_or(&folder));
            }
            Some(b'u') => {
                let user = user::names::Names::users().of(rustix::process::geteuid().as_raw());
                literal(&mut text, user.as_bytes());
            }
            // Before a blank `$` is no parameter.
            Some(b'$') => literal(&mut text, if rustix::process::geteuid().is_root() { b"#" } else { b"$" }),
            Some(b'n') => text.push(b'\n'),
            Some(b'e') => text.push(27),
            Some(b'[' | b']') => {}
            Some(other) => text.extend([b'\\', *other]),
            None => text.push(b'\\'),
        }
    }
    text
}

/// Appends text that the expansion leaves alone.
fn literal(text: &mut Bytes, plain: &[u8]) {
    for byte in plain {
        if b"$`\\".contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
}

/// The current folder, with `~` for the home folder if that is not the root's.
fn folder(shell: &Shell) -> Bytes {
    let folder = shell.variables.get(b"PWD").cloned().unwrap_or_else(|| b"?".to_vec());
    let root = rustix::process::geteuid().is_root();
    let home = shell.variables.get(b"HOME").filter(|home| !root && home.len() > 1);
    match home.and_then(|home| folder.strip_prefix(home.as_slice())) {
        Some(rest) if rest.is_empty() || rest[0] == b'/' => [b"~", rest].concat(),
        _ => folder,
    }
}
