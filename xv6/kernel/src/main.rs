//! The kernel binary: the entry symbol that `hal` calls, and nothing else.
#![cfg_attr(target_os = "none", no_std, no_main)]

// The panic handler, the heap and the way here from QEMU's entry.
#[cfg(target_os = "none")]
use hal as _;

#[cfg(not(target_os = "none"))]
fn main() {}

/// Where `hal` goes when the machine is set up.
// The one reasoned exception to "unsafe only in hal": the binary must give hal's boot code a symbol to call.
#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "an exported symbol: its name is unique in the program")]
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    kernel::boot::main()
}
