//! guest: a booted machine with a shell at its console, and commands as function calls.
//!
//! [`Guest::boot`] waits for the prompt; [`Guest::run`] types one command and returns its [`Output`]. The command is framed
//! by two marks that the shell prints and the typed line only spells (with quotes in the middle), so that the terminal's
//! echo never matches. A guest dies with its value.

use crate::console::Console;
use crate::deadline;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::process;
use std::time::{Duration, Instant};

/// The last characters of the shell's prompt.
pub const PROMPT: &str = "# ";

/// What the shell asks for the rest of an unfinished line with (`PS2`), for a [`Guest`]: nothing else prints it.
const MORE: &str = "@more>";

/// What a command printed, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status as `$?` tells it.
    pub status: u8,
    /// Everything the command wrote to the console, line ends as `\n`.
    pub text: String,
}

/// A machine with a shell.
pub struct Guest {
    /// The console, for what [`Guest::run`] does not cover.
    pub console: Console,
    serial: u32,
    booted_in: Duration,
}

impl Guest {
    /// Boots `machine` and waits for the first prompt.
    ///
    /// # Errors
    /// `Setup`, `BootFailed`, `Timeout` after [`deadline::BOOT`], or what else ended the machine.
    pub fn boot(machine: &Machine) -> Result<Self, Failure> {
        let start = Instant::now();
        let machine = machine.clone().option(format!("env.PS2={MORE}"));
        let console = Console::new(process::spawn(&machine)?, &machine.kernel)?;
        let mut guest = Self { console, serial: 0, booted_in: Duration::ZERO };
        guest.prompt(deadline::BOOT)?;
        guest.booted_in = start.elapsed();
        Ok(guest)
    }

    /// The time from QEMU's start to the first prompt.
    pub fn booted_in(&self) -> Duration {
        self.booted_in
    }

    /// Waits for the shell's prompt.
    ///
    /// # Errors
    /// `Timeout` after `limit` (scaled), or the machine's end.
    pub fn prompt(&mut self, limit: Duration) -> Result<String, Failure> {
        self.console.expect(PROMPT, limit)
    }

    /// Runs `command` in the guest's shell.
    ///
    /// # Errors
    /// `Timeout` after [`deadline::COMMAND`], or the machine's end. A command that fails, or that the shell cannot read, is no error: see
    /// [`Output::status`].
    pub fn run(&mut self, command: &str) -> Result<Output, Failure> {
        self.run_within(command, deadline::COMMAND)
    }

    /// [`Guest::run`] with a limit of its own.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn run_within(&mut self, command: &str, limit: Duration) -> Result<Output, Failure> {
        self.serial += 1;
        let n = self.serial;
        let command = command.trim();
        // `a &` is complete; any other command needs a separator.
        let separator = if command.ends_with('&') && !command.ends_with("&&") { "" } else { ";" };
        self.console.send_line(&format!("echo @\"{n}<\"@; {command}{separator} echo @\"{n}>\"$?@"))?;
        let about = |failure| name_command(failure, command);
        // A line that the shell cannot read is not begun, nor one that it waits for the rest of.
        let begun = format!("@{n}<@\r\n");
        let refused = r"\nsh: line [0-9]+: syntax error[^\r\n]*\r\n";
        let wanted = format!("{begun}|{refused}|{MORE}");
        let mut lines = command.lines().count();
        let answer = loop {
            let (_, answer) = self.console.expect_regex(&wanted, limit).map_err(about)?;
            if answer != MORE {
                break answer;
            }
            lines = lines.saturating_sub(1);
            if lines == 0 {
                self.console.send_control('c').map_err(about)?;
                self.prompt(limit).map_err(about)?;
                return Ok(Output { status: SYNTAX_ERROR, text: "sh: the command is not finished\n".into() });
            }
        };
        if answer != begun {
            self.prompt(limit).map_err(about)?;
            return Ok(Output { status: SYNTAX_ERROR, text: answer.trim_start().replace("\r\n", "\n") });
        }
        let text = self.console.expect(&format!("@{n}>"), limit).map_err(about)?;
        let status = self.console.expect("@", limit).map_err(about)?;
        self.prompt(limit).map_err(about)?;
        let status =
            status.parse().map_err(|_| Failure::setup(format_args!("exit status {status:?}"), "not a number"))?;
        Ok(Output { status, text: text.replace("\r\n", "\n") })
    }

    /// Runs `command` and takes its text; any status but 0 fails.
    ///
    /// # Errors
    /// As [`Guest::run`]; `Setup` with the command's text when its status is not 0.
    pub fn ok(&mut self, command: &str) -> Result<String, Failure> {
        let output = self.run(command)?;
        if output.status != 0 {
            let cause = format!("status {}\n{}", output.status, output.text.trim_end());
            return Err(Failure::setup(format_args!("guest command `{command}`"), cause));
        }
        Ok(output.text)
    }

    /// Powers the machine off and waits for its end.
    ///
    /// # Errors
    /// `Timeout`, or any end but a clean power-off.
    pub fn power_off(mut self) -> Result<(), Failure> {
        self.console.send_line("poweroff")?;
        match self.console.expect_end(deadline::COMMAND)? {
            (0, _) => Ok(()),
            (status, _) => Err(Failure::setup("power off", format_args!("status {status}"))),
        }
    }
}

/// The status of a line that the shell cannot read (POSIX, Shell Command Language, "Consequences of Shell Errors").
const SYNTAX_ERROR: u8 = 2;

/// Puts the command into what was awaited.
fn name_command(mut failure: Failure, command: &str) -> Failure {
    if let Failure::Timeout { evidence, .. }
    | Failure::Panic { evidence, .. }
    | Failure::BootFailed { evidence, .. }
    | Failure::Reboot(evidence)
    | Failure::Exit(_, evidence) = &mut failure
    {
        evidence.awaited = format!("{} of `{command}`", evidence.awaited);
    }
    failure
}
