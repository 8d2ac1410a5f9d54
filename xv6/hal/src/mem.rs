//! Bulk memory. QEMU's TCG runs `rep movs` an element at a time, so everything here is unrolled over 64-bit registers; on the
//! machine these are also the compiler's `memcpy`, `memmove`, `memset`, `memcmp`. (The kernel is soft-float, and TCG does SSE as pairs of
//! 64-bit moves anyway.) The `hal_` names are for memory that may change under us: the compiler knows nothing of them.

#[cfg(target_os = "none")]
core::arch::global_asm!(
    r#"
    .macro move8 off
    mov r8, [rsi + \off]
    mov r9, [rsi + \off + 8]
    mov r10, [rsi + \off + 16]
    mov r11, [rsi + \off + 24]
    mov [rdi + \off], r8
    mov [rdi + \off + 8], r9
    mov [rdi + \off + 16], r10
    mov [rdi + \off + 24], r11
    .endm

    .global memcpy, memmove, memset, memcmp, bcmp, hal_copy, hal_fill
    .balign 16
hal_copy:
memcpy:
    mov rax, rdi
    cmp rdx, 32
    jb 5f
2:  cmp rdx, 64
    jb 4f
    mov rcx, rdx
    shr rcx, 6
3:  move8 0
    move8 32
    add rsi, 64
    add rdi, 64
    dec rcx
    jnz 3b
    and edx, 63
    jz 9f
    cmp edx, 32
    jb 10f
4:  move8 0
    cmp edx, 32
    je 9f
10: lea rsi, [rsi + rdx - 32]       # the last 32 bytes, some of them for the second time
    lea rdi, [rdi + rdx - 32]
    move8 0
9:  ret
5:  cmp edx, 8
    jb 7f
    cmp edx, 16
    jb 6f
    mov r8, [rsi]
    mov r9, [rsi + 8]
    mov r10, [rsi + rdx - 16]
    mov r11, [rsi + rdx - 8]
    mov [rdi], r8
    mov [rdi + 8], r9
    mov [rdi + rdx - 16], r10
    mov [rdi + rdx - 8], r11
    ret
6:  mov r8, [rsi]
    mov r9, [rsi + rdx - 8]
    mov [rdi], r8
    mov [rdi + rdx - 8], r9
    ret
7:  cmp edx, 4
    jb 8f
    mov r8d, [rsi]
    mov r9d, [rsi + rdx - 4]
    mov [rdi], r8d
    mov [rdi + rdx - 4], r9d
    ret
8:  test edx, edx
    jz 9b
    mov r8b, [rsi]
    mov [rdi], r8b
    inc rsi
    inc rdi
    dec edx
    jmp 8b

    .balign 16
memmove:
    mov rcx, rdi
    sub rcx, rsi
    cmp rcx, rdx
    jb 12f                          # the target starts inside the source: backwards
    neg rcx
    cmp rcx, rdx
    jae memcpy                      # apart
    mov rax, rdi
    mov rcx, rdx
    shr rcx, 3
    jz 11f
10: mov r8, [rsi]
    mov [rdi], r8
    add rsi, 8
    add rdi, 8
    dec rcx
    jnz 10b
11: and edx, 7
    jmp 8b
12: mov rax, rdi
    test rcx, rcx
    jz 9b
13: cmp rdx, 8
    jb 14f
    mov r8, [rsi + rdx - 8]
    mov [rdi + rdx - 8], r8
    sub rdx, 8
    jmp 13b
14: test rdx, rdx
    jz 9b
    mov r8b, [rsi + rdx - 1]
    mov [rdi + rdx - 1], r8b
    dec rdx
    jmp 14b

    .balign 16
hal_fill:
memset:
    mov rax, rdi
    movzx esi, sil
    movabs r8, 0x0101010101010101
    imul rsi, r8
    cmp rdx, 8
    jb 18f
    mov [rdi + rdx - 8], rsi        # the end, perhaps for the second time
    mov rcx, rdx
    shr rcx, 6
    jz 16f
15: mov [rdi], rsi
    mov [rdi + 8], rsi
    mov [rdi + 16], rsi
    mov [rdi + 24], rsi
    mov [rdi + 32], rsi
    mov [rdi + 40], rsi
    mov [rdi + 48], rsi
    mov [rdi + 56], rsi
    add rdi, 64
    dec rcx
    jnz 15b
16: and edx, 63
    shr edx, 3
    jz 9b
17: mov [rdi], rsi
    add rdi, 8
    dec edx
    jnz 17b
    ret
18: test edx, edx
    jz 9b
    mov [rdi], sil
    inc rdi
    dec edx
    jmp 18b

    .balign 16
bcmp:
memcmp:
    cmp rdx, 8
    jb 20f
19: mov rax, [rdi]
    mov rcx, [rsi]
    cmp rax, rcx
    jne 22f
    add rdi, 8
    add rsi, 8
    sub rdx, 8
    cmp rdx, 8
    jae 19b
    test edx, edx
    jz 21f
    mov rax, [rdi + rdx - 8]        # the last 8 bytes, some of them for the second time
    mov rcx, [rsi + rdx - 8]
    cmp rax, rcx
    jne 22f
21: xor eax, eax
    ret
20: cmp edx, 4
    jb 23f
    mov eax, [rdi]
    mov ecx, [rsi]
    cmp eax, ecx
    jne 24f
    mov eax, [rdi + rdx - 4]        # likewise 4
    mov ecx, [rsi + rdx - 4]
    cmp eax, ecx
    je 21b
24: bswap eax
    bswap ecx
    cmp eax, ecx
    sbb eax, eax
    or eax, 1
    ret
22: bswap rax
    bswap rcx
    cmp rax, rcx
    sbb eax, eax
    or eax, 1
    ret
23: test edx, edx
    jz 21b
    movzx eax, byte ptr [rdi]
    movzx ecx, byte ptr [rsi]
    inc rdi
    inc rsi
    dec edx
    sub eax, ecx
    jz 23b
    ret
    "#
);

#[cfg(target_os = "none")]
unsafe extern "C" {
    fn hal_copy(to: *mut u8, from: *const u8, count: usize) -> *mut u8;
    fn hal_fill(to: *mut u8, byte: i32, count: usize) -> *mut u8;
}

/// Copies `count` bytes.
///
/// # Safety
/// Both ranges are mapped, and do not overlap; racing writers mix bytes, no more.
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
    #[cfg(target_os = "none")]
    // SAFETY: passed on to the caller.
    unsafe {
        hal_copy(to, from, count);
    }
    #[cfg(not(target_os = "none"))]
    // SAFETY: passed on to the caller.
    unsafe {
        core::ptr::copy(from, to, count);
    }
}

/// Sets `count` bytes.
///
/// # Safety
/// The range is mapped and may be overwritten.
pub(crate) unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
    #[cfg(target_os = "none")]
    // SAFETY: passed on to the caller.
    unsafe {
        hal_fill(to, i32::from(byte), count);
    }
    #[cfg(not(target_os = "none"))]
    // SAFETY: passed on to the caller.
    unsafe {
        core::ptr::write_bytes(to, byte, count);
    }
}

/// Copies a page.
///
/// # Safety
/// As for [`copy`].
pub(crate) unsafe fn copy_page(to: *mut u8, from: *const u8) {
    // SAFETY: passed on to the caller.
    unsafe { copy(to, from, crate::frame::SIZE) };
}

/// Zeros a page.
///
/// # Safety
/// As for [`fill`].
pub(crate) unsafe fn zero_page(to: *mut u8) {
    // SAFETY: passed on to the caller.
    unsafe { fill(to, 0, crate::frame::SIZE) };
}
