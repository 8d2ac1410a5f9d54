//! The way into the kernel and out to user mode, in assembly.
//!
//! [`enter_user`] saves the kernel's callee-saved registers and a pointer to the thread's [`Registers`] on the kernel stack, notes the stack pointer
//! in the TSS, and goes to user mode; the next system call, exception or interrupt stores the user's registers through that
//! pointer and makes `enter_user` return its vector. Thus to the rest of the kernel user mode is a function call. A trap
//! inside the kernel saves everything on its stack and calls [`super::kernel_trap`].

use crate::cpu::local::offset;
use crate::cpu::setup::{KERNEL_DATA, USER_CODE, USER_DATA};
use crate::user::Registers;
use core::arch::global_asm;
use core::mem::offset_of;

/// What [`enter_user`] returns for a system call; smaller numbers are vectors.
pub const SYSCALL: u32 = 256;

unsafe extern "C" {
    /// Runs user code with `regs` until something stops it: the vector in the low half, the error code in the high.
    ///
    /// # Safety
    /// `rip` is canonical, `rflags` has only user flags and IF, interrupts are off.
    pub fn enter_user(regs: *mut Registers) -> u64;
    /// The entry of `syscall`.
    pub fn syscall_entry();
    /// 256 entries, 16 bytes apart.
    pub static trap_stubs: u8;
    /// The double-fault entry: GS may be either side's.
    pub fn double_fault_entry();
    /// The NMI entry: stops the CPU.
    pub fn nmi_entry();
}

global_asm!(
    r#"
    .macro save_common
    mov [rdi + {rbx}], rbx
    mov [rdi + {rdx}], rdx
    mov [rdi + {rsi}], rsi
    mov [rdi + {rbp}], rbp
    mov [rdi + {r8}], r8
    mov [rdi + {r9}], r9
    mov [rdi + {r10}], r10
    mov [rdi + {r12}], r12
    mov [rdi + {r13}], r13
    mov [rdi + {r14}], r14
    mov [rdi + {r15}], r15
    .endm
    .macro load_common
    mov rax, [rdi + {rax}]
    mov rbx, [rdi + {rbx}]
    mov rdx, [rdi + {rdx}]
    mov rsi, [rdi + {rsi}]
    mov rbp, [rdi + {rbp}]
    mov r8, [rdi + {r8}]
    mov r9, [rdi + {r9}]
    mov r10, [rdi + {r10}]
    mov r12, [rdi + {r12}]
    mov r13, [rdi + {r13}]
    mov r14, [rdi + {r14}]
    mov r15, [rdi + {r15}]
    .endm

    .global enter_user
enter_user:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdi
    mov gs:[{rsp0}], rsp
    mov rcx, [rdi + {rip}]
    mov r11, [rdi + {rflags}]
    cmp rcx, [rdi + {rcx}]
    jne 2f
    cmp r11, [rdi + {r11}]
    jne 2f
    load_common
    mov rsp, [rdi + {rsp}]
    mov rdi, [rdi + {rdi}]
    swapgs
    sysretq
2:  push {user_data}
    push [rdi + {rsp}]
    push r11
    push {user_code}
    push rcx
    load_common
    mov rcx, [rdi + {rcx}]
    mov r11, [rdi + {r11}]
    mov rdi, [rdi + {rdi}]
    swapgs
    iretq

    .balign 16
    .global syscall_entry
syscall_entry:
    swapgs
    mov gs:[{scratch}], rsp
    mov rsp, gs:[{rsp0}]
    push rdi
    mov rdi, [rsp + 8]
    save_common
    mov [rdi + {rax}], rax
    mov [rdi + {orig_rax}], rax
    mov [rdi + {rcx}], rcx
    mov [rdi + {r11}], r11
    mov [rdi + {rip}], rcx
    mov [rdi + {rflags}], r11
    mov rax, gs:[{scratch}]
    mov [rdi + {rsp}], rax
    pop rax
    mov [rdi + {rdi}], rax
    mov eax, {syscall}
    pop rdi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

    # Vectors 8, 10-14, 17, 21, 29, 30 push an error code.
    .set error_codes, 0x60227d00
    .balign 16
    .global trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector > 31 || ((error_codes >> vector) & 1) == 0
    push 0
    .endif
    push vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .balign 16
trap_common:
    test byte ptr [rsp + 24], 3
    jz 3f
    swapgs
    push rdi
    mov rdi, [rsp + 64]
    save_common
    mov [rdi + {rax}], rax
    mov [rdi + {rcx}], rcx
    mov [rdi + {r11}], r11
    pop rax
    mov [rdi + {rdi}], rax
    pop rax                         # vector
    pop rcx                         # error code
    shl rcx, 32
    or rax, rcx
    pop rcx
    mov [rdi + {rip}], rcx
    pop rcx
    pop rcx
    mov [rdi + {rflags}], rcx
    pop rcx
    mov [rdi + {rsp}], rcx
    pop rcx
    pop rdi
    mov ecx, {kernel_data}          # as `syscall` leaves it: QEMU translates code anew for a null SS, which the trap loaded
    mov ss, ecx
    push 2                          # the user's AC and DF must not stay set
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

3:  push rdi
    push rsi
    push rbp
    push rbx
    push rax
    push rcx
    push rdx
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    mov rbp, rsp
    call {kernel_trap}
    mov rsp, rbp
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdx
    pop rcx
    pop rax
    pop rbx
    pop rbp
    pop rsi
    pop rdi
    add rsp, 16
    iretq

    .balign 16
    .global double_fault_entry
double_fault_entry:
    push 8
    push rcx
    push rdx
    push rax
    mov ecx, 0xc0000101             # GS_BASE: the kernel's is negative
    rdmsr
    test edx, edx
    js 4f
    swapgs
4:  pop rax
    pop rdx
    pop rcx
    jmp 3b

    .balign 16
    .global nmi_entry
nmi_entry:
    cli
    hlt
    jmp nmi_entry
    "#,
    rax = const offset_of!(Registers, rax),
    rbx = const offset_of!(Registers, rbx),
    rcx = const offset_of!(Registers, rcx),
    rdx = const offset_of!(Registers, rdx),
    rsi = const offset_of!(Registers, rsi),
    rdi = const offset_of!(Registers, rdi),
    rbp = const offset_of!(Registers, rbp),
    rsp = const offset_of!(Registers, rsp),
    r8 = const offset_of!(Registers, r8),
    r9 = const offset_of!(Registers, r9),
    r10 = const offset_of!(Registers, r10),
    r11 = const offset_of!(Registers, r11),
    r12 = const offset_of!(Registers, r12),
    r13 = const offset_of!(Registers, r13),
    r14 = const offset_of!(Registers, r14),
    r15 = const offset_of!(Registers, r15),
    rip = const offset_of!(Registers, rip),
    rflags = const offset_of!(Registers, rflags),
    orig_rax = const offset_of!(Registers, orig_rax),
    rsp0 = const offset::RSP0,
    scratch = const offset::SCRATCH,
    kernel_data = const KERNEL_DATA,
    user_code = const USER_CODE,
    user_data = const USER_DATA,
    syscall = const SYSCALL,
    kernel_trap = sym super::kernel_trap,
);
