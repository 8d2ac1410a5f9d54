//! Threads, processes, signals, scheduling.

/// A thread.
pub struct Task;
