//! fixture: what tests on real machines share: one built guest, and at most a few machines at a time.
//!
//! Everything here panics on failure, with the whole evidence, since that is how a test fails.

use crate::artifacts::Artifacts;
use crate::guest::Guest;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::slot::Slot;
use crate::volume::{self, Extra};
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A guest and the slot it runs in.
pub struct Booted {
    // Dropped before the slot is: fields drop in order.
    guest: Guest,
    _slot: Slot,
}

impl Deref for Booted {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl DerefMut for Booted {
    fn deref_mut(&mut self) -> &mut Guest {
        &mut self.guest
    }
}

/// The usual machine, with a terminal that does not edit lines. The guest is built first if need be.
///
/// # Panics
/// When the guest cannot be built.
pub fn machine(name: &str) -> Machine {
    static BUILT: OnceLock<Artifacts> = OnceLock::new();
    usual(BUILT.get_or_init(|| Artifacts::build().expect("the guest builds")), name)
}

/// [`machine`] with `extra` images.
///
/// # Panics
/// When the guest cannot be built or an image not be read.
pub fn machine_with(name: &str, extra: &[Extra]) -> Machine {
    let kernel = Kernel::chosen().expect("a kernel");
    usual(&Artifacts::build_with(kernel, extra).expect("the guest builds"), name)
}

/// [`machine`] with the kernel that checks itself, whatever the environment names.
///
/// # Panics
/// When the guest cannot be built.
pub fn checked(name: &str) -> Machine {
    static BUILT: OnceLock<Artifacts> = OnceLock::new();
    usual(BUILT.get_or_init(|| Artifacts::build_with(Kernel::Checked, &[]).expect("the guest builds")), name)
}

fn usual(artifacts: &Artifacts, name: &str) -> Machine {
    Machine::new(artifacts).name(name).option("env.TERM=dumb")
}

/// Writes a root disk like the usual one, but of `mebibytes`, to `out`. The guest is built first if need be.
///
/// # Panics
/// When it cannot be made.
pub fn root_disk(out: &Path, mebibytes: u64) {
    machine("root disk");
    volume::root_disk(&volume::userland(), out, mebibytes << 20).expect("the disk is made");
}

/// Boots `machine` when its turn comes.
///
/// # Panics
/// When it does not boot.
pub fn boot(machine: &Machine) -> Booted {
    let slot = Slot::take().expect("a slot");
    let guest = Guest::boot(machine).expect("it boots");
    Booted { guest, _slot: slot }
}

/// Makes an executable file. Another process writes it (install(1)): were it open for writing here, a child that another test's thread forks
/// in that moment would hold it open too, and a file so held cannot be executed (`ETXTBSY`).
///
/// # Panics
/// When the file cannot be written.
pub fn install(path: &Path, content: &[u8]) {
    let mut command = Command::new("install");
    let mut child = command.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().expect("install");
    child.stdin.take().expect("a pipe").write_all(content).expect("install reads");
    assert!(child.wait().expect("install ends").success(), "{} could not be written", path.display());
}
