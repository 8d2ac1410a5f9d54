//! Reads a person's lines.
//!
//! Key type: [`Editor`].

use std::io::Write;

use user::shell::syntax::Bytes;

use crate::shell::Shell;

/// What reading a line gave.
pub enum Line {
    /// A line without its newline.
    Text(Bytes),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// Reads lines from the terminal, which edits them itself (canonical mode).
pub struct Editor;

impl Editor {
    /// An editor on standard input.
    pub fn new() -> Self {
        Self
    }

    /// Prints `prompt` and reads a line.
    pub fn read_line(&mut self, shell: &mut Shell, prompt: &[u8]) -> Line {
        let _ = std::io::stderr().write_all(prompt);
        let mut line = Bytes::new();
        let mut byte = [0];
        loop {
            match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
                Ok(0) if line.is_empty() => return Line::End,
                Ok(0) => return Line::Text(line),
                Ok(_) if byte[0] == b'\n' => return Line::Text(line),
                Ok(_) => line.push(byte[0]),
                Err(rustix::io::Errno::INTR) => {
                    if shell.check_interrupt().is_err() {
                        eprintln!();
                        return Line::Interrupted;
                    }
                    if let Err(crate::shell::Flow::Interrupt) = shell.run_traps() {
                        return Line::Interrupted;
                    }
                }
                Err(_) => return Line::End,
            }
        }
    }
}
