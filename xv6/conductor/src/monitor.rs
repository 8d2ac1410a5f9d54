//! The process beside a container: starts the stage, carries its stdio, keeps its log, learns its exit status.
//!
//! `run` in the foreground and `exec` are their own monitors; `run -d` starts one that outlives it. Signals that come to the monitor go
//! on to the container's process; one that an init would not even notice (it has no handler) ends it instead.

use crate::error::{Context, Failure, OWN, Result};
use crate::plan::{Place, Plan};
use crate::relay::{self, Streams};
use crate::{process, terminal};
use nix::sched::CloneFlags;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::pty::OpenptFlags;
use rustix::thread::ThreadNameSpaceType;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

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
    child: Child,
    /// Names the process for good.
    pub pidfd: OwnedFd,
    streams: Streams,
    wishes: Wishes,
}

/// Starts what `plan` says. When this returns, the command runs; otherwise the failure says why and nothing is left of it.
pub fn start(mut plan: Plan, wishes: Wishes) -> Result<Started> {
    match &plan.place {
        Place::New(_) => nix::sched::unshare(CloneFlags::CLONE_NEWPID).context("making a pid namespace")?,
        Place::Running { init } => {
            let init = process::pidfd(*init)?;
            rustix::thread::move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::PROCESS_ID)
                .context("entering the pid namespace")?;
        }
    }
    let terminal = if plan.command.tty { Some(open_terminal()?) } else { None };
    plan.terminal = terminal.as_ref().map(|(_, _, name)| name.clone());
    let (mut report, report_in) = std::io::pipe().context("making a pipe")?;
    rustix::io::fcntl_setfd(&report_in, FdFlags::empty()).context("making a pipe")?;
    let json = serde_json::to_string(&plan).map_err(|error| Failure::new(format!("stage: {error}")))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("stage").arg(json).arg(report_in.as_raw_fd().to_string());
    match &terminal {
        Some((_, slave, _)) => {
            for connect in [Command::stdin, Command::stdout, Command::stderr] {
                connect(&mut command, Stdio::from(slave.try_clone().context("the terminal")?));
            }
        }
        None => {
            command.stdin(if wishes.interactive { Stdio::piped() } else { Stdio::null() });
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
    }
    let mut child = command.spawn().context("starting a process")?;
    drop((command, report_in));
    let pidfd = process::pidfd(child.id())?;
    let mut text = String::new();
    report.read_to_string(&mut text).context("the stage's report")?;
    if !text.is_empty() || has_ended(&mut child)? {
        child.wait().context("waiting for the stage")?;
        return Err(parse_report(&text));
    }
    let streams = Streams {
        input: child.stdin.take().map(OwnedFd::from),
        output: child.stdout.take().map(OwnedFd::from),
        error: child.stderr.take().map(OwnedFd::from),
        terminal: terminal.map(|(master, _, _)| master),
    };
    Ok(Started { child, pidfd, streams, wishes })
}

/// An empty report also comes from a stage that was killed before it could say anything.
fn has_ended(child: &mut Child) -> Result<bool> {
    Ok(child.try_wait().context("waiting for the stage")?.is_some_and(|status| status.code() == Some(i32::from(OWN))))
}

/// The failure behind a report `STATUS MESSAGE`.
pub fn parse_report(text: &str) -> Failure {
    match text.trim_end().split_once(' ').and_then(|(status, message)| Some((status.parse().ok()?, message))) {
        Some((status, message)) => Failure::with_status(status, message),
        None => Failure::new("the container's first process ended before it could start the command"),
    }
}

/// A new terminal: (master, slave, the slave's path).
fn open_terminal() -> Result<(OwnedFd, OwnedFd, String)> {
    let what = "opening a terminal";
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).context(what)?;
    rustix::pty::unlockpt(&master).context(what)?;
    let name = rustix::pty::ptsname(&master, Vec::new()).context(what)?.to_string_lossy().into_owned();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&name, flags, Mode::empty()).context(&name)?;
    if let Some(size) = terminal::size() {
        rustix::termios::tcsetwinsize(&master, size).context(what)?;
    }
    Ok((master, slave, name))
}

impl Started {
    /// Host pid of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Carries stdio until the process has ended; what it writes also goes to `log`. Returns its exit status as a shell counts.
    pub fn attend(mut self, log: Option<File>) -> Result<u8> {
        let pid = self.pid();
        let ended_by = relay::run(&self.pidfd, pid, self.streams, self.wishes, log)?;
        let status = self.child.wait().context("waiting for the container")?;
        Ok(ended_by.map_or_else(|| exit_status(status), |signal| 128 + signal))
    }
}

/// The status as a shell counts: 128+n for signal n.
fn exit_status(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, signal) => 128u8.wrapping_add(signal.unwrap_or(0) as u8),
    }
}
