//! Threads, processes, signals, scheduling.

pub mod cred;
pub use cred::{Cap, Cred};

/// A thread.
pub struct Task;
