//! `harness run`: one command in a fresh machine, as if it were a local one.
//!
//! The command travels on the kernel's command line, so no shell and no prompt are in the way; its output is the only thing
//! on standard output. It finds its input at an end.

use crate::cli::relay::{LineEnds, outcome, show, to_terminal};
use crate::cli::{MachineOptions, RecordOptions};
use clap::Args;
use harness::deadline::{RUN, scaled};
use harness::{Failure, Line, Tee, spawn};
use std::io::Write;
use std::time::Duration;

/// Options of `run`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    record: RecordOptions,
    /// Seconds until the machine is ended by force
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Show the kernel's log on standard error
    #[arg(long)]
    log: bool,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Boots, runs the command, prints its output; gives its status.
///
/// # Errors
/// What went wrong with the build or the machine.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let recording = options.record.begin()?;
    let machine = options.machine.machine("run")?.option("env.TERM=dumb").command(options.command.iter().cloned());
    let process = spawn(&machine)?;
    let sharing = |e| Failure::setup("share the console's stream", e);
    let console = Tee::new(process.console.try_clone().map_err(sharing)?, &process.wire, Line::Console);
    let mut lines = LineEnds::default();
    let shown = recording.clone();
    let printing = console.drain(move |piece| {
        shown.iter().for_each(|recording| recording.output(piece));
        show(&lines.undo(piece));
    });
    let serial = Tee::new(process.serial.try_clone().map_err(sharing)?, &process.wire, Line::Serial);
    let log = options.log;
    serial.drain(move |piece| {
        if log {
            recording.iter().for_each(|recording| recording.output(&to_terminal(piece)));
            let _ = std::io::stderr().write_all(piece);
        }
    });
    // Ctrl-D: whoever reads the terminal finds its end.
    let _ = (&process.console).write_all(&[4]);
    let limit = options.timeout.map_or(RUN, Duration::from_secs);
    let limit = scaled(limit);
    if process.wire.wait(limit, |heard| heard.ended().then_some(())).is_none() {
        let evidence = process.evidence(&format!("the end of `{}`", options.command.join(" ")), true);
        return Err(Failure::Timeout { after: limit, evidence });
    }
    let _ = printing.join();
    outcome(&machine, &process)
}
