//! What a tracer gets to see, in Linux's layouts: `struct user_regs_struct`, `struct ptrace_syscall_info`. Plain data.

use crate::error::{Errno, Result};
use hal::user::Registers;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// User code and stack selectors as Linux numbers them.
const CODE: u64 = 0x33;
const DATA: u64 = 0x2b;

/// The status flags that a tracer may change: CF, PF, AF, ZF, SF, TF, DF, OF, NT, RF, AC.
const CHANGEABLE: u64 = 0x5_4dd5;

/// `AUDIT_ARCH_X86_64`.
const ARCH: u32 = 0xc000_003e;

/// `struct user_regs_struct` (<sys/user.h>), also the note `NT_PRSTATUS` of `PTRACE_GETREGSET`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, Default, Debug, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are the machine's")]
pub struct UserRegs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}

impl UserRegs {
    /// As a tracer sees `regs`.
    pub fn of(regs: &Registers) -> UserRegs {
        UserRegs {
            r15: regs.r15,
            r14: regs.r14,
            r13: regs.r13,
            r12: regs.r12,
            rbp: regs.rbp,
            rbx: regs.rbx,
            r11: regs.r11,
            r10: regs.r10,
            r9: regs.r9,
            r8: regs.r8,
            rax: regs.rax,
            rcx: regs.rcx,
            rdx: regs.rdx,
            rsi: regs.rsi,
            rdi: regs.rdi,
            orig_rax: regs.orig_rax,
            rip: regs.rip,
            cs: CODE,
            eflags: regs.rflags,
            rsp: regs.rsp,
            ss: DATA,
            fs_base: regs.fs_base,
            gs_base: regs.gs_base,
            ..UserRegs::default()
        }
    }

    /// Puts them into `regs`; system flags stay. `EIO` for other selectors of code and stack than there are, and for a base outside user memory.
    pub fn store(&self, regs: &mut Registers) -> Result<()> {
        let bases = [self.fs_base, self.gs_base].iter().all(|base| *base < hal::user::LIMIT as u64);
        if self.cs != CODE || self.ss != DATA || !bases {
            return Err(Errno::EIO.during("setting a tracee's segment registers"));
        }
        *regs = Registers {
            r15: self.r15,
            r14: self.r14,
            r13: self.r13,
            r12: self.r12,
            rbp: self.rbp,
            rbx: self.rbx,
            r11: self.r11,
            r10: self.r10,
            r9: self.r9,
            r8: self.r8,
            rax: self.rax,
            rcx: self.rcx,
            rdx: self.rdx,
            rsi: self.rsi,
            rdi: self.rdi,
            orig_rax: self.orig_rax,
            rip: self.rip,
            rflags: regs.rflags & !CHANGEABLE | self.eflags & CHANGEABLE,
            rsp: self.rsp,
            fs_base: self.fs_base,
            gs_base: self.gs_base,
        };
        Ok(())
    }
}

/// `PTRACE_GET_SYSCALL_INFO`.
#[derive(Clone, Copy, Debug)]
pub enum SyscallInfo {
    /// Not in a system-call stop.
    None,
    /// Before the call: number and arguments.
    Entry([u64; 7]),
    /// After it: the result.
    Exit(i64),
}

/// The largest error number that a result can be (-4095 to -1).
const MAX_ERRNO: i64 = 4095;

impl SyscallInfo {
    /// `struct ptrace_syscall_info` of a thread at `regs`.
    pub fn encode(self, regs: &Registers) -> alloc::vec::Vec<u8> {
        let op: u64 = match self {
            SyscallInfo::None => 0,
            SyscallInfo::Entry(_) => 1,
            SyscallInfo::Exit(_) => 2,
        };
        let mut bytes = alloc::vec::Vec::from((op | u64::from(ARCH) << 32).to_le_bytes());
        bytes.extend(regs.rip.to_le_bytes());
        bytes.extend(regs.rsp.to_le_bytes());
        match self {
            SyscallInfo::None => {}
            SyscallInfo::Entry(words) => words.iter().for_each(|word| bytes.extend(word.to_le_bytes())),
            SyscallInfo::Exit(result) => {
                bytes.extend(result.to_le_bytes());
                bytes.push(u8::from((-MAX_ERRNO..0).contains(&result)));
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{SyscallInfo, UserRegs};
    use crate::error::Errno;
    use core::mem::offset_of;
    use hal::user::Registers;

    #[test]
    fn the_layouts_are_linux_s() {
        assert_eq!((size_of::<UserRegs>(), offset_of!(UserRegs, orig_rax), offset_of!(UserRegs, rip)), (216, 120, 128));
        let regs = Registers { rip: 0x1122, rsp: 0x3344, ..Registers::default() };
        let entry = SyscallInfo::Entry([1, 2, 3, 4, 5, 6, 7]).encode(&regs);
        assert_eq!(
            (entry.len(), &entry[..16]),
            (80, &[1, 0, 0, 0, 0x3e, 0, 0, 0xc0, 0x22, 0x11, 0, 0, 0, 0, 0, 0][..])
        );
        let failed = SyscallInfo::Exit(-2).encode(&regs);
        assert_eq!((failed.len(), failed[24], failed[32]), (33, 0xfe, 1));
        assert_eq!(SyscallInfo::Exit(-4096).encode(&regs)[32], 0, "an address, not an error");
        assert_eq!(SyscallInfo::None.encode(&regs).len(), 24);
    }

    #[test]
    fn registers_go_both_ways_but_for_system_flags() {
        let regs = Registers { rax: 1, r15: 2, orig_rax: 3, rflags: 0x202, gs_base: 4, ..Registers::default() };
        let mut seen = UserRegs::of(&regs);
        seen.eflags = 0x3_3001;
        let mut back = Registers::default();
        seen.store(&mut back).expect("good registers");
        assert_eq!((back.rax, back.r15, back.orig_rax, back.gs_base, back.rflags), (1, 2, 3, 4, 0x1_0203));
        for bad in [UserRegs { cs: 8, ..seen }, UserRegs { ss: 0, ..seen }, UserRegs { fs_base: 1 << 63, ..seen }] {
            assert_eq!(bad.store(&mut back).map_err(|error| error.errno), Err(Errno::EIO));
        }
    }
}
