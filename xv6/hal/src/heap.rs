//! The kernel heap: the global allocator, size classes over frames, runs of frames for what is larger.

/// Bytes of frames that the heap holds now (in use, and free inside its size classes).
pub fn used() -> usize {
    todo!()
}
