//! `harness debug`: a machine that waits for gdb before its first instruction.

use crate::cli::relay::{describe_terminal, relay};
use crate::cli::{MachineOptions, RecordOptions};
use clap::Args;
use harness::{Failure, quote};
use std::path::{Path, PathBuf};

/// Options of `debug`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    record: RecordOptions,
}

/// gdb's socket, removed when dropped.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What begins the name of a socket; the harness's process id ends it.
const NAME: &str = "xv6-gdb-";

/// Boots, prints how to attach, and relays.
///
/// # Errors
/// What went wrong with the build or the machine.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let recording = options.record.begin()?;
    let mut machine = describe_terminal(options.machine.machine("debug")?);
    // Not under build/: a socket's path may have 107 bytes only.
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    remove_stale(&dir);
    let socket = Socket(dir.join(format!("{NAME}{}", std::process::id())));
    machine.gdb = Some(socket.0.clone());
    let [kernel, target] = [&machine.kernel, &socket.0].map(|path| path.display().to_string());
    let line = format!("gdb {} -ex {}", quote(&kernel), quote(&format!("target remote {target}")));
    relay(&machine, recording, |process| {
        // QEMU listens for gdb before it answers its monitor, so that whoever reads the line can use it.
        match process.ready() {
            Ok(()) => {
                eprintln!("harness: the machine waits before its first instruction; in another terminal:\n{line}")
            }
            // A machine that is gone says why by itself.
            Err(error) => eprintln!("harness: QEMU does not answer: {error}"),
        }
    })
}

/// Removes the sockets that harnesses killed by force have left behind.
fn remove_stale(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
