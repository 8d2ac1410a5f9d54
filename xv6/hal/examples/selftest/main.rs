//! A bootable kernel that tries hal out: run it with QEMU's `-kernel`; it prints what it checks and measures, and exits with
//! status 0 if all is well. `-append panic`, `fault` or `overflow` end in that panic instead.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
mod checks;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod memory;
#[cfg(target_os = "none")]
mod smp;
#[cfg(target_os = "none")]
mod user;

/// hal's first call.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    checks::run()
}
