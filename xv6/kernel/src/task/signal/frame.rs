//! The frame a handler finds on its stack, Linux's `struct rt_sigframe` for x86_64, and the way back, rt_sigreturn(2).
//!
//! ```text
//!   high  FXSAVE area, 512 bytes, 64-byte aligned
//!         siginfo_t, 128 bytes                                   rsi
//!         ucontext_t: flags, link, stack, registers, mask        rdx
//!   low   the restorer's address, as the handler's return address    rsp (16 n + 8)
//! ```
//! No locks held across the copies.

use super::action::{SA_ONSTACK, SA_RESTORER};
use super::{SIGINFO_BYTES, SigAction, SigInfo, SigSet, set_blocked};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::Task;
use alloc::sync::Arc;
use hal::user::{FPU_BYTES, Registers, UserContext};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The stack of sigaltstack(2) is disabled.
pub(crate) const SS_DISABLE: i32 = 2;
/// sigaltstack(2): the thread runs on it.
pub(crate) const SS_ONSTACK: i32 = 1;
/// sigaltstack(2): disabled while a handler runs on it.
pub(crate) const SS_AUTODISARM: i32 = 1 << 31;

/// What the System V ABI lets a function keep below its stack pointer.
const RED_ZONE: usize = 128;

/// `uc_flags`: the stack segment is saved and is to be restored strictly.
const UC_FLAGS: u64 = 6;

/// `stack_t`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct AltStack {
    /// Lowest address.
    pub(crate) sp: u64,
    /// `SS_*`.
    pub(crate) flags: i32,
    pad: u32,
    /// Bytes.
    pub(crate) size: u64,
}

impl Default for AltStack {
    fn default() -> Self {
        AltStack::new(0, 0, SS_DISABLE)
    }
}

impl AltStack {
    /// A stack of `size` bytes at `sp`.
    pub(crate) fn new(sp: u64, size: u64, flags: i32) -> AltStack {
        AltStack { sp, flags, pad: 0, size }
    }

    /// Whether a thread with stack pointer `rsp` runs on it.
    pub(crate) fn holds(&self, rsp: u64) -> bool {
        self.flags & (SS_DISABLE | SS_AUTODISARM) == 0 && rsp.wrapping_sub(self.sp) <= self.size && rsp > self.sp
    }
}

/// `struct sigcontext`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct SigContext {
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    segments: [u16; 4],
    error: u64,
    trap: u64,
    old_mask: u64,
    cr2: u64,
    fpu: u64,
    reserved: [u64; 8],
}

/// `struct ucontext`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct UContext {
    flags: u64,
    link: u64,
    stack: AltStack,
    machine: SigContext,
    mask: u64,
}

/// The frame below the FPU state.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Frame {
    restorer: u64,
    context: UContext,
    info: [u8; SIGINFO_BYTES],
}

/// User code and stack selectors as Linux numbers them: `cs`, `gs`, `fs`, `ss`.
const SEGMENTS: [u16; 4] = [0x33, 0, 0, 0x2b];

/// The direction and trap flags, which a handler starts without.
const DF_TF: u64 = 0x500;

/// Pushes a frame for `action`'s handler and points the registers at it. `mask` is what rt_sigreturn(2) restores. `EFAULT` if the stack cannot
/// take it.
pub(super) fn push(
    task: &Arc<Task>,
    user: &mut UserContext,
    info: &SigInfo,
    action: &SigAction,
    mask: SigSet,
) -> Result<()> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::EFAULT.during("a signal handler without a restorer"));
    }
    let (alt, fault) = {
        let own = task.signals.lock();
        (own.alt_stack, own.fault)
    };
    let regs = user.regs;
    let on_alt = alt.holds(regs.rsp);
    let switches = action.flags & SA_ONSTACK != 0 && alt.flags & SS_DISABLE == 0 && !on_alt;
    let top =
        if switches { alt.sp.wrapping_add(alt.size) as usize } else { (regs.rsp as usize).wrapping_sub(RED_ZONE) };
    let fpu = top.wrapping_sub(FPU_BYTES) & !63;
    let base = (fpu.wrapping_sub(size_of::<Frame>()) & !15).wrapping_sub(8);
    if (on_alt || switches) && (base as u64) < alt.sp {
        return Err(Errno::EFAULT.during("the alternate signal stack is full"));
    }
    let frame = Frame {
        restorer: action.restorer,
        context: UContext {
            flags: UC_FLAGS,
            link: 0,
            stack: alt,
            machine: save(&regs, fault, mask, fpu as u64),
            mask: mask.0,
        },
        info: info.encode(),
    };
    memory::write_bytes(fpu, &user.fpu_bytes())?;
    memory::write(base, &frame)?;
    if alt.flags & SS_AUTODISARM != 0 && switches {
        task.signals.lock().alt_stack = AltStack::default();
    }
    let regs = &mut user.regs;
    regs.rip = action.handler;
    regs.rsp = base as u64;
    regs.rdi = u64::from(info.signal.number());
    regs.rsi = (base + core::mem::offset_of!(Frame, info)) as u64;
    regs.rdx = (base + core::mem::offset_of!(Frame, context)) as u64;
    regs.rax = 0;
    regs.rflags &= !DF_TF;
    Ok(())
}

fn save(regs: &Registers, fault: [u64; 3], mask: SigSet, fpu: u64) -> SigContext {
    SigContext {
        r8: regs.r8,
        r9: regs.r9,
        r10: regs.r10,
        r11: regs.r11,
        r12: regs.r12,
        r13: regs.r13,
        r14: regs.r14,
        r15: regs.r15,
        rdi: regs.rdi,
        rsi: regs.rsi,
        rbp: regs.rbp,
        rbx: regs.rbx,
        rdx: regs.rdx,
        rax: regs.rax,
        rcx: regs.rcx,
        rsp: regs.rsp,
        rip: regs.rip,
        rflags: regs.rflags,
        segments: SEGMENTS,
        error: fault[1],
        trap: fault[0],
        old_mask: mask.0,
        cr2: fault[2],
        fpu,
        reserved: [0; 8],
    }
}

/// rt_sigreturn(2): restores registers, FPU, mask and alternate stack from the frame at the stack pointer. `EFAULT` if it cannot be read.
pub(crate) fn sigreturn(task: &Arc<Task>, user: &mut UserContext) -> Result<()> {
    // The handler's `ret` has popped the restorer's address.
    let context: UContext = memory::read(user.regs.rsp as usize)?;
    let saved = &context.machine;
    if saved.fpu != 0 {
        let mut bytes = [0; FPU_BYTES];
        memory::read_bytes(saved.fpu as usize, &mut bytes)?;
        user.set_fpu_bytes(&bytes);
    }
    let regs = &mut user.regs;
    let (fs_base, gs_base) = (regs.fs_base, regs.gs_base);
    *regs = Registers {
        r8: saved.r8,
        r9: saved.r9,
        r10: saved.r10,
        r11: saved.r11,
        r12: saved.r12,
        r13: saved.r13,
        r14: saved.r14,
        r15: saved.r15,
        rdi: saved.rdi,
        rsi: saved.rsi,
        rbp: saved.rbp,
        rbx: saved.rbx,
        rdx: saved.rdx,
        rax: saved.rax,
        rcx: saved.rcx,
        rsp: saved.rsp,
        rip: saved.rip,
        rflags: saved.rflags,
        fs_base,
        gs_base,
        orig_rax: u64::MAX,
    };
    {
        let mut own = task.signals.lock();
        own.saved = None;
        own.alt_stack = AltStack::new(context.stack.sp, context.stack.size, context.stack.flags & !SS_ONSTACK);
    }
    set_blocked(task, SigSet(context.mask));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Frame, SigContext, UContext};

    #[test]
    fn the_layout_is_linux_s() {
        assert_eq!(size_of::<SigContext>(), 256);
        assert_eq!(size_of::<UContext>(), 304);
        assert_eq!(core::mem::offset_of!(UContext, machine), 40);
        assert_eq!(core::mem::offset_of!(UContext, mask), 296);
        assert_eq!(core::mem::offset_of!(Frame, info), 312);
    }
}
