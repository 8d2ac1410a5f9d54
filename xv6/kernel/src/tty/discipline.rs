//! [`Discipline`]: what stands between the keys and the program (termios(3); Linux's `N_TTY`).
//!
//! A pure state machine: bytes typed go in through [`Discipline::input`], which edits the line, echoes into a buffer and says
//! which signal a key raised; a program takes them out through [`Discipline::read`]; what a program writes passes through
//! [`Discipline::output`]. Nothing here sleeps, locks or knows who listens, so it is tested on the host.
//!
//! ```text
//!   keys -> input() -> edit (the unfinished line) --newline, Ctrl-D--> ready (finished lines) -> read() -> program
//!                 \-> echo                          raw mode: straight to ready
//! ```

use super::termios::{Char, Input, Local, Output, Termios};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The most bytes a line may have, and the most that wait for a program (Linux's `N_TTY_BUF_SIZE`).
pub const CAPACITY: usize = 4096;

/// A signal raised by a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Ctrl-C: `SIGINT`.
    Interrupt,
    /// Ctrl-\: `SIGQUIT`.
    Quit,
    /// Ctrl-Z: `SIGTSTP`.
    Suspend,
}

/// The state of one terminal's line.
#[derive(Default)]
pub struct Discipline {
    /// The settings it obeys; changed through [`Discipline::set_termios`].
    termios: Termios,
    /// The line being edited (canonical mode).
    edit: Vec<u8>,
    /// Bytes that a program may read.
    ready: VecDeque<u8>,
    /// Canonical mode: lengths of the finished lines in `ready`, oldest first; 0 is an end of file.
    lines: VecDeque<usize>,
    /// The next byte is taken as it is (Ctrl-V).
    literal: bool,
    /// Output is stopped (Ctrl-S).
    stopped: bool,
    /// The cursor's column, for tabs and for erasing them.
    column: usize,
    /// The column at which the edited line began.
    line_start: usize,
}

impl Discipline {
    /// The settings.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Changes the settings. Leaving canonical mode hands over the unfinished line; entering it makes one line of what waits.
    pub fn set_termios(&mut self, termios: Termios) {
        let was = self.termios.local.contains(Local::ICANON);
        let is = termios.local.contains(Local::ICANON);
        self.termios = termios;
        if was && !is {
            self.ready.extend(self.edit.drain(..));
            self.lines.clear();
        } else if !was && is && !self.ready.is_empty() {
            self.lines.push_back(self.ready.len());
        }
        if !self.termios.input.contains(Input::IXON) {
            self.stopped = false;
        }
    }

    /// Forgets all input (`TCIFLUSH`).
    pub fn flush_input(&mut self) {
        self.edit.clear();
        self.ready.clear();
        self.lines.clear();
        self.literal = false;
    }

    /// True while Ctrl-S holds the output.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Stops or restarts output (`TCXONC`).
    pub fn set_stopped(&mut self, stopped: bool) {
        self.stopped = stopped;
    }

    /// How many more bytes [`Discipline::input`] can take without losing one.
    pub fn room(&self) -> usize {
        if self.canonical() && self.lines.is_empty() {
            return CAPACITY; // the line's own limit applies; its end must always get through
        }
        CAPACITY.saturating_sub(self.ready.len() + self.edit.len())
    }

    fn canonical(&self) -> bool {
        self.termios.local.contains(Local::ICANON)
    }

    fn local(&self, flag: Local) -> bool {
        self.termios.local.contains(flag)
    }

    /// Takes one typed byte; appends what the terminal shows to `echo`. Returns the signal that the key raises.
    pub fn input(&mut self, byte: u8, echo: &mut Vec<u8>) -> Option<Key> {
        let mut byte = byte;
        if self.termios.input.contains(Input::ISTRIP) {
            byte &= 0x7f;
        }
        if core::mem::take(&mut self.literal) {
            self.accept(byte, echo);
            return None;
        }
        match byte {
            b'\r' if self.termios.input.contains(Input::IGNCR) => return None,
            b'\r' if self.termios.input.contains(Input::ICRNL) => byte = b'\n',
            b'\n' if self.termios.input.contains(Input::INLCR) => byte = b'\r',
            _ => {}
        }
        if self.flow_control(byte) {
            return None;
        }
        if self.local(Local::ISIG)
            && let Some(key) = self.signal_key(byte)
        {
            if !self.local(Local::NOFLSH) {
                self.flush_input();
            }
            if self.local(Local::ECHO) {
                self.show(byte, echo);
            }
            return Some(key);
        }
        if self.canonical() && self.edit_key(byte, echo) {
            return None;
        }
        self.accept(byte, echo);
        None
    }

    /// Ctrl-S and Ctrl-Q; with `IXANY` any byte restarts.
    fn flow_control(&mut self, byte: u8) -> bool {
        if !self.termios.input.contains(Input::IXON) {
            return false;
        }
        if self.termios.is(byte, Char::Stop) {
            self.stopped = true;
            return true;
        }
        if self.termios.is(byte, Char::Start) {
            self.stopped = false;
            return true;
        }
        if self.termios.input.contains(Input::IXANY) {
            self.stopped = false;
        }
        false
    }

    fn signal_key(&self, byte: u8) -> Option<Key> {
        [(Char::Intr, Key::Interrupt), (Char::Quit, Key::Quit), (Char::Susp, Key::Suspend)]
            .into_iter()
            .find(|(char, _)| self.termios.is(byte, *char))
            .map(|(_, key)| key)
    }

    /// The keys that edit or finish a canonical line. True if `byte` was one.
    fn edit_key(&mut self, byte: u8, echo: &mut Vec<u8>) -> bool {
        let termios = self.termios;
        let extended = self.local(Local::IEXTEN);
        if termios.is(byte, Char::Erase) {
            self.erase(echo);
        } else if termios.is(byte, Char::Kill) {
            while !self.edit.is_empty() {
                self.erase(echo);
            }
        } else if extended && termios.is(byte, Char::WordErase) {
            self.erase_word(echo);
        } else if extended && termios.is(byte, Char::LiteralNext) {
            self.literal = true;
            if self.local(Local::ECHO) && self.local(Local::ECHOCTL) {
                echo.extend(b"^\x08");
            }
        } else if extended && termios.is(byte, Char::Reprint) {
            self.show(byte, echo);
            echo.extend(b"\r\n");
            let line = core::mem::take(&mut self.edit);
            line.iter().for_each(|byte| self.show(*byte, echo));
            self.edit = line;
        } else if termios.is(byte, Char::Eof) {
            self.finish_line();
        } else if byte == b'\n' {
            if self.local(Local::ECHO) || self.local(Local::ECHONL) {
                self.output(b"\n", echo);
            }
            self.edit.push(byte);
            self.finish_line();
        } else if termios.is(byte, Char::Eol) || (extended && termios.is(byte, Char::Eol2)) {
            if self.local(Local::ECHO) {
                self.show(byte, echo);
            }
            self.edit.push(byte);
            self.finish_line();
        } else {
            return false;
        }
        true
    }

    fn finish_line(&mut self) {
        self.lines.push_back(self.edit.len());
        self.ready.extend(self.edit.drain(..));
        self.line_start = self.column;
    }

    /// An ordinary byte: into the line, or in raw mode straight to the program. A full buffer rings the bell.
    fn accept(&mut self, byte: u8, echo: &mut Vec<u8>) {
        // One place is kept for the newline, so that a line can always be finished.
        if self.ready.len() + self.edit.len() >= CAPACITY - 1 {
            if self.local(Local::ECHO) {
                echo.push(0x07);
            }
            return;
        }
        if self.canonical() {
            if self.edit.is_empty() {
                self.line_start = self.column;
            }
            self.edit.push(byte);
        } else {
            self.ready.push_back(byte);
        }
        if self.local(Local::ECHO) {
            self.show(byte, echo);
        }
    }

    /// Removes the last character of the line: in UTF-8 all of its bytes.
    fn erase(&mut self, echo: &mut Vec<u8>) {
        let before = self.width();
        let Some(mut last) = self.edit.pop() else { return };
        if self.termios.input.contains(Input::IUTF8) {
            while last & 0xc0 == 0x80 {
                match self.edit.pop() {
                    Some(byte) => last = byte,
                    None => break,
                }
            }
        }
        if !self.local(Local::ECHO) {
            return;
        }
        if !self.local(Local::ECHOE) {
            let erase = self.termios.char(Char::Erase);
            return self.show(erase, echo);
        }
        let after = self.width();
        for _ in after..before {
            echo.extend(b"\x08 \x08");
        }
        self.column = self.line_start + after;
    }

    fn erase_word(&mut self, echo: &mut Vec<u8>) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        while self.edit.last().is_some_and(|byte| !is_word(*byte)) {
            self.erase(echo);
        }
        while self.edit.last().is_some_and(|byte| is_word(*byte)) {
            self.erase(echo);
        }
    }

    /// The columns that the edited line takes on the screen.
    fn width(&self) -> usize {
        self.edit.iter().fold(0, |width, byte| {
            width
                + match byte {
                    b'\t' => 8 - (self.line_start + width) % 8,
                    byte if byte.is_ascii_control() => 2 * usize::from(self.local(Local::ECHOCTL)),
                    byte if self.termios.input.contains(Input::IUTF8) && byte & 0xc0 == 0x80 => 0,
                    _ => 1,
                }
        })
    }

    /// Echoes one byte: control characters as `^X` with `ECHOCTL`.
    fn show(&mut self, byte: u8, echo: &mut Vec<u8>) {
        if byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t') && self.local(Local::ECHOCTL) {
            echo.extend([b'^', byte ^ 0x40]);
            self.column += 2;
        } else {
            self.output(&[byte], echo);
        }
    }

    /// True if a read would find something: a whole line, or in raw mode `VMIN` bytes (at least one).
    pub fn is_readable(&self) -> bool {
        if self.canonical() {
            return !self.lines.is_empty();
        }
        let least = if self.termios.char(Char::Time) == 0 { self.termios.char(Char::Min).max(1) } else { 1 };
        self.ready.len() >= usize::from(least)
    }

    /// How many bytes wait (`FIONREAD`).
    pub fn waiting(&self) -> usize {
        if self.canonical() { self.lines.iter().sum() } else { self.ready.len() }
    }

    /// Takes up to `most` bytes; in canonical mode of one line only. `None`: nothing there. An empty answer is an end of file.
    pub fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        if self.canonical() {
            let line = self.lines.pop_front()?;
            let taken = line.min(most);
            if taken < line {
                self.lines.push_front(line - taken);
            }
            return Some(self.ready.drain(..taken).collect());
        }
        if self.ready.is_empty() {
            return None;
        }
        let taken = self.ready.len().min(most);
        Some(self.ready.drain(..taken).collect())
    }

    /// What the terminal gets for the bytes that a program writes (`OPOST`).
    pub fn output(&mut self, bytes: &[u8], screen: &mut Vec<u8>) {
        let modes = self.termios.output;
        if !modes.contains(Output::OPOST) {
            screen.extend(bytes);
            return;
        }
        for &byte in bytes {
            match byte {
                b'\n' if modes.contains(Output::ONLCR) => {
                    screen.extend(b"\r\n");
                    self.column = 0;
                }
                b'\r' if modes.contains(Output::OCRNL) => screen.push(b'\n'),
                b'\r' => {
                    if !(modes.contains(Output::ONOCR) && self.column == 0) {
                        screen.push(b'\r');
                    }
                    self.column = 0;
                }
                b'\t' => {
                    let width = 8 - self.column % 8;
                    if modes.contains(Output::XTABS) {
                        screen.extend(core::iter::repeat_n(b' ', width));
                    } else {
                        screen.push(b'\t');
                    }
                    self.column += width;
                }
                0x08 => {
                    screen.push(byte);
                    self.column = self.column.saturating_sub(1);
                }
                _ => {
                    screen.push(byte);
                    self.column += usize::from(!byte.is_ascii_control() && byte & 0xc0 != 0x80);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
