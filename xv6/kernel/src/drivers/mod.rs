//! Devices as the rest of the kernel sees them, over hal's drivers.

pub mod block;
