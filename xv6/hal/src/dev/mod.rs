//! Devices: serial line, virtio console, virtio disks, randomness.

pub mod block;
pub mod console;
#[cfg(target_os = "none")]
mod ring;
pub mod rng;
pub mod serial;

/// Finds the virtio devices and sets them up.
#[cfg(target_os = "none")]
pub(crate) fn find() {
    use crate::virtio::{kind, mmio};
    let mut disks = alloc::vec::Vec::new();
    for (device, kind) in mmio::devices() {
        match kind {
            kind::BLOCK => disks.push(device),
            kind::CONSOLE => console::init(device),
            _ => {}
        }
    }
    block::init(&disks);
}
