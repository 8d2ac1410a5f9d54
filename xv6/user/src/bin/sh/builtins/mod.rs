//! The commands that the shell runs itself: the table, and what all of them use.
//!
//! Key type: [`Builtin`]. A builtin gets its words with its own name first, and returns its status. An error of a special one
//! (POSIX's word) ends a script; its assignments stay.

mod control;
mod files;
mod jobs;
mod read;
mod variables;

use user::shell::syntax::Bytes;

use crate::shell::{Run, Shell};

/// A builtin command.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Whether POSIX calls it special.
    pub special: bool,
    /// What it does.
    pub run: fn(&mut Shell, &[Bytes]) -> Run,
}

const fn special(name: &'static str, run: fn(&mut Shell, &[Bytes]) -> Run) -> Builtin {
    Builtin { name, special: true, run }
}

const fn regular(name: &'static str, run: fn(&mut Shell, &[Bytes]) -> Run) -> Builtin {
    Builtin { name, special: false, run }
}

/// All builtins.
pub const TABLE: [Builtin; 40] = [
    special(":", succeed),
    special(".", control::source),
    special("break", control::leave_loop),
    special("continue", control::leave_loop),
    special("eval", control::eval),
    special("exec", control::exec),
    special("exit", control::exit),
    special("export", variables::export),
    special("readonly", variables::export),
    special("return", control::leave_function),
    special("set", control::set),
    special("shift", control::shift),
    special("times", jobs::times),
    special("trap", jobs::trap),
    special("unset", variables::unset),
    regular("[", files::test),
    regular("bg", jobs::resume),
    regular("cd", files::change_directory),
    regular("command", control::command),
    regular("echo", files::echo),
    regular("false", fail),
    regular("fg", jobs::resume),
    regular("getopts", read::getopts),
    regular("hash", succeed),
    regular("jobs", jobs::list),
    regular("kill", jobs::kill),
    regular("local", variables::local),
    regular("printf", files::printf),
    regular("pwd", files::print_directory),
    regular("read", read::read),
    regular("source", control::source),
    regular("test", files::test),
    regular("true", succeed),
    regular("type", control::kind),
    regular("ulimit", jobs::limit),
    regular("umask", files::umask),
    regular("wait", jobs::wait),
    regular("which", control::kind_path),
    regular("builtin", control::command),
    regular("help", help),
];

/// The builtin called `name`.
pub fn find(name: &[u8]) -> Option<Builtin> {
    TABLE.into_iter().find(|builtin| builtin.name.as_bytes() == name)
}

/// Writes to standard output; a failure is the builtin's failure.
pub fn print(shell: &Shell, text: &[u8]) -> Run {
    let mut rest = text;
    while !rest.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), rest) {
            Ok(count) => rest = &rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                shell.complain(&format!("standard output: {}", user::fail::why(&error.into())));
                return Ok(1);
            }
        }
    }
    Ok(0)
}

/// Prints an error of the builtin `words[0]`; its status.
pub fn refuse(shell: &Shell, words: &[Bytes], text: &str, status: i32) -> Run {
    shell.complain(&format!("{}: {text}", String::from_utf8_lossy(&words[0])));
    Ok(status)
}

/// A value in single quotes, as `set` and `trap` print it to be read again.
pub fn quote(value: &[u8]) -> Bytes {
    let mut text = vec![b'\''];
    for byte in value {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            _ => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

fn succeed(_: &mut Shell, _: &[Bytes]) -> Run {
    Ok(0)
}

fn fail(_: &mut Shell, _: &[Bytes]) -> Run {
    Ok(1)
}

fn help(shell: &mut Shell, _: &[Bytes]) -> Run {
    let names: Vec<&str> = TABLE.iter().map(|builtin| builtin.name).collect();
    let text =
        format!("Builtin commands: {}\nPrograms are in /bin; each prints its usage for --help.\n", names.join(" "));
    print(shell, text.as_bytes())
}
