//! The process beside a container: forks the stage, carries its stdio, keeps its log, learns its exit status.
//!
//! `run` in the foreground and `exec` are their own monitors; `run -d` starts one that outlives it. Signals that come to the monitor go
//! on to the container's process; one that an init would not even notice (it has no handler) ends it instead.

use crate::error::{Context, Failure, Result};
use crate::plan::{Place, Plan};
use crate::pty::{self, Request};
use crate::relay::{self, Streams};
use crate::{process, stage};
use ::user::raw::{Forked, fork};
use nix::sched::CloneFlags;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, WaitOptions, WaitStatus};
use rustix::thread::ThreadNameSpaceType;
use std::fs::File;
use std::io::Read;

/// What the caller wants of the process's stdio.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Pass our standard input on.
    pub interactive: bool,
    /// Show what it writes on our standard output and error.
    pub attached: bool,
}

/// A process that was started inside a container.
pub struct Started {
    child: Pid,
    /// Names the process for good.
    pub pidfd: OwnedFd,
    streams: Streams,
    wishes: Wishes,
}

/// Starts what `plan` says. When this returns, the command runs; otherwise the failure says why and nothing is left of it.
pub fn start(plan: Plan, wishes: Wishes) -> Result<Started> {
    match &plan.place {
        Place::New(_) => nix::sched::unshare(CloneFlags::CLONE_NEWPID).context("making a pid namespace")?,
        Place::Running { init } => {
            let init = process::pidfd(*init)?;
            rustix::thread::move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::PROCESS_ID)
                .context("entering the pid namespace")?;
        }
    }
    let (ends, mut streams, terminal) = if plan.command.tty {
        let (request, answer) = pty::pair()?;
        (Ends::Terminal(request), Streams::default(), Some(answer))
    } else {
        let (stdio, streams) = pipe_stdio(wishes)?;
        (Ends::Pipes(stdio), streams, None)
    };
    let (mut report, report_in) = std::io::pipe().context("making a pipe")?;
    let child = match fork().context("starting a process")? {
        Forked::Child => {
            drop(terminal);
            stage::run(&plan, ends, report_in)
        }
        Forked::Parent(child) => child,
    };
    drop((ends, report_in));
    let pidfd = process::pidfd(child.as_raw_nonzero().get().unsigned_abs())?;
    if let Some(terminal) = terminal {
        streams.terminal = terminal.give(child)?;
    }
    let mut text = String::new();
    report.read_to_string(&mut text).context("the stage's report")?;
    if !text.is_empty() {
        wait(child)?;
        return Err(parse_report(&text));
    }
    Ok(Started { child, pidfd, streams, wishes })
}

fn wait(child: Pid) -> Result<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for the container"),
        }
    }
}

/// What becomes the process's standard input, output and error.
pub enum Ends {
    /// Pipes.
    Pipes(Stdio),
    /// A terminal, once the container has one.
    Terminal(Request),
}

/// The process's ends of its standard input, output and error.
pub struct Stdio {
    /// Standard input.
    pub input: OwnedFd,
    /// Standard output.
    pub output: OwnedFd,
    /// Standard error.
    pub error: OwnedFd,
}

/// Pipes, or nothing to read for a process whose input nobody gives.
fn pipe_stdio(wishes: Wishes) -> Result<(Stdio, Streams)> {
    let pipe = || std::io::pipe().context("making a pipe");
    let (input, our_input) = if wishes.interactive {
        let (theirs, ours) = pipe()?;
        (OwnedFd::from(theirs), Some(OwnedFd::from(ours)))
    } else {
        (
            rustix::fs::openat(CWD, "/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .context("/dev/null")?,
            None,
        )
    };
    let ((our_output, output), (our_error, error)) = (pipe()?, pipe()?);
    let streams =
        Streams { input: our_input, output: Some(our_output.into()), error: Some(our_error.into()), terminal: None };
    Ok((Stdio { input, output: output.into(), error: error.into() }, streams))
}

/// The failure behind a report `STATUS MESSAGE`.
pub fn parse_report(text: &str) -> Failure {
    match text.trim_end().split_once(' ').and_then(|(status, message)| Some((status.parse().ok()?, message))) {
        Some((status, message)) => Failure::with_status(status, message),
        None => Failure::new("the container's first process ended before it could start the command"),
    }
}

impl Started {
    /// Host pid of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_raw_nonzero().get().unsigned_abs()
    }

    /// Carries stdio until the process has ended; what it writes also goes to `log`. Returns its exit status as a shell counts.
    pub fn attend(self, log: Option<File>) -> Result<u8> {
        let pid = self.pid();
        let ended_by = relay::run(&self.pidfd, pid, self.streams, self.wishes, log)?;
        let status = wait(self.child)?;
        Ok(ended_by.map_or_else(|| exit_status(status), |signal| 128 + signal))
    }
}

/// The status as a shell counts: 128+n for signal n.
fn exit_status(status: WaitStatus) -> u8 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code as u8,
        (None, signal) => 128u8.wrapping_add(signal.unwrap_or(0) as u8),
    }
}
