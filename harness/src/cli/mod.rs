//! cli: the commands of `harness`, one file each, and the options they share.

pub mod bench;
pub mod debug;
pub mod profile;
mod relay;
pub mod run;
pub mod shell;

use clap::Args;
use harness::{Artifacts, Extra, Failure, Kernel, Machine, Recording};
use relay::{terminal_kind, terminal_size};
use std::path::PathBuf;

/// Options about the machine.
#[derive(Debug, Args)]
pub struct MachineOptions {
    /// The number of CPUs [default: 2; bench: 1 and 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: Option<u32>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(32..))]
    memory: u32,
    /// An image to add: a folder, a docker export or save tar, or an OCI layout (repeatable)
    #[arg(long, value_name = "NAME=PATH")]
    image: Vec<Extra>,
    /// Boot the kernel that checks itself: lock order, assertions, arithmetic (XV6_KERNEL=checked does the same)
    #[arg(long)]
    checked: bool,
    /// An option for the kernel, such as loglevel=7 (repeatable)
    #[arg(long, value_name = "OPTION")]
    kernel_option: Vec<String>,
    /// A root disk to use and keep, made from the built one when absent; otherwise changes are forgotten at the end
    #[arg(long, value_name = "FILE")]
    disk: Option<PathBuf>,
}

/// Options about what is kept of a session.
#[derive(Debug, Args)]
pub struct RecordOptions {
    /// Keep a recording of what the terminal shows, for `asciinema play`
    #[arg(long, value_name = "FILE.cast")]
    record: Option<PathBuf>,
}

/// The size of a terminal that is none.
const USUAL_SIZE: (u16, u16) = (80, 24);

impl RecordOptions {
    /// Begins the recording that was asked for. Called before anything takes long: a file that cannot be written is told at once.
    ///
    /// # Errors
    /// `Setup` when the file cannot be written.
    pub fn begin(&self) -> Result<Option<Recording>, Failure> {
        let size = terminal_size().unwrap_or(USUAL_SIZE);
        self.record.as_ref().map(|path| Recording::create(path, size, &terminal_kind())).transpose()
    }
}

impl MachineOptions {
    /// Builds what these options need, and the machine they describe.
    ///
    /// # Errors
    /// `Setup` when the guest cannot be built or the disk not be made.
    pub fn machine(&self, name: &str) -> Result<Machine, Failure> {
        let kernel = if self.checked { Kernel::Checked } else { Kernel::chosen()? };
        let artifacts = Artifacts::build_with(kernel, &self.image)?;
        let mut machine = Machine::new(&artifacts).name(name).memory(self.memory);
        machine.cpus = self.cpus.unwrap_or(machine.cpus);
        machine.options.extend(self.kernel_option.iter().cloned());
        if let Some(disk) = &self.disk {
            if !disk.exists() {
                let copying = |e| Failure::setup(format_args!("make {}", disk.display()), e);
                std::fs::copy(&artifacts.root, disk).map_err(copying)?;
            }
            machine = machine.keep_root(disk);
        }
        Ok(machine)
    }
}
