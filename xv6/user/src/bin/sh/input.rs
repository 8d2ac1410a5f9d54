//! Reads commands from a person or from standard input, and runs them as they become complete.

use user::shell::parser::{Parser, SyntaxError};
use user::shell::syntax::Bytes;

use crate::edit::{Editor, Line};
use crate::shell::{Flow, Run, Shell, describe};

/// Runs the shell on its standard input; a login shell reads `/etc/profile` first.
pub fn run(shell: &mut Shell, login: bool) -> Run {
    if !shell.options.interactive {
        return read_script(shell);
    }
    shell.set_interactive_signals();
    shell.options.monitor = shell.jobs.start_control();
    if shell.variables.get(b"PS1").is_none() {
        shell.variables.set(b"PS1", br"\h:\w\$ ").map_err(Flow::Fatal)?;
    }
    if login && let Ok(text) = std::fs::read("/etc/profile") {
        let flow = shell.run_text(&text, false);
        if let Err(Flow::Exit(status)) = flow {
            return Ok(status);
        }
        shell.settle(flow);
    }
    converse(shell)
}

/// Standard input that is no terminal: a line at a time, read so that commands can read what follows.
fn read_script(shell: &mut Shell) -> Run {
    let mut text = Bytes::new();
    loop {
        let more = read_line(&mut text);
        let result = run_complete(shell, &mut text, !more);
        result?;
        if !more {
            return Ok(shell.status);
        }
    }
}

/// Appends a line, byte by byte so that nothing after it is taken; `false` at the end.
fn read_line(text: &mut Bytes) -> bool {
    let mut byte = [0];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) => return false,
            Ok(_) => {
                text.push(byte[0]);
                if byte[0] == b'\n' {
                    return true;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Runs what is complete in `text` and removes it; at the `end`, what is not complete is an error.
fn run_complete(shell: &mut Shell, text: &mut Bytes, end: bool) -> Run {
    loop {
        let source = text.clone();
        let mut parser = Parser::new(&source);
        match parser.next_command() {
            Ok(Some(list)) => {
                text.drain(..parser.position());
                shell.run_list(&list, false)?;
            }
            Ok(None) => {
                text.clear();
                return Ok(shell.status);
            }
            Err(SyntaxError::Incomplete) if !end => return Ok(shell.status),
            Err(error) => {
                text.clear();
                return Err(Flow::Fatal(describe(error)));
            }
        }
    }
}

/// The loop of prompt, line and command.
fn converse(shell: &mut Shell) -> Run {
    let mut editor = Editor::new(shell);
    let mut text = Bytes::new();
    let mut warned = false;
    loop {
        if text.is_empty() {
            shell.tell_jobs();
        }
        let name: &[u8] = if text.is_empty() { b"PS1" } else { b"PS2" };
        let prompt = crate::prompt::expand(shell, name);
        let flow = match editor.read_line(shell, &prompt) {
            Line::Text(mut line) => {
                line.push(b'\n');
                text.append(&mut line);
                run_complete(shell, &mut text, false)
            }
            Line::Interrupted => {
                text.clear();
                Err(Flow::Interrupt)
            }
            Line::End if !text.is_empty() => {
                text.clear();
                Err(Flow::Fatal(describe(SyntaxError::Incomplete)))
            }
            Line::End => Err(Flow::Exit(shell.status)),
        };
        match flow {
            Err(Flow::Exit(status)) => {
                let stopped = shell.jobs.list().iter().any(|job| matches!(job.state(), crate::jobs::State::Stopped(_)));
                if !stopped || warned {
                    return Ok(status);
                }
                eprintln!("You have stopped jobs.");
                warned = true;
                continue;
            }
            Ok(_) => {}
            flow => {
                text.clear();
                shell.settle(flow);
            }
        }
        warned = false;
    }
}
