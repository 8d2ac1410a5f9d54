//! Off the machine no CPU runs a space, and there is no TLB.

use crate::paging::space::{Changes, Space};

/// No CPU's.
pub fn this_cpu() -> u32 {
    0
}

/// There is no CPU to run it.
pub fn set_top(_space: &Space, _slot: usize, _value: u64) {}

/// There is no CPU to run it.
pub fn activate(_space: &Space) {}

/// There is no CPU to run it.
pub fn activate_kernel() {}

/// There is no TLB.
pub fn forget(_space: &Space, _changes: &Changes) {}

/// There is no TLB.
pub fn shoot(_space: &Space, _changes: &Changes) {}

/// There is no CPU that runs it.
pub fn retire(_space: &Space) {}
