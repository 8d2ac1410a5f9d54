//! The kernel binary: the entry symbol that `hal` calls, and nothing else.
#![cfg_attr(target_os = "none", no_std, no_main)]

// The panic handler, the heap and the way here from QEMU's entry.
#[cfg(target_os = "none")]
use hal as _;

#[cfg(not(target_os = "none"))]
fn main() {}
