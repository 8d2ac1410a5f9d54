//! Terminals: the console and pseudo-terminals, with a line discipline and job control (termios(3), pty(7), credentials(7)).
//!
//! ```text
//!   keys -> console input thread --\                          /-- read()  <- programs
//!                                   Tty::input -> Discipline <
//!   program -> pty master write() -/       |                  \-- write() <- programs
//!                                          v
//!                            Port: the console's device, or the pty master's read queue
//! ```
//!
//! [`Tty`] is the shared heart; [`Discipline`](discipline::Discipline) is its pure line editor; [`Port`] is where output goes.
//! `job` keeps background processes in their place, `ioctl` speaks ioctl_tty(2), `pty` pairs a master with a [`Tty`], `devpts`
//! shows the slaves as files, `console` drives the machine's own.
//!
//! Locks: a terminal's `line` and `control`, spin locks of `Rank::Tty` that are never held together, nor while a signal is sent.

pub mod console;
pub mod devpts;
pub mod discipline;
mod ioctl;
mod job;
mod pty;
mod terminal;
pub mod termios;

pub use terminal::{Port, Tty};
