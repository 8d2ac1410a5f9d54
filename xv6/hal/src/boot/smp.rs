//! The other CPUs: each is reset, starts in real mode at [`TRAMPOLINE`], and climbs to long mode on the boot's page tables, whose
//! first 1 GiB is identity-mapped; then it takes the kernel's page table and its own data and stack.

use super::acpi::Tables;
use super::machine::{BOOT_STACK_PAGES, run_on, set_online};
use super::pvh::BACK;
use crate::cpu::local::{LOCALS, SWITCH, local, small_stack};
use crate::cpu::{self, setup};
use crate::irq::apic;
use crate::paging::tlb;
use crate::phys::direct;
use crate::sync::Once;
use crate::thread::stack::Stack;
use crate::trap::{self, entry};
use crate::x86;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Where the real-mode code is copied: a page below 1 MiB that the kernel does not otherwise use.
const TRAMPOLINE: u64 = 0x8000;

static FOUND: AtomicUsize = AtomicUsize::new(1);
/// The number of the next CPU to come up: they start all at once, and take what numbers they get.
static TICKET: AtomicU64 = AtomicU64::new(1);
/// The stacks they start on, for their first few calls: the boot's page tables do not map the stacks' part.
static START_STACKS: [AtomicU64; cpu::MAX] = [const { AtomicU64::new(0) }; cpu::MAX];
/// The ends of the stacks they then run on, their idle threads'.
static STACKS: [AtomicU64; cpu::MAX] = [const { AtomicU64::new(0) }; cpu::MAX];
static ENTRY: Once<fn() -> !> = Once::new();

/// CPUs found, this one included.
pub fn found() -> usize {
    FOUND.load(Ordering::Relaxed)
}

/// Numbers the CPUs: the running one is 0.
pub fn init(tables: &Tables) {
    let me = local().apic_id.load(Ordering::Relaxed);
    let others = tables.cpus[..tables.cpu_count].iter().filter(|&&id| u32::from(id) != me);
    let mut count = 1;
    for (local, &id) in LOCALS[1..].iter().zip(others) {
        local.apic_id.store(u32::from(id), Ordering::Relaxed);
        count += 1;
    }
    FOUND.store(count, Ordering::Relaxed);
}

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_end: u8;
    static boot_pml4: AtomicU64;
}

global_asm!(
    r#"
    .section .rodata.trampoline, "a"
    .code16
trampoline_start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov bx, offset trampoline_table
    lgdt [bx]
    mov eax, 0x11                   # PE
    mov cr0, eax
    .byte 0x66, 0xea                # far jump to the 32-bit segment
    .long {at} + 2f - trampoline_start
    .word 24
    .code32
2:  mov ax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov eax, 0x20                   # PAE
    mov cr4, eax
    mov eax, offset boot_pml4 + {back}
    mov cr3, eax
    mov ecx, 0xc0000080             # EFER: SCE, LME, NXE
    mov eax, 0x901
    xor edx, edx
    wrmsr
    mov eax, 0x80010033
    mov cr0, eax
    .byte 0xea                      # far jump to the 64-bit segment
    .long {at} + 3f - trampoline_start
    .word 8
    .code64
3:  mov edi, 1
    movabs rax, offset {ticket}
    lock xadd [rax], rdi            # this CPU's number
    movabs rax, offset {stacks}
    mov rsp, [rax + rdi * 8]
    xor ebp, ebp
    movabs rax, offset {main}
    call rax
    .balign 8
trampoline_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
trampoline_pointer:
    .word 31
    .long {at} + trampoline_gdt - trampoline_start
    .set trampoline_table, {at} + trampoline_pointer - trampoline_start
trampoline_end:
    .text
    "#,
    at = const TRAMPOLINE,
    back = const BACK,
    ticket = sym TICKET,
    stacks = sym START_STACKS,
    main = sym main,
);

/// Starts the others, and waits for them.
pub fn start(entry: fn() -> !) {
    let count = found();
    if count == 1 || ENTRY.get().is_some() {
        return;
    }
    ENTRY.call_once(|| entry);
    let (from, to) = (&raw const trampoline_start, &raw const trampoline_end);
    // SAFETY: the page below 1 MiB belongs to nobody; the direct map reaches it.
    unsafe { crate::mem::copy(direct(TRAMPOLINE), from, to as usize - from as usize) };
    for cpu in 1..count {
        let stack = Stack::new(BOOT_STACK_PAGES).expect("memory for a CPU's stack");
        STACKS[cpu].store(stack.top(), Ordering::Relaxed);
        core::mem::forget(stack);
        let root = tlb::new_root().expect("memory for a CPU's root page table");
        LOCALS[cpu].root.store(root.addr(), Ordering::Relaxed);
        core::mem::forget(root);
        START_STACKS[cpu].store(small_stack(cpu, SWITCH), Ordering::Release);
    }
    for local in &LOCALS[1..count] {
        apic::start_cpu(local.apic_id.load(Ordering::Relaxed), (TRAMPOLINE >> 12) as u8);
    }
    while super::online().count_ones() < count as u32 {
        cpu::pause();
    }
    retire_identity_map();
}

/// Takes the identity map, which is writable and executable, out of the boot's page table: nobody needs it any more.
fn retire_identity_map() {
    // SAFETY: no CPU runs on the boot's page table now.
    unsafe { boot_pml4.store(0, Ordering::Relaxed) };
}

/// The first Rust function of another CPU, which took number `index`.
extern "C" fn main(index: usize) -> ! {
    // SAFETY: this is CPU `index`, here once; the kernel's page table maps all that the boot's does but the identity map.
    unsafe {
        x86::set_cr3(LOCALS[index].root.load(Ordering::Relaxed));
        setup::set_local(index);
        trap::load();
        setup::init(&LOCALS[index], entry::syscall_entry as *const () as usize);
        apic::init();
        apic::unmask_timer();
        run_on(STACKS[index].load(Ordering::Relaxed), on_stack)
    }
}

/// Goes on, on this CPU's own stack.
extern "C" fn on_stack() -> ! {
    set_online(cpu::id());
    let entry = ENTRY.get().expect("set before CPUs are started");
    entry()
}
