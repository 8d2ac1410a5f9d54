//! The caller's terminal: raw while a container's terminal is shown on it, and restored afterwards.

use rustix::termios::{OptionalActions, Termios, Winsize};
use std::io::{IsTerminal, stdin};

/// The caller's terminal in raw mode; dropping it restores the settings.
pub struct RawTerminal {
    saved: Termios,
}

impl RawTerminal {
    /// Makes standard input raw; `None` if it is not a terminal.
    pub fn enter() -> Option<RawTerminal> {
        let saved = rustix::termios::tcgetattr(stdin()).ok()?;
        let mut raw = saved.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(stdin(), OptionalActions::Drain, &raw).ok()?;
        Some(RawTerminal { saved })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // The terminal may be gone by now; there is nobody left to tell.
        let _ = rustix::termios::tcsetattr(stdin(), OptionalActions::Drain, &self.saved);
    }
}

/// The size of the caller's terminal, if it has one.
pub fn size() -> Option<Winsize> {
    rustix::termios::tcgetwinsize(stdin()).ok()
}

/// True if standard input is a terminal on which another process group is in front: we are a background job.
pub fn is_background() -> bool {
    stdin().is_terminal() && rustix::termios::tcgetpgrp(stdin()).is_ok_and(|front| front != rustix::process::getpgrp())
}
