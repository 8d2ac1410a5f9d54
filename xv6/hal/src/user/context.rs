//! A user thread's registers, and running it.

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

impl Default for Registers {
    fn default() -> Self {
        todo!()
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

/// A user thread's whole machine state.
pub struct UserContext {
    /// The registers.
    pub regs: Registers,
}

impl UserContext {
    /// A fresh thread about to run `entry` with stack pointer `sp`, all else zero, FPU at its defaults.
    pub fn new(entry: usize, sp: usize) -> UserContext {
        let _ = (entry, sp);
        todo!()
    }

    /// Runs user code in the active page table until something stops it.
    pub fn run(&mut self) -> Event {
        todo!()
    }

    /// The FPU state in FXSAVE64's format (signal frames).
    pub fn fpu_bytes(&self) -> [u8; FPU_BYTES] {
        todo!()
    }

    /// Sets the FPU state; reserved MXCSR bits are cleared.
    pub fn set_fpu_bytes(&mut self, bytes: &[u8; FPU_BYTES]) {
        let _ = bytes;
        todo!()
    }

    /// Registers and FPU as `exec` leaves them: all zero but `rip` and `rsp`.
    pub fn reset(&mut self, entry: usize, sp: usize) {
        let _ = (entry, sp);
        todo!()
    }
}

impl Clone for UserContext {
    /// A copy with the FPU state as it is now (`fork`).
    fn clone(&self) -> Self {
        todo!()
    }
}
