//! Copies between the kernel and the active page table's user memory. A page fault stops a copy; the caller resolves the
//! fault and tries again.
//!
//! The instructions that may fault lie between the labels `user_access_start` and `user_access_end`; a page fault
//! there continues at `user_access_fault`, which makes the running primitive return `false`.

use super::{Fault, LIMIT};
use crate::paging::tlb;
use core::arch::global_asm;

global_asm!(
    r#"
    .macro open_user
    test byte ptr [rip + {smap}], 1
    jz 9f
    stac
9:
    .endm
    .macro close_user
    test byte ptr [rip + {smap}], 1
    jz 9f
    clac
9:
    .endm

    # rdi to, rsi from, rdx count; eax: 1 if all was copied
    .balign 16
user_access_copy:
    open_user
user_access_start:
    mov rcx, rdx
    shr rcx, 5
    jz 3f
2:  mov rax, [rsi]
    mov r8, [rsi + 8]
    mov r9, [rsi + 16]
    mov r10, [rsi + 24]
    mov [rdi], rax
    mov [rdi + 8], r8
    mov [rdi + 16], r9
    mov [rdi + 24], r10
    add rsi, 32
    add rdi, 32
    dec rcx
    jnz 2b
3:  and edx, 31
    mov ecx, edx
    shr ecx, 3
    jz 5f
4:  mov rax, [rsi]
    mov [rdi], rax
    add rsi, 8
    add rdi, 8
    dec ecx
    jnz 4b
5:  and edx, 7
    jz user_access_done
6:  mov al, [rsi]
    mov [rdi], al
    inc rsi
    inc rdi
    dec edx
    jnz 6b
    jmp user_access_done

    # rdi to, rsi from (user), rdx most; copies up to and with a NUL; eax: 1 if no fault, [rcx]: bytes before the NUL or rdx
user_access_string:
    open_user
    mov r8, rdx
7:  test r8, r8
    jz 8f
    mov al, [rsi]
    test al, al
    jz 8f
    mov [rdi], al
    inc rsi
    inc rdi
    dec r8
    jmp 7b
8:  sub rdx, r8
    mov [rcx], rdx
    jmp user_access_done

    # rdi user word, esi new value, rdx expected, rcx place for what was there
user_access_cmpxchg:
    open_user
    mov eax, edx
    lock cmpxchg [rdi], esi
    mov [rcx], eax
    jmp user_access_done

    # rdi user word, rcx place for it
user_access_load:
    open_user
    mov eax, [rdi]
    mov [rcx], eax
    jmp user_access_done

    # rdi user word, esi value
user_access_store:
    open_user
    xchg [rdi], esi
user_access_end:
user_access_done:
    close_user
    mov eax, 1
    ret
user_access_fault:
    close_user
    xor eax, eax
    ret
    "#,
    smap = sym crate::cpu::setup::SMAP,
);

unsafe extern "C" {
    fn user_access_copy(to: *mut u8, from: *const u8, count: usize) -> bool;
    fn user_access_string(to: *mut u8, from: usize, most: usize, length: *mut usize) -> bool;
    fn user_access_cmpxchg(word: usize, new: u32, expected: u32, was: *mut u32) -> bool;
    fn user_access_load(word: usize, unused1: usize, unused2: usize, value: *mut u32) -> bool;
    fn user_access_store(word: usize, value: u32) -> bool;
    static user_access_start: u8;
    static user_access_end: u8;
    static user_access_fault: u8;
}

/// If a page fault at `rip` was a user access, continues at its fix-up.
pub(crate) fn fix_up(rip: &mut u64) -> bool {
    let range = (&raw const user_access_start as u64)..(&raw const user_access_end as u64);
    let ours = range.contains(rip) && crate::x86::cr2() < LIMIT;
    if ours {
        *rip = &raw const user_access_fault as u64;
    }
    ours
}

/// Whether `len` bytes at `va` are user addresses, of some active page table.
#[inline]
fn check(va: usize, len: usize, write: bool) -> Result<(), Fault> {
    match va.checked_add(len) {
        Some(end) if end <= LIMIT && tlb::any_active() => Ok(()),
        _ => Err(Fault { addr: va, write }),
    }
}

/// The fault that stopped a primitive.
fn fault(write: bool) -> Fault {
    Fault { addr: crate::x86::cr2(), write }
}

/// Copies `len` bytes of user memory at `va` to kernel memory.
///
/// # Safety
/// `to` points to `len` bytes that only the caller uses, or that are a frame's.
pub(crate) unsafe fn read_raw(to: *mut u8, va: usize, len: usize) -> Result<(), Fault> {
    check(va, len, false)?;
    // SAFETY: the source is user memory, where a fault is fixed up; the target is the caller's.
    if unsafe { user_access_copy(to, va as *const u8, len) } { Ok(()) } else { Err(fault(false)) }
}

/// Copies `len` bytes of kernel memory to user memory at `va`.
///
/// # Safety
/// `from` points to `len` readable bytes.
pub(crate) unsafe fn write_raw(va: usize, from: *const u8, len: usize) -> Result<(), Fault> {
    check(va, len, true)?;
    // SAFETY: the target is user memory, where a fault is fixed up; the source is the caller's.
    if unsafe { user_access_copy(va as *mut u8, from, len) } { Ok(()) } else { Err(fault(true)) }
}

/// Copies user memory at `va` into `buf`.
pub fn read(va: usize, buf: &mut [u8]) -> Result<(), Fault> {
    // SAFETY: `buf` is exclusively ours.
    unsafe { read_raw(buf.as_mut_ptr(), va, buf.len()) }
}

/// Copies `buf` into user memory at `va`.
pub fn write(va: usize, buf: &[u8]) -> Result<(), Fault> {
    // SAFETY: `buf` is readable.
    unsafe { write_raw(va, buf.as_ptr(), buf.len()) }
}

/// Copies a NUL-terminated string at `va` into `buf`; its length without the NUL, or `buf.len()` when there is none in that many bytes.
pub fn read_cstr(va: usize, buf: &mut [u8]) -> Result<usize, Fault> {
    check(va, 0, false)?;
    let most = buf.len().min(LIMIT - va);
    let mut length = 0;
    // SAFETY: the source stays below LIMIT, where a fault is fixed up; the target is `buf`, exclusively ours.
    if !unsafe { user_access_string(buf.as_mut_ptr(), va, most, &raw mut length) } {
        return Err(fault(false));
    }
    if length == most && most < buf.len() {
        return Err(Fault { addr: LIMIT, write: false });
    }
    Ok(length)
}

/// A futex word's address must be aligned.
fn check_word(va: usize, write: bool) -> Result<(), Fault> {
    if !va.is_multiple_of(4) {
        return Err(Fault { addr: va, write });
    }
    check(va, 4, write)
}

/// Loads the 32-bit word at `va`, atomically; a misaligned address is a fault.
pub fn load_u32(va: usize) -> Result<u32, Fault> {
    check_word(va, false)?;
    let mut value = 0;
    // SAFETY: an aligned user word, where a fault is fixed up.
    if unsafe { user_access_load(va, 0, 0, &raw mut value) } { Ok(value) } else { Err(fault(false)) }
}

/// Stores a 32-bit word at `va`, atomically; a misaligned address is a fault.
pub fn store_u32(va: usize, value: u32) -> Result<(), Fault> {
    check_word(va, true)?;
    // SAFETY: an aligned user word, where a fault is fixed up.
    if unsafe { user_access_store(va, value) } { Ok(()) } else { Err(fault(true)) }
}

/// Atomically replaces the word at `va` with `new` if it is `old`; the value that was there. A misaligned address is a fault.
pub fn cmpxchg_u32(va: usize, old: u32, new: u32) -> Result<u32, Fault> {
    check_word(va, true)?;
    let mut was = 0;
    // SAFETY: an aligned user word, where a fault is fixed up.
    if unsafe { user_access_cmpxchg(va, new, old, &raw mut was) } { Ok(was) } else { Err(fault(true)) }
}
