//! Devices as the rest of the kernel sees them, over hal's drivers.

pub mod block;
mod blockfile;
pub mod chr;
pub mod klog;
mod kmsg;
pub mod mem;
