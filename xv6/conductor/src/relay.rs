//! The poll loop between a container's streams and ours: bytes both ways, signals in, until the process has ended.

use crate::error::{Context, Result};
use crate::monitor::Wishes;
use crate::{process, terminal};
use ::user::raw::{Disposition, set_signal, take_caught};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Signal;
use std::fs::File;
use std::io::Write;

/// Our ends of a container's stdio.
#[derive(Default)]
pub struct Streams {
    /// Its standard input.
    pub input: Option<OwnedFd>,
    /// Its standard output.
    pub output: Option<OwnedFd>,
    /// Its standard error.
    pub error: Option<OwnedFd>,
    /// The master side of its terminal, instead of the three.
    pub terminal: Option<OwnedFd>,
}

const PASSED_ON: [Signal; 6] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];

/// What the loop looks at: the signals passed on, and the terminal's size.
fn watched() -> impl Iterator<Item = Signal> {
    PASSED_ON.into_iter().chain([Signal::WINCH])
}

/// Has those signals caught, and only while ppoll(2) waits: none comes between a look at them and the wait. Returns the mask for the wait.
fn catch_signals() -> Result<SigSet> {
    let what = "catching signals";
    let mut blocked = SigSet::empty();
    for signal in watched() {
        blocked.add(nix::sys::signal::Signal::try_from(signal.as_raw()).context(what)?);
    }
    let mut open = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut open)).context(what)?;
    for signal in watched() {
        set_signal(signal.as_raw(), Disposition::Catch).context(what)?;
    }
    Ok(open)
}

/// Relays until the process behind `pidfd` has ended and its output is drained. If a signal to us had to end it, returns that
/// signal's number.
pub fn run(
    pidfd: &OwnedFd,
    pid: u32,
    mut streams: Streams,
    wishes: Wishes,
    mut log: Option<File>,
) -> Result<Option<u8>> {
    let mask = catch_signals()?;
    let _raw = if wishes.attached && streams.terminal.is_some() { terminal::RawTerminal::enter() } else { None };
    let mut reading = wishes.interactive && wishes.attached;
    let mut pending: Vec<u8> = Vec::new();
    let mut ended_by = None;
    loop {
        let mut polled = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        let sources: Vec<BorrowedFd<'_>> =
            [&streams.output, &streams.error, &streams.terminal].into_iter().flatten().map(AsFd::as_fd).collect();
        polled.extend(sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)));
        let sink = streams.terminal.as_ref().or(streams.input.as_ref());
        let stdin = std::io::stdin();
        let first_input = polled.len();
        if let Some(sink) = sink {
            if !pending.is_empty() {
                polled.push(PollFd::new(sink.as_fd(), PollFlags::POLLOUT));
            } else if reading {
                polled.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
            }
        }
        let ready: Vec<bool> = match ppoll(&mut polled, None, Some(mask)) {
            Ok(_) => polled.iter().map(|fd| fd.any().unwrap_or(true)).collect(),
            Err(nix::errno::Errno::EINTR) => vec![false; polled.len()],
            Err(error) => return Err(error).context("polling"),
        };
        drop(polled);
        for signal in watched().filter(|signal| take_caught(signal.as_raw())) {
            ended_by = pass_on(signal, pidfd, pid, &streams)?.or(ended_by);
        }
        if ready.get(first_input) == Some(&true) {
            move_input(&mut streams, &mut pending, &mut reading)?;
        }
        let moved = move_output(&mut streams, wishes, &mut log, &ready[1..first_input])?;
        // The process has ended: what it wrote is in the pipes already, so one round that moves nothing is the end.
        if ready[0] && !moved {
            return Ok(ended_by);
        }
    }
}

fn pass_on(signal: Signal, pidfd: &OwnedFd, pid: u32, streams: &Streams) -> Result<Option<u8>> {
    if signal == Signal::WINCH {
        if let (Some(terminal), Some(size)) = (&streams.terminal, terminal::size()) {
            rustix::termios::tcsetwinsize(terminal, size).context("the terminal's size")?;
        }
        return Ok(None);
    }
    if process::catches(pid, signal) {
        process::send(pidfd, signal)?;
        return Ok(None);
    }
    process::send(pidfd, Signal::KILL)?;
    Ok(Some(signal.as_raw() as u8))
}

/// Moves a piece of our standard input to the container; at its end closes the container's, or types Ctrl-D.
fn move_input(streams: &mut Streams, pending: &mut Vec<u8>, reading: &mut bool) -> Result<()> {
    if pending.is_empty() {
        let mut buffer = [0; 4096];
        let count = match rustix::io::read(std::io::stdin(), &mut buffer) {
            Err(Errno::INTR | Errno::AGAIN) => return Ok(()),
            Err(_) => 0,
            Ok(count) => count,
        };
        if count == 0 {
            *reading = false;
            streams.input = None;
            if streams.terminal.is_some() {
                pending.push(4);
            }
        }
        pending.extend(&buffer[..count]);
    }
    let Some(sink) = streams.terminal.as_ref().or(streams.input.as_ref()) else { return Ok(()) };
    if pending.is_empty() {
        return Ok(());
    }
    // A pipe takes PIPE_BUF bytes whole once poll(2) has said that it takes any; a longer piece could block.
    let piece = pending.len().min(4096);
    match rustix::io::write(sink, &pending[..piece]) {
        Ok(count) => drop(pending.drain(..count)),
        Err(Errno::INTR | Errno::AGAIN) => {}
        Err(_) => {
            // The container closed its standard input: what was typed for it is lost, as in a pipeline.
            pending.clear();
            *reading = false;
            streams.input = None;
        }
    }
    Ok(())
}

/// Moves what is ready of the container's output. True if anything moved.
fn move_output(streams: &mut Streams, wishes: Wishes, log: &mut Option<File>, ready: &[bool]) -> Result<bool> {
    let mut moved = false;
    let mut ready = ready.iter();
    for (stream, is_error) in [(&mut streams.output, false), (&mut streams.error, true), (&mut streams.terminal, false)]
    {
        if stream.is_none() || ready.next() != Some(&true) {
            continue;
        }
        let mut buffer = [0; 16384];
        let count = match stream.as_ref().map(|source| rustix::io::read(source, &mut buffer)) {
            Some(Err(Errno::INTR | Errno::AGAIN)) | None => continue,
            Some(Err(_)) => 0, // EIO: the last user of the terminal is gone
            Some(Ok(count)) => count,
        };
        if count == 0 {
            *stream = None;
            continue;
        }
        moved = true;
        show(&buffer[..count], is_error, wishes);
        if let Some(file) = log
            && let Err(error) = file.write_all(&buffer[..count])
        {
            eprintln!("conductor: log: {}", crate::error::reason(&error));
            *log = None; // a full disk must not end the container
        }
    }
    Ok(moved)
}

fn show(bytes: &[u8], is_error: bool, wishes: Wishes) {
    if !wishes.attached {
        return;
    }
    // Our own reader may be gone (`conductor run ... | head`): the container goes on, as under Docker.
    let _ = if is_error {
        std::io::stderr().write_all(bytes)
    } else {
        std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush())
    };
}
