//! The end of a kernel that found itself wrong: the `#[panic_handler]`, the report, and the way out of QEMU.
//!
//! The report: `kernel panic on CPU n: message`, the kernel's own lines (the running task), registers when an exception caused it, and return addresses
//! `  at 0x...`, which the harness turns into names. QEMU ends with status 255 (value 127).

use core::fmt::Write;
use core::sync::atomic::{AtomicPtr, Ordering};

static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets what adds the kernel's own lines (the running task) to a panic's report. It must not take locks by waiting: use `try_lock`.
pub fn set_hook(hook: fn(&mut dyn Write)) {
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// Calls the hook.
fn call_hook(out: &mut dyn Write) {
    let pointer = HOOK.load(Ordering::Acquire);
    if !pointer.is_null() {
        // SAFETY: only `set_hook` stores here, and it stores a `fn(&mut dyn Write)`.
        let hook: fn(&mut dyn Write) = unsafe { core::mem::transmute(pointer) };
        hook(out);
    }
}

/// Writes the return addresses of the running call chain, one `  at 0x...` a line.
pub fn backtrace(out: &mut dyn Write) {
    #[cfg(target_os = "none")]
    machine::walk(machine::frame_pointer(), out);
    #[cfg(not(target_os = "none"))]
    let _ = out;
}

#[cfg(target_os = "none")]
pub(crate) use machine::{exception, walk};

#[cfg(target_os = "none")]
mod machine {
    use crate::boot::layout::{self, STACK_BASE};
    use crate::dev::serial::Raw;
    use crate::thread::stack::is_guard;
    use crate::trap::TrapFrame;
    use crate::{cpu, irq, power, x86};
    use core::arch::asm;
    use core::fmt::{self, Write};
    use core::panic::PanicInfo;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// The value that tells a panic at isa-debug-exit.
    const EXIT_PANIC: u8 = 127;
    /// The most return addresses printed.
    const DEPTH: usize = 48;

    /// The CPU (plus one) that is panicking.
    static PANICKING: AtomicUsize = AtomicUsize::new(0);

    /// The caller's frame pointer.
    #[inline(always)]
    pub fn frame_pointer() -> u64 {
        let rbp: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
        rbp
    }

    /// Follows the chain of frames from `rbp`, as long as it makes sense.
    pub fn walk(mut rbp: u64, out: &mut dyn Write) {
        let [text, rodata, ..] = layout::image();
        for _ in 0..DEPTH {
            if rbp < STACK_BASE as u64 || !rbp.is_multiple_of(8) {
                break;
            }
            // SAFETY: a kernel stack, or the image (where the boot stacks are): both are mapped.
            let [next, address] = unsafe { *(rbp as *const [u64; 2]) };
            if !(text as u64..rodata as u64).contains(&address) {
                break;
            }
            let _ = writeln!(out, "  at {address:#x}");
            if next <= rbp {
                break;
            }
            rbp = next;
        }
    }

    /// Reports and ends QEMU.
    fn report(message: fmt::Arguments<'_>, frame: Option<&TrapFrame>, rbp: u64) -> ! {
        let me = cpu::id() + 1;
        match PANICKING.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {}
            // A panic while panicking: no more words.
            Err(other) if other == me => end(),
            Err(_) => x86::halt_forever(),
        }
        irq::apic::stop_others();
        let mut out = Raw;
        let _ = writeln!(out, "\nkernel panic on CPU {}: {message}", me - 1);
        super::call_hook(&mut out);
        if let Some(frame) = frame {
            let _ = write!(out, "{frame}");
            let _ = writeln!(out, "  at {:#x}", frame.rip);
        }
        walk(rbp, &mut out);
        end()
    }

    fn end() -> ! {
        power::machine::debug_exit(EXIT_PANIC);
        x86::halt_forever()
    }

    /// An exception inside the kernel.
    pub fn exception(frame: &TrapFrame, name: &str) -> ! {
        let fault = x86::cr2();
        let error = frame.error;
        match frame.vector {
            8 if is_guard(fault) => report(format_args!("kernel stack overflow"), Some(frame), frame.rbp),
            14 => report(format_args!("page fault at {fault:#x}, error {error:#x}"), Some(frame), frame.rbp),
            _ => report(format_args!("{name}, error {error:#x}"), Some(frame), frame.rbp),
        }
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        let rbp = frame_pointer();
        match info.location() {
            Some(at) => report(format_args!("{} ({}:{})", info.message(), at.file(), at.line()), None, rbp),
            None => report(format_args!("{}", info.message()), None, rbp),
        }
    }
}
