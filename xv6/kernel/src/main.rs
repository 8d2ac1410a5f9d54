//! The kernel binary: the entry symbol that `hal` calls, and nothing else.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}
