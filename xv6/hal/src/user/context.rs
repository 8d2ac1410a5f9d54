//! A user thread's registers, and running it.

use super::fpu::FpuState;
use alloc::boxed::Box;

/// Bytes of FPU state, in FXSAVE64's format.
pub const FPU_BYTES: usize = 512;

/// The registers of a user thread. Plain data: what is unsafe to load is made safe on the way in (`rflags` is masked; a
/// non-canonical `rip` becomes a general protection [`Event::Exception`]).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are the machine's")]
pub struct Registers {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub rsp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rflags: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    /// The system call number as it was on entry (`rax` becomes the result); `u64::MAX` when the last event was no system call.
    pub orig_rax: u64,
}

/// Flags that user code may set: CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC, ID.
const USER_FLAGS: u64 = 0x24_4dd5;
/// Interrupts on, and the bit that is always set.
const FIXED_FLAGS: u64 = 0x202;

impl Default for Registers {
    fn default() -> Self {
        Registers {
            rax: 0,
            rbx: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            rbp: 0,
            rsp: 0,
            r8: 0,
            r9: 0,
            r10: 0,
            r11: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
            rip: 0,
            rflags: FIXED_FLAGS,
            fs_base: 0,
            gs_base: 0,
            orig_rax: u64::MAX,
        }
    }
}

/// Why user code stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// `syscall`: number in `orig_rax` (and `rax`), arguments in rdi, rsi, rdx, r10, r8, r9.
    Syscall,
    /// A page fault.
    PageFault {
        /// The address touched.
        addr: usize,
        /// By a write.
        write: bool,
        /// By an instruction fetch.
        exec: bool,
        /// The page is present: the access was not permitted.
        present: bool,
    },
    /// Another exception: divide (0), debug (1), breakpoint (3), overflow (4), bound (5), invalid opcode (6), segment (11), stack (12),
    /// general protection (13), x87 (16), alignment (17), SIMD (19).
    Exception {
        /// The vector.
        vector: u8,
        /// The error code, or 0.
        error: u32,
    },
    /// An interrupt; its handlers have run already.
    Interrupt,
}

/// A user thread's whole machine state. It may move to another CPU after a [`crate::thread::switch`], not before (that panics).
pub struct UserContext {
    /// The registers.
    pub regs: Registers,
    /// In a place of its own: a CPU may refer to it.
    fpu: Box<FpuState>,
}

impl UserContext {
    /// A fresh thread about to run `entry` with stack pointer `sp`, all else zero, FPU at its defaults.
    pub fn new(entry: usize, sp: usize) -> UserContext {
        let regs = Registers { rip: entry as u64, rsp: sp as u64, ..Registers::default() };
        UserContext { regs, fpu: Box::new(FpuState::new()) }
    }

    /// Runs user code in the active page table until something stops it.
    // Inlined, as what it consists of: a call and a return across pages cost an emulated CPU a seventh of the shortest system call.
    #[inline(always)]
    pub fn run(&mut self) -> Event {
        self.regs.rflags = self.regs.rflags & USER_FLAGS | FIXED_FLAGS;
        // Returning to a non-canonical address would fault in the kernel: the user gets the fault instead.
        if self.regs.rip >> 47 != 0 {
            self.regs.orig_rax = u64::MAX;
            return Event::Exception { vector: 13, error: 0 };
        }
        machine::run(&mut self.regs, &self.fpu)
    }

    /// The FPU state in FXSAVE64's format (signal frames).
    pub fn fpu_bytes(&self) -> [u8; FPU_BYTES] {
        self.fpu.bytes()
    }

    /// Sets the FPU state; reserved MXCSR bits are cleared.
    pub fn set_fpu_bytes(&mut self, bytes: &[u8; FPU_BYTES]) {
        self.fpu.set(bytes);
    }

    /// Registers and FPU as `exec` leaves them: all zero but `rip` and `rsp`.
    pub fn reset(&mut self, entry: usize, sp: usize) {
        self.regs = Registers { rip: entry as u64, rsp: sp as u64, ..Registers::default() };
        self.fpu.copy_from(&FpuState::new());
    }
}

impl Clone for UserContext {
    /// A copy with the FPU state as it is now (`fork`).
    fn clone(&self) -> Self {
        let mut fpu = Box::new(FpuState::new());
        fpu.copy_from(&self.fpu);
        UserContext { regs: self.regs, fpu }
    }
}

#[cfg(target_os = "none")]
mod machine {
    use super::{Event, FpuState, Registers};
    use crate::cpu::local::{Local, local};
    use crate::cpu::setup::FSGSBASE;
    use crate::irq;
    use crate::trap::entry::{SYSCALL, enter_user};
    use crate::x86::{self, msr};
    use core::arch::asm;
    use core::sync::atomic::Ordering;

    /// Goes to user mode and says what ended it.
    #[inline(always)]
    pub fn run(regs: &mut Registers, fpu: &FpuState) -> Event {
        debug_assert_eq!(crate::sync::held(), 0, "to user mode with a spin lock held");
        let local = local();
        assert!(!local.space.load(Ordering::Relaxed).is_null(), "to user mode without a page table");
        fpu.load(local);
        let by_instruction = FSGSBASE.load(Ordering::Relaxed);
        load_bases(regs, local, by_instruction);
        // SAFETY: `run` has made `rip` and `rflags` safe; interrupts are off; the registers are ours.
        let ended = unsafe { enter_user(regs) };
        if by_instruction {
            save_bases(regs, local);
        }
        let (vector, error) = (ended as u32, (ended >> 32) as u32);
        if vector == SYSCALL {
            return Event::Syscall;
        }
        regs.orig_rax = u64::MAX;
        match vector {
            14 => Event::PageFault {
                addr: x86::cr2(),
                write: error & 2 != 0,
                exec: error & 16 != 0,
                present: error & 1 != 0,
            },
            0..32 => Event::Exception { vector: vector as u8, error },
            _ => {
                irq::dispatch(vector as u8);
                Event::Interrupt
            }
        }
    }

    /// Loads the user's FS and GS bases; GS's into the register that `swapgs` will bring up. Addresses beyond the user's are
    /// harmless: user mode cannot reach them.
    fn load_bases(regs: &Registers, local: &Local, by_instruction: bool) {
        // Mostly the CPU comes back to the thread that it left for a system call.
        if local.user_bases.get() == (regs.fs_base, regs.gs_base) {
            return;
        }
        let (fs, gs) = (canonical(regs.fs_base), canonical(regs.gs_base));
        // SAFETY: the kernel does not use FS, and has GS back before the next instruction that does; interrupts are off.
        unsafe {
            if by_instruction {
                asm!("wrfsbase {}", "swapgs", "wrgsbase {}", "swapgs", in(reg) fs, in(reg) gs, options(nomem, nostack, preserves_flags));
            } else {
                x86::wrmsr(msr::FS_BASE, fs);
                x86::wrmsr(msr::KERNEL_GS_BASE, gs);
            }
        }
    }

    /// Reads them back: user code may have written them.
    fn save_bases(regs: &mut Registers, local: &Local) {
        // SAFETY: as in `load_bases`.
        unsafe {
            asm!("rdfsbase {}", "swapgs", "rdgsbase {}", "swapgs", out(reg) regs.fs_base, out(reg) regs.gs_base,
                 options(nomem, nostack, preserves_flags));
        }
        local.user_bases.set((regs.fs_base, regs.gs_base));
    }

    /// The address as the register can hold it.
    fn canonical(addr: u64) -> u64 {
        ((addr << 16) as i64 >> 16) as u64
    }
}

#[cfg(not(target_os = "none"))]
mod machine {
    use super::{Event, FpuState, Registers};

    pub fn run(_regs: &mut Registers, _fpu: &FpuState) -> Event {
        panic!("user mode needs the machine")
    }
}
