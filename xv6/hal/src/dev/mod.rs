//! Devices: serial line, virtio console, virtio disks, randomness.

pub mod block;
pub mod console;
#[cfg(target_os = "none")]
mod ring;
pub mod rng;
pub mod serial;

/// Finds the virtio devices.
#[cfg(target_os = "none")]
pub(crate) fn find() {}
