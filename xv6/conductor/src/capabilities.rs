//! Docker's default capabilities: what root inside a container may do (capabilities(7)).

use crate::error::{Context, Result};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// The set that Docker grants by default (moby, `oci/caps/defaults.go`).
pub const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Drops everything but [`DEFAULT`] for good: the bounding set first, while that is still allowed, then the rest.
pub fn drop_to_default() -> Result<()> {
    for capability in CapabilitySet::all().difference(DEFAULT).iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {} // EINVAL: a capability that this kernel does not have
            Err(error) => return Err(error).context("dropping a capability"),
        }
    }
    let sets = CapabilitySets { effective: DEFAULT, permitted: DEFAULT, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).context("dropping capabilities")
}
