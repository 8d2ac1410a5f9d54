//! The end of a kernel that found itself wrong: the `#[panic_handler]`, the report, and the way out of QEMU.

use core::fmt::Write;

/// Sets what adds the kernel's own lines (the running task) to a panic's report. It must not take locks by waiting: use `try_lock`.
pub fn set_hook(hook: fn(&mut dyn Write)) {
    let _ = hook;
    todo!()
}

/// Writes the return addresses of the running call chain, one `  at 0x...` a line.
pub fn backtrace(out: &mut dyn Write) {
    let _ = out;
    todo!()
}
