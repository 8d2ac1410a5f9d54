//! The entry: QEMU starts the kernel in 32-bit protected mode at the address in the PVH note, with `ebx` pointing to
//! `hvm_start_info`. The assembly turns on long mode with the tables below and jumps to [`super::boot_main`] in the top
//! 2 GiB. Its page tables (2 MiB pages over the first GiB: as they are, in the direct map, and at the kernel's
//! base) serve until the real ones are built, and for the other CPUs' way up.

use super::boot_main;
use crate::phys::direct;
use core::arch::global_asm;

/// Added to an address in the image, gives the physical one: `-KERNEL_BASE`, in 64-bit arithmetic.
pub(super) const BACK: u64 = 0u64.wrapping_sub(super::layout::KERNEL_BASE as u64);

global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18                  # name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry + {back}

    .section .boot.text, "ax"
    .code32
    .global pvh_entry
pvh_entry:
    cli
    cld
    mov esi, ebx
    mov eax, cr4
    or eax, 0x20                    # PAE
    mov cr4, eax
    mov eax, offset boot_pml4 + {back}
    mov cr3, eax
    mov ecx, 0xc0000080             # EFER: SCE, LME, NXE
    rdmsr
    or eax, 0x901
    wrmsr
    mov eax, 0x80010033             # PG, WP, NE, ET, MP, PE
    mov cr0, eax
    mov eax, offset boot_gdt_pointer + {back}
    lgdt [eax]
    .byte 0xea                      # far jump to the 64-bit segment
    .long 2f + {back}
    .word 8
    .code64
2:  mov ax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rsp, offset boot_stack_top
    xor ebp, ebp
    mov edi, esi
    mov rax, offset {main}
    call rax

    .section .data.boot, "aw"
    .balign 8
    .global boot_gdt_pointer
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .word 23
    .quad boot_gdt + {back}

    .balign 4096
    .global boot_pml4
boot_pml4:
    .quad boot_pdpt_low + {back} + 3
    .fill 255, 8, 0
    .quad boot_pdpt_low + {back} + 3
    .fill 254, 8, 0
    .quad boot_pdpt_high + {back} + 3
boot_pdpt_low:
    .quad boot_pd + {back} + 3
    .fill 511, 8, 0
boot_pdpt_high:
    .fill 510, 8, 0
    .quad boot_pd + {back} + 3
    .quad 0
boot_pd:
    .set page, 0x83
    .rept 512
    .quad page
    .set page, page + 0x200000
    .endr

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_stack:
    .skip 32768
boot_stack_top:
    .text
    "#,
    back = const BACK,
    main = sym boot_main,
);

/// `hvm_start_info`, version 1 (Xen's public/arch-x86/hvm/start_info.h).
#[repr(C)]
pub struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    module_list: u64,
    /// Physical address of the command line, a C string.
    pub cmdline: u64,
    /// Physical address of the ACPI RSDP, or 0.
    pub rsdp: u64,
    memory_map: u64,
    memory_entries: u32,
    reserved: u32,
}

/// One range of the memory map.
#[repr(C)]
pub struct MemoryRange {
    /// Physical address.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// What it is: [`MemoryRange::RAM`], or something that is no business of ours.
    pub kind: u32,
    reserved: u32,
}

impl MemoryRange {
    /// The `kind` of ordinary memory.
    pub const RAM: u32 = 1;
}

impl StartInfo {
    /// The structure at a physical address, or `None` if it is not one.
    ///
    /// # Safety
    /// `addr` is what the boot loader passed, and lies in the first GiB, which is still mapped.
    pub unsafe fn at(addr: u64) -> Option<&'static StartInfo> {
        // SAFETY: the caller says the loader put it there; nothing writes to it.
        let info = unsafe { &*direct(addr).cast::<StartInfo>() };
        (info.magic == 0x336e_c578 && info.version >= 1).then_some(info)
    }

    /// The memory map.
    pub fn memory(&self) -> &'static [MemoryRange] {
        let start = direct(self.memory_map).cast::<MemoryRange>();
        // SAFETY: the loader says that this many entries lie there; nothing writes to them.
        unsafe { core::slice::from_raw_parts(start, self.memory_entries as usize) }
    }
}
