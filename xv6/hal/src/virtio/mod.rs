//! virtio: the memory-mapped transport and the split queues that the device drivers share (virtio specification 1.2).

pub(crate) mod mmio;
pub(crate) mod queue;

/// Device kinds (specification 5).
pub mod kind {
    /// A disk.
    pub const BLOCK: u32 = 2;
    /// A console.
    pub const CONSOLE: u32 = 3;
}
