//! A container's terminal: a pair of the container's own devpts, so that the terminal has a name inside (`tty` says `/dev/pts/0`, as under Docker).
//!
//! ```text
//!   stage                                      monitor
//!   is in the container's root
//!   writes a byte  ------------------------>   opens ptmx of the stage's root, keeps the master
//!   opens what is named, as its stdio  <----   writes the terminal's path
//! ```
//! The monitor's side trusts nothing it finds there: no link leads it out of the container's root, and what is no `ptmx` is refused. A side that
//! ends closes its pipes, and the other goes on: the stage to fail, the monitor to read its report.

use crate::error::{Context, Failure, Result};
use crate::{process, terminal};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::process::Pid;
use std::io::{PipeReader, PipeWriter, Read, Write};

const WHAT: &str = "opening a terminal";

/// The stage's side.
pub struct Request {
    ready: PipeWriter,
    name: PipeReader,
}

/// The monitor's side.
pub struct Answer {
    ready: PipeReader,
    name: PipeWriter,
}

/// Both sides. After the fork each process keeps one.
pub fn pair() -> Result<(Request, Answer)> {
    let ((ready_out, ready), (name, name_in)) = (std::io::pipe().context(WHAT)?, std::io::pipe().context(WHAT)?);
    Ok((Request { ready, name }, Answer { ready: ready_out, name: name_in }))
}

impl Request {
    /// Takes a new terminal as standard input, output and error, from within the container's root. Returns its path there.
    pub fn take(self) -> Result<String> {
        let Request { mut ready, mut name } = self;
        ready.write_all(b".").context(WHAT)?;
        let mut path = String::new();
        name.read_to_string(&mut path).context(WHAT)?;
        if path.is_empty() {
            return Err(Failure::new("the container's /dev/pts makes no terminals"));
        }
        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
        let slave = slave.context(&path)?;
        process::take_stdio(&slave, &slave, &slave)?;
        Ok(path)
    }
}

impl Answer {
    /// Makes the terminal that the stage `child` asks for, as large as ours, and returns the master. `None` if it did not come to ask, or its
    /// container has no terminals: its report says so.
    pub fn give(self, child: Pid) -> Result<Option<OwnedFd>> {
        let Answer { mut ready, mut name } = self;
        if ready.read(&mut [0]).context(WHAT)? == 0 {
            return Ok(None);
        }
        let root = format!("/proc/{}/root", child.as_raw_nonzero());
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(root) = rustix::fs::openat(CWD, root, directory, Mode::empty()) else { return Ok(None) };
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let Ok(master) = rustix::fs::openat2(root, "dev/pts/ptmx", flags, Mode::empty(), inside) else {
            return Ok(None);
        };
        let Ok(path) = rustix::pty::ptsname(&master, Vec::new()) else { return Ok(None) };
        rustix::pty::unlockpt(&master).context(WHAT)?;
        if let Some(size) = terminal::size() {
            rustix::termios::tcsetwinsize(&master, size).context(WHAT)?;
        }
        // A stage that is gone has said why, or was killed.
        let _ = name.write_all(path.as_bytes());
        Ok(Some(master))
    }
}
