//! What the tests on real machines share: one built guest, and at most a few machines at a time.

use harness::{Artifacts, Guest, Machine, Slot};
use std::ops::{Deref, DerefMut};
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
pub fn machine(name: &str) -> Machine {
    static BUILT: OnceLock<Artifacts> = OnceLock::new();
    let artifacts = BUILT.get_or_init(|| Artifacts::build().unwrap_or_else(|e| panic!("{e}")));
    Machine::new(artifacts).name(name).option("env.TERM=dumb")
}

/// Boots `machine` when its turn comes.
pub fn boot(machine: &Machine) -> Booted {
    let slot = Slot::take().unwrap_or_else(|e| panic!("{e}"));
    let guest = Guest::boot(machine).unwrap_or_else(|e| panic!("{e}"));
    Booted { guest, _slot: slot }
}
