//! relay: a person's terminal and a machine's console, joined.
//!
//! [`relay`] puts the terminal into raw mode, copies both ways until the machine ends or the person types Ctrl-A X, and
//! restores the terminal on every way out. Ctrl-A B shows every CPU's call stack. Without a terminal (a pipe, a file) it works too: the input's end is typed as
//! Ctrl-D, and line ends come out as a host program expects them.

use harness::{Ending, Failure, Line, Machine, Process, Recording, Tee, decode, panic_report, spawn};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Ctrl-A, which begins a command to the relay.
const ESCAPE: u8 = 0x01;
/// Ctrl-D, which ends a terminal's input.
const END_OF_INPUT: u8 = 0x04;
/// Longer than any machine runs.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The terminal in raw mode, until dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> Option<Self> {
        let old = tcgetattr(stdin()).ok().filter(|_| isatty(stdin()))?;
        let mut raw = old.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Flush, &raw).ok()?;
        Some(Self(old))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Tells the guest about this terminal: its kind and its size.
pub fn describe_terminal(machine: Machine) -> Machine {
    let machine = machine.option(format!("env.TERM={}", terminal_kind()));
    match terminal_size() {
        Some((columns, rows)) => machine.option(format!("winsize={rows}x{columns}")),
        None => machine,
    }
}

/// Whether a person sits at this terminal.
fn is_terminal() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// What this terminal is (`TERM`).
pub fn terminal_kind() -> String {
    std::env::var("TERM").ok().filter(|_| is_terminal()).unwrap_or_else(|| "dumb".into())
}

/// Columns and rows of this terminal, if it is one.
pub fn terminal_size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdout()).ok().filter(|_| is_terminal())?;
    (size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Boots `machine` at this terminal, keeps what it shows, and calls `started` once QEMU runs. Gives the machine's exit status, or 0
/// after Ctrl-A X.
///
/// # Errors
/// `Setup`, or what else ended the machine.
pub fn relay(machine: &Machine, recording: Option<Recording>, started: impl FnOnce(&Process)) -> Result<u8, Failure> {
    let process = spawn(machine)?;
    // Before the terminal becomes raw: it may print.
    started(&process);
    let terminal = RawTerminal::enter();
    let raw = terminal.is_some();
    let sharing = |e| Failure::setup("share the console's stream", e);
    let crlf = stdout().is_terminal();
    let console = Tee::new(process.console.try_clone().map_err(sharing)?, &process.wire, Line::Console);
    let mut lines = LineEnds::default();
    let shown = recording.clone();
    console.drain(move |piece| {
        shown.iter().for_each(|recording| recording.output(piece));
        if crlf { show(piece) } else { show(&lines.undo(piece)) }
    });
    let serial = Tee::new(process.serial.try_clone().map_err(sharing)?, &process.wire, Line::Serial);
    serial.drain(move |piece| {
        recording.iter().for_each(|recording| recording.output(&to_terminal(piece)));
        let _ = std::io::stderr().write_all(&if raw { to_terminal(piece) } else { piece.to_vec() });
    });
    let process = Arc::new(process);
    let left = Arc::new(AtomicBool::new(false));
    let (typist, leaving) = (Arc::clone(&process), Arc::clone(&left));
    std::thread::spawn(move || {
        if type_input(&typist, raw) {
            leaving.store(true, Ordering::SeqCst);
            typist.kill();
        }
    });
    process.wire.wait(FOREVER, |heard| heard.ended().then_some(()));
    drop(terminal);
    if left.load(Ordering::SeqCst) {
        eprintln!();
        return Ok(0);
    }
    outcome(machine, &process)
}

/// The exit status of a machine that has ended.
///
/// # Errors
/// Any end but a power-off or an exit.
pub fn outcome(machine: &Machine, process: &Process) -> Result<u8, Failure> {
    let heard = process.wire.heard();
    let log = String::from_utf8_lossy(&heard.serial).into_owned();
    let ending = heard.gone.as_ref().map(|gone| decode(gone, &heard.serial));
    drop(heard);
    let evidence = process.evidence("the machine to end by itself", false);
    match ending {
        Some(Ending::Exit(status)) => Ok(status),
        Some(Ending::NoBoot(cause)) => Err(Failure::BootFailed { cause, evidence }),
        Some(Ending::Panic) => Err(Failure::Panic { report: panic_report(&machine.kernel, &log), evidence }),
        Some(Ending::Reset) => Err(Failure::Reboot(evidence)),
        Some(Ending::Qemu(cause)) => Err(Failure::BootFailed { cause, evidence }),
        None => Err(Failure::BootFailed { cause: "QEMU is gone".into(), evidence }),
    }
}

/// Copies what is typed to the console; true when the person wants to leave.
fn type_input(process: &Process, raw: bool) -> bool {
    let mut console = &process.console;
    let mut escaped = false;
    let mut last = b'\n';
    let mut piece = [0; 1024];
    loop {
        let n = match stdin().lock().read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => n,
        };
        let mut typed = Vec::with_capacity(n);
        for byte in piece[..n].iter().copied() {
            match (raw, escaped, byte) {
                (true, false, ESCAPE) => escaped = true,
                (true, true, b'x' | b'X') => return true,
                (true, true, b'b' | b'B') => {
                    show(&to_terminal(format!("\n{}", process.stacks()).as_bytes()));
                    escaped = false;
                }
                (true, true, byte) => {
                    // Ctrl-A twice is one for the guest; any other pair goes through as typed.
                    typed.extend((byte != ESCAPE).then_some(ESCAPE));
                    typed.push(byte);
                    escaped = false;
                }
                _ => typed.push(byte),
            }
        }
        last = typed.last().copied().unwrap_or(last);
        if console.write_all(&typed).is_err() {
            return false;
        }
    }
    // Ctrl-D ends the input only at the beginning of a line.
    let end: &[u8] = if last == b'\n' { &[END_OF_INPUT] } else { &[b'\n', END_OF_INPUT] };
    let _ = console.write_all(end);
    false
}

/// Puts `bytes` on standard output at once. A reader that went away is no reason to stop the machine.
pub fn show(bytes: &[u8]) {
    let mut out = stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// The kernel's log for a raw terminal, which wants a carriage return before each line feed.
pub fn to_terminal(piece: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len() + 8);
    for byte in piece {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// Undoes the guest terminal's translation of each `\n` to `\r\n`, exactly, across pieces.
#[derive(Debug, Default)]
pub struct LineEnds {
    held: bool,
}

impl LineEnds {
    /// The next piece, as the guest's program wrote it. A `\r` at its end is held back until the next piece.
    pub fn undo(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len() + 1);
        for byte in piece.iter().copied() {
            if std::mem::take(&mut self.held) && byte != b'\n' {
                out.push(b'\r');
            }
            match byte {
                b'\r' => self.held = true,
                byte => out.push(byte),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{LineEnds, to_terminal};

    #[test]
    fn line_ends_are_undone_across_pieces() {
        let mut ends = LineEnds::default();
        let mut out = ends.undo(b"a\r");
        out.extend(ends.undo(b"\nb\r\r\nc\rd"));
        assert_eq!(out, b"a\nb\r\nc\rd");
    }

    #[test]
    fn the_log_is_fit_for_a_raw_terminal() {
        assert_eq!(to_terminal(b"a\nb\r\n"), b"a\r\nb\r\n");
    }
}
