//! A bootable kernel that tries hal out: run it with QEMU's `-kernel`; it prints what it checks, and exits with status 0 if all is well.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

#[cfg(not(target_os = "none"))]
fn main() {}

/// hal's first call.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    hal::println!("kernel_main after {} us, cmdline {:?}", hal::time::now_ns() / 1000, hal::boot::cmdline());
    hal::power::exit(0)
}
