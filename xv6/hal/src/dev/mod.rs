//! Devices: serial line, virtio console, virtio disks, randomness.

pub mod block;
pub mod console;
pub mod rng;
pub mod serial;
