//! `harness debug`: a machine that waits for gdb before its first instruction.

use crate::cli::MachineOptions;
use crate::cli::relay::{describe_terminal, relay};
use clap::Args;
use harness::Failure;

/// Options of `debug`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
}

/// Boots, prints how to attach, and relays.
///
/// # Errors
/// What went wrong with the build or the machine.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let mut machine = describe_terminal(options.machine.machine("debug")?);
    // Not under build/: a socket's path may have 107 bytes only.
    let socket = std::env::temp_dir().join(format!("xv6-gdb-{}", std::process::id()));
    eprintln!("gdb {} -ex 'target remote {}'", machine.kernel.display(), socket.display());
    machine.gdb = Some(socket.clone());
    let done = relay(&machine);
    let _ = std::fs::remove_file(&socket);
    done
}
