//! Jobs: the children of the shell by process group, waiting for them, and who has the terminal.
//!
//! Key types: [`Jobs`], [`Job`]. All waiting for any child goes through [`Jobs::reap`], so that no status is lost.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::termios::{OptionalActions, Termios};

use user::raw::{Disposition, set_signal};
use user::shell::syntax::Bytes;

use crate::shell::{Flow, Run, Shell};

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// A signal stopped it.
    Stopped(i32),
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
}

impl State {
    /// The value of `$?` that it gives.
    pub fn status(self) -> i32 {
        match self {
            Self::Running => 0,
            Self::Exited(status) => status,
            Self::Stopped(signal) | Self::Killed(signal) => 128 + signal,
        }
    }

    fn of(status: WaitStatus) -> Self {
        if let Some(signal) = status.stopping_signal() {
            Self::Stopped(signal)
        } else if let Some(signal) = status.terminating_signal() {
            Self::Killed(signal)
        } else {
            Self::Exited(status.exit_status().unwrap_or(0))
        }
    }
}

/// A pipeline or a background list.
#[derive(Debug)]
pub struct Job {
    /// Its number, for `%N`.
    pub number: usize,
    /// Its process group under job control.
    pub group: Option<Pid>,
    /// Its processes, the last one's status counts.
    pub processes: Vec<(Pid, State)>,
    /// Its source.
    pub text: Bytes,
    /// Whether the shell told (or need not tell) of its present state.
    pub told: bool,
    /// Ended by `&`, or stopped.
    pub background: bool,
}

impl Job {
    /// Running if any process is, else stopped if any is, else the end of the last one.
    pub fn state(&self) -> State {
        let states = || self.processes.iter().map(|(_, state)| *state);
        let stopped = states().find(|state| matches!(state, State::Stopped(_)));
        let last = || states().next_back().unwrap_or(State::Exited(0));
        if states().any(|state| state == State::Running) { State::Running } else { stopped.unwrap_or_else(last) }
    }

    /// Whether nothing of it is left.
    pub fn is_done(&self) -> bool {
        self.processes.iter().all(|(_, state)| matches!(state, State::Exited(_) | State::Killed(_)))
    }

    /// The line of `jobs` and of the notice before a prompt.
    pub fn line(&self, current: bool) -> String {
        let state = match self.state() {
            State::Running => "Running".to_owned(),
            State::Stopped(_) => "Stopped".to_owned(),
            State::Exited(0) => "Done".to_owned(),
            State::Exited(status) => format!("Done({status})"),
            State::Killed(signal) => user::signals::text(signal),
        };
        let mark = if current { '+' } else { ' ' };
        format!("[{}]{mark} {state:<20} {}", self.number, String::from_utf8_lossy(&self.text))
    }
}

/// The shell's jobs, oldest first, and its terminal.
#[derive(Default)]
pub struct Jobs {
    list: Vec<Job>,
    terminal: Option<OwnedFd>,
    /// The terminal's modes as the last well-behaved command left them.
    modes: Option<Termios>,
}

/// How many ended background jobs a script's shell remembers for `wait`.
const MAX_DONE: usize = 1000;

impl Jobs {
    /// Adds a job; returns its number.
    pub fn add(&mut self, children: &[Pid], group: Option<Pid>, text: impl AsRef<[u8]>, background: bool) -> usize {
        if self.list.len() > MAX_DONE
            && let Some(oldest) = self.list.iter().position(Job::is_done)
        {
            self.list.remove(oldest);
        }
        let number = self.list.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        let processes = children.iter().map(|pid| (*pid, State::Running)).collect();
        self.list.push(Job { number, group, processes, text: text.as_ref().to_vec(), told: false, background });
        number
    }

    /// All jobs, oldest first.
    pub fn list(&self) -> &[Job] {
        &self.list
    }

    /// The job with this number.
    pub fn get(&mut self, number: usize) -> Option<&mut Job> {
        self.list.iter_mut().find(|job| job.number == number)
    }

    /// Takes the job with this number off the table.
    pub fn remove(&mut self, number: usize) {
        self.list.retain(|job| job.number != number);
    }

    /// The job that `%word`, `%N`, `%%`, `%+`, `%-` or a pid means.
    pub fn find(&mut self, word: &[u8]) -> Option<&mut Job> {
        let Some(name) = word.strip_prefix(b"%") else {
            let pid: i32 = str::from_utf8(word).ok()?.parse().ok()?;
            return self
                .list
                .iter_mut()
                .find(|job| job.processes.iter().any(|(child, _)| child.as_raw_nonzero().get() == pid));
        };
        let number = match name {
            b"" | b"%" | b"+" => self.current()?,
            b"-" => self.list.iter().rev().filter(|job| job.background).nth(1)?.number,
            _ => match str::from_utf8(name).ok()?.parse() {
                Ok(number) => number,
                Err(_) => self.list.iter().find(|job| job.text.starts_with(name))?.number,
            },
        };
        self.get(number)
    }

    /// The number of the current job: the last one stopped, else the last one in the background.
    pub fn current(&self) -> Option<usize> {
        let stopped = self.list.iter().rev().find(|job| matches!(job.state(), State::Stopped(_)));
        stopped.or_else(|| self.list.iter().rev().find(|job| job.background)).map(|job| job.number)
    }

    /// Waits for any child to change (or with `block` false, looks), and notes what it did; `Ok(false)` if nothing changed.
    pub fn reap(&mut self, block: bool) -> Result<bool, Errno> {
        let mut options = WaitOptions::UNTRACED;
        options.set(WaitOptions::NOHANG, !block);
        match rustix::process::wait(options) {
            Ok(Some((pid, status))) => {
                self.note(pid, State::of(status));
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(Errno::CHILD) if block => {
                // Somebody else reaped them: their status is not known.
                for (_, state) in self.list.iter_mut().flat_map(|job| &mut job.processes) {
                    if matches!(state, State::Running | State::Stopped(_)) {
                        *state = State::Exited(127);
                    }
                }
                Ok(true)
            }
            Err(Errno::CHILD) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, pid: Pid, state: State) {
        for job in &mut self.list {
            if let Some(process) = job.processes.iter_mut().find(|(child, _)| *child == pid) {
                process.1 = state;
                job.told = false;
            }
        }
    }

    /// Waits for one child that is no job: a command substitution. Returns its status.
    pub fn wait_child(&mut self, child: Pid) -> i32 {
        loop {
            match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
                Ok(Some((_, status))) => return State::of(status).status(),
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return 127,
            }
        }
    }

    /// Forgets everything, in a forked subshell.
    pub fn forget(&mut self) {
        self.list.clear();
        self.terminal = None;
    }

    /// Starts job control: waits until the shell is in the foreground, then makes it a group of its own. `false` if there is no
    /// terminal to control.
    pub fn start_control(&mut self) -> bool {
        let Ok(terminal) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 10) else { return false };
        loop {
            match rustix::termios::tcgetpgrp(&terminal) {
                Ok(group) if group == rustix::process::getpgrp() => break,
                // In the background: stop until somebody brings the shell to the front.
                Ok(_) if rustix::process::kill_current_process_group(Signal::TTIN).is_ok() => {}
                _ => return false,
            }
        }
        for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            // All three can be ignored.
            let _ = set_signal(signal, Disposition::Ignore);
        }
        // A session's leader is a group's leader already, and may not change.
        let _ = rustix::process::setpgid(None, None);
        self.modes = rustix::termios::tcgetattr(&terminal).ok();
        self.terminal = Some(terminal);
        self.give_terminal(rustix::process::getpgrp());
        true
    }

    /// Makes `group` the terminal's foreground group.
    pub fn give_terminal(&self, group: Pid) {
        if let Some(terminal) = &self.terminal {
            // Fails if the group has already ended, which then needs no terminal.
            let _ = rustix::termios::tcsetpgrp(terminal, group);
        }
    }

    /// Takes the terminal back; a command that ended badly does not leave its modes behind.
    fn take_terminal(&mut self, state: State) {
        let Some(terminal) = &self.terminal else { return };
        self.give_terminal(rustix::process::getpgrp());
        match (state, &self.modes) {
            (State::Exited(_), _) => self.modes = rustix::termios::tcgetattr(terminal).ok(),
            (_, Some(modes)) => {
                // At worst the person types `stty sane`.
                let _ = rustix::termios::tcsetattr(terminal, OptionalActions::Drain, modes);
            }
            _ => {}
        }
    }
}

impl Shell {
    /// Waits until the job ends or stops; its status. A stopped job stays on the table.
    pub fn wait_foreground(&mut self, number: usize) -> Run {
        if let Some(group) = self.jobs.get(number).and_then(|job| job.group) {
            self.jobs.give_terminal(group);
        }
        let state = loop {
            let Some(job) = self.jobs.get(number) else { return Ok(127) };
            match job.state() {
                // A signal's trap runs when the command has ended.
                State::Running => drop(self.jobs.reap(true)),
                state => break state,
            }
        };
        self.jobs.take_terminal(state);
        let mut status = state.status();
        if self.options.pipefail
            && let Some(job) = self.jobs.get(number)
        {
            status =
                job.processes.iter().rev().map(|(_, state)| state.status()).find(|status| *status != 0).unwrap_or(0);
        }
        match state {
            State::Stopped(_) => {
                if let Some(job) = self.jobs.get(number) {
                    job.background = true;
                    job.told = true;
                    let line = job.line(true);
                    eprintln!("\n{line}");
                }
            }
            State::Killed(signal) => {
                self.jobs.remove(number);
                if signal == libc::SIGINT {
                    if self.options.interactive {
                        eprintln!();
                        return Err(Flow::Interrupt);
                    }
                } else if signal != libc::SIGPIPE && !self.child {
                    eprintln!("{}", user::signals::text(signal));
                }
            }
            _ => self.jobs.remove(number),
        }
        self.status = status;
        Ok(status)
    }

    /// Tells a person of background jobs that ended or stopped, before a prompt.
    pub fn tell_jobs(&mut self) {
        while let Ok(true) = self.jobs.reap(false) {}
        let current = self.jobs.current();
        let mut done = Vec::new();
        for job in &mut self.jobs.list {
            let news = job.state() != State::Running && !job.told;
            if news && self.options.interactive {
                eprintln!("{}", job.line(current == Some(job.number)));
                job.told = true;
                if job.is_done() {
                    done.push(job.number);
                }
            }
        }
        for number in done {
            self.jobs.remove(number);
        }
    }
}
