//! harness's command line: `shell`, `run`, `build`, `bench`, `profile`, `debug`.
//!
//! Exit status: the guest's own for `shell` and `run`; 125 when the harness or the machine failed (one line on stderr, and
//! for a machine its evidence); 2 for a bad command line.

mod cli;

use clap::{Parser, Subcommand};
use harness::{Artifacts, Failure};
use std::process::ExitCode;

/// The status of a failure of our own, as docker(1) has it.
const FAILED: u8 = 125;

/// Builds the guest, boots it in QEMU, and drives it.
#[derive(Debug, Parser)]
#[command(name = "harness", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boot to a shell at this terminal; Ctrl-A X leaves, Ctrl-A B shows the CPUs' call stacks
    Shell(cli::shell::Options),
    /// Boot, run one command, print its output, exit with its status
    Run(cli::run::Options),
    /// Build kernel, userland and disks
    Build,
    /// Measure the guest and print a table
    Bench(cli::bench::Options),
    /// Run one command and print where the kernel spent its time
    Profile(cli::profile::Options),
    /// Boot a machine that waits for gdb, with its shell at this terminal
    Debug(cli::debug::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Shell(options) => cli::shell::run(&options),
        Command::Run(options) => cli::run::run(&options),
        Command::Build => build(),
        Command::Bench(options) => cli::bench::run(&options),
        Command::Profile(options) => cli::profile::run(&options),
        Command::Debug(options) => cli::debug::run(&options),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("harness: {failure}");
            ExitCode::from(FAILED)
        }
    }
}

fn build() -> Result<u8, Failure> {
    let Artifacts { kernel, root, images } = Artifacts::build()?;
    for file in [kernel, root, images] {
        println!("{}", file.display());
    }
    Ok(0)
}
