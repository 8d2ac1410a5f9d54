//! `harness shell`: the guest's shell at this terminal.

use crate::cli::relay::{describe_terminal, relay};
use crate::cli::{MachineOptions, RecordOptions};
use clap::Args;
use harness::Failure;

/// Options of `shell`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    record: RecordOptions,
}

/// Boots and relays until the guest powers off or Ctrl-A X.
///
/// # Errors
/// What went wrong with the build or the machine.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let recording = options.record.begin()?;
    let machine = describe_terminal(options.machine.machine("shell")?);
    relay(&machine, recording, |_| ())
}
