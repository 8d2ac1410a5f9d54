//! `trap`: commands run when a signal arrives or the shell exits; and what a subshell does with its parent's signals.
//!
//! Key type: [`Traps`]. A trapped signal is caught (`user::raw`), remembered, and its command runs between two commands.

use std::collections::BTreeMap;

use rustix::process::Pid;

use user::raw::{Disposition, set_signal, take_caught};
use user::shell::syntax::Bytes;

use crate::shell::{Flow, Run, Shell};

/// The traps that are set, by signal; 0 is the exit of the shell.
#[derive(Debug, Default)]
pub struct Traps {
    commands: BTreeMap<i32, Bytes>,
    /// Signals that were ignored when this shell began: a script cannot trap them.
    ignored_at_start: Vec<i32>,
}

impl Traps {
    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The traps that are set, by signal.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Bytes)> {
        self.commands.iter().map(|(signal, command)| (*signal, command))
    }

    /// Sets (an empty command: ignore) or with `None` resets the trap of `signal`.
    pub fn set(&mut self, signal: i32, command: Option<Bytes>, interactive: bool) -> std::io::Result<()> {
        if signal != 0 {
            if self.ignored_at_start.contains(&signal) {
                return Ok(());
            }
            let disposition = match &command {
                Some(text) if text.is_empty() => Disposition::Ignore,
                Some(_) => Disposition::Catch,
                None => default_of(signal, interactive),
            };
            let known = self.commands.contains_key(&signal) || disposition_is_own(signal, interactive);
            let was_ignored = set_signal(signal, disposition)?;
            if was_ignored && !known && !interactive {
                self.ignored_at_start.push(signal);
                set_signal(signal, Disposition::Ignore)?;
                return Ok(());
            }
        }
        match command {
            Some(text) => self.commands.insert(signal, text),
            None => self.commands.remove(&signal),
        };
        Ok(())
    }

    /// A subshell keeps what is ignored and forgets the rest.
    fn reset_for_child(&mut self) {
        self.commands.retain(|signal, command| {
            let ignored = command.is_empty() && *signal != 0;
            if !ignored && *signal != 0 {
                // Fails for no signal that could be trapped before.
                let _ = set_signal(*signal, Disposition::Default);
                // What arrived before the fork is the parent's.
                take_caught(*signal);
            }
            ignored
        });
    }

    fn is_set(&self, signal: i32) -> bool {
        self.commands.contains_key(&signal)
    }
}

/// What `signal` does in this shell without a trap.
fn default_of(signal: i32, interactive: bool) -> Disposition {
    match signal {
        libc::SIGINT if interactive => Disposition::Catch,
        libc::SIGQUIT | libc::SIGTERM if interactive => Disposition::Ignore,
        _ => Disposition::Default,
    }
}

/// Whether the shell itself set what `signal` does.
fn disposition_is_own(signal: i32, interactive: bool) -> bool {
    interactive && default_of(signal, true) != Disposition::Default || signal == libc::SIGPIPE
}

impl Shell {
    /// An interactive shell outlives Ctrl-C, Ctrl-\ and `kill`.
    pub fn set_interactive_signals(&self) {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            // All three can be set.
            let _ = set_signal(signal, default_of(signal, true));
        }
    }

    /// Runs the commands of signals that have arrived.
    pub fn run_traps(&mut self) -> Result<(), Flow> {
        self.check_interrupt()?;
        if self.traps.is_empty() {
            return Ok(());
        }
        let arrived: Vec<Bytes> = self
            .traps
            .iter()
            .filter(|(signal, _)| *signal > 0 && take_caught(*signal))
            .map(|(_, text)| text.clone())
            .collect();
        for command in arrived {
            let status = self.status;
            self.called(|shell| shell.run_text(&command, false))?;
            self.status = status;
        }
        Ok(())
    }

    /// Ctrl-C at an interactive shell ends what it runs.
    pub fn check_interrupt(&mut self) -> Result<(), Flow> {
        let interrupted = self.options.interactive && !self.traps.is_set(libc::SIGINT) && take_caught(libc::SIGINT);
        if interrupted {
            eprintln!(); // the terminal has shown ^C
            return Err(Flow::Interrupt);
        }
        Ok(())
    }

    /// The first trapped signal that has arrived and was not yet acted on.
    pub fn arrived_signal(&self) -> Option<i32> {
        let interrupt = self.options.interactive && user::raw::is_caught(libc::SIGINT);
        let trapped =
            self.traps.iter().map(|(signal, _)| signal).find(|signal| *signal > 0 && user::raw::is_caught(*signal));
        trapped.or(interrupt.then_some(libc::SIGINT))
    }

    /// Runs the `EXIT` trap, if there is one; returns the shell's last status.
    pub fn run_exit_trap(&mut self, status: i32) -> i32 {
        let Some(command) = self.traps.commands.remove(&0) else { return status };
        self.status = status;
        match self.run_text(&command, false) {
            Err(Flow::Exit(status)) => status,
            Ok(_) | Err(Flow::Return(_) | Flow::Break(_) | Flow::Continue(_) | Flow::Interrupt) => status,
            Err(flow) => self.settle(Err(flow)),
        }
    }

    /// Makes this forked process a subshell. `group`: `None` stays in the shell's process group, `Some(None)` begins one,
    /// `Some(Some(g))` joins `g`; in the `foreground` the group gets the terminal.
    pub fn enter_child(&mut self, group: Option<Option<Pid>>, foreground: bool) {
        if let Some(group) = group {
            // Fails only if the parent has done it already.
            let _ = rustix::process::setpgid(None, group);
            if foreground {
                self.jobs.give_terminal(rustix::process::getpgrp());
            }
        }
        let mut signals = Vec::new();
        if self.options.interactive {
            signals.extend([libc::SIGINT, libc::SIGQUIT, libc::SIGTERM]);
        }
        if self.options.monitor {
            signals.extend([libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU]);
        }
        for signal in signals {
            if !self.traps.is_set(signal) {
                let _ = set_signal(signal, Disposition::Default);
            }
        }
        self.traps.reset_for_child();
        self.jobs.forget();
        self.options.interactive = false;
        self.options.monitor = false;
        self.child = true;
    }

    /// A background command without job control reads nothing and is not interrupted.
    pub fn detach_background(&self) {
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            let _ = set_signal(signal, Disposition::Ignore);
        }
        if let Ok(null) = std::fs::File::open("/dev/null") {
            // At worst the command reads the shell's input.
            let _ = rustix::stdio::dup2_stdin(&null);
        }
    }

    /// Ends a subshell.
    pub fn leave_child(&mut self, flow: Run) -> ! {
        let status = self.settle(flow);
        let status = self.run_exit_trap(status);
        std::process::exit(status & 0xff)
    }
}
