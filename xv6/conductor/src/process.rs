//! Processes as `/proc` tells of them (proc(5)), waiting for one that is not our child, and what one has as its standard descriptors.

use crate::error::{Context, Failure, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::time::{Duration, Instant};

/// The start time of process `pid` in clock ticks since boot; `None` if there is none, or only its zombie.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Makes these the calling process's standard input, output and error.
pub fn take_stdio(input: &OwnedFd, output: &OwnedFd, error: &OwnedFd) -> Result<()> {
    dup2_stdin(input).context("standard input")?;
    dup2_stdout(output).context("standard output")?;
    dup2_stderr(error).context("standard error")
}

/// A descriptor that names process `pid` for good (pidfd_open(2)).
pub fn pidfd(pid: u32) -> Result<OwnedFd> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let number = number.ok_or_else(|| Failure::new(format!("{pid}: no such process")))?;
    pidfd_open(number, PidfdFlags::empty()).context(pid)
}

/// Sends `signal`; a process that is gone already is no failure.
pub fn send(process: &OwnedFd, signal: Signal) -> Result<()> {
    match rustix::process::pidfd_send_signal(process, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        result => result.context("sending a signal"),
    }
}

/// Waits for the process to end; false if `limit` passes first.
pub fn wait(process: &OwnedFd, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut polled = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error).context("waiting for a process"),
        }
    }
}

/// True if process `pid` has a handler for `signal`. An init without one does not even notice it (pid_namespaces(7)).
pub fn catches(pid: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (signal.as_raw() - 1)) != 0)
}
