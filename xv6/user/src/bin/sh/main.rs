//! sh: the shell. POSIX's language (`user::shell`), job control, line editing when a person types.
//!
//! `main.rs` reads the options and finds the script; `shell.rs` holds the state; `exec.rs` walks the syntax tree; `command.rs`
//! runs simple commands; `expand.rs` expands words; `redirect.rs`, `jobs.rs`, `traps.rs`, `builtins/` are what they say;
//! `input.rs` reads commands from a person or a pipe. Single-threaded; every child is a fork(2).

mod builtins;
mod command;
mod edit;
mod exec;
mod expand;
mod input;
mod jobs;
mod prompt;
mod redirect;
mod shell;
mod traps;
mod variables;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use shell::{Flow, Shell};
use user::raw::{Disposition, set_signal};

const USAGE: &str = "usage: sh [-aCefimnuvx] [-o OPTION] [-c COMMAND [NAME]] [FILE] [ARGUMENT...]";

fn main() -> ExitCode {
    // Rust ignores SIGPIPE at start; a shell's children and builtins must die of it.
    let _ = set_signal(libc::SIGPIPE, Disposition::Default);
    let mut arguments: Vec<Vec<u8>> = std::env::args_os().map(OsString::into_vec).collect();
    let mut shell = Shell::new();
    let mut command = None;
    let mut force_interactive = false;
    let login = arguments.first().is_some_and(|name| name.starts_with(b"-"));
    let mut next = 1;
    while let Some(word) = arguments.get(next).filter(|word| word.len() > 1 && matches!(word[0], b'-' | b'+')).cloned()
    {
        next += 1;
        if word == b"--" {
            break;
        }
        for letter in &word[1..] {
            match letter {
                b'c' => command = Some(()),
                b'i' => force_interactive = true,
                b's' | b'l' => {}
                b'o' => {
                    let name = arguments.get(next).cloned().unwrap_or_default();
                    next += 1;
                    if !shell.options.set_by_name(&name, word[0] == b'-') {
                        return usage();
                    }
                }
                letter if shell.options.set(*letter, word[0] == b'-') => {}
                _ => return usage(),
            }
        }
    }
    let mut rest = arguments.drain(next.min(arguments.len())..);
    let mut script = None;
    if command.is_some() {
        let Some(text) = rest.next() else { return usage() };
        script = Some(text);
        if let Some(name) = rest.next() {
            shell.name = name;
        }
    } else if let Some(file) = rest.next() {
        match std::fs::read(OsString::from_vec(file.clone())) {
            Ok(text) => script = Some(text),
            Err(error) => {
                shell.complain(&format!("{}: {}", String::from_utf8_lossy(&file), user::fail::why(&error)));
                return ExitCode::from(127);
            }
        }
        shell.name = file;
    }
    shell.parameters = rest.collect();
    let on_terminal =
        rustix::termios::isatty(rustix::stdio::stdin()) && rustix::termios::isatty(rustix::stdio::stderr());
    shell.options.interactive = force_interactive || script.is_none() && on_terminal;
    let flow = match script {
        Some(text) => shell.run_text(&text, command.is_some()),
        None => input::run(&mut shell, login),
    };
    let status = shell.finish(flow);
    ExitCode::from(u8::try_from(status & 0xff).unwrap_or(1))
}

fn usage() -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{USAGE}");
    ExitCode::from(2)
}

impl Shell {
    /// The exit status that `flow` means at the top of a shell process; runs the `EXIT` trap.
    fn finish(&mut self, flow: Result<i32, Flow>) -> i32 {
        let status = self.settle(flow);
        self.run_exit_trap(status)
    }
}
