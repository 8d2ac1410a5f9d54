//! The first CPU's way from long mode to `kernel_main`.

use super::layout::{self, KERNEL_BASE};
use super::pvh::{MemoryRange, StartInfo};
use super::{acpi, smp};
use crate::cpu::local::LOCALS;
use crate::cpu::setup;
use crate::frame::{Frame, SIZE, buddy};
use crate::irq::{apic, ioapic};
use crate::paging::kernel;
use crate::phys::direct;
use crate::sync::Once;
use crate::thread::stack::Stack;
use crate::trap::{self, entry};
use crate::{dev, time};
use alloc::string::String;
use core::arch::asm;
use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

unsafe extern "C" {
    /// The kernel's first function.
    fn kernel_main() -> !;
}

/// Pages of a CPU's first stack, which becomes its idle thread's.
pub const BOOT_STACK_PAGES: usize = 16;

/// Bit `n`: CPU `n` runs.
static ONLINE: AtomicU32 = AtomicU32::new(1);
static START_INFO: AtomicU64 = AtomicU64::new(0);
static CMDLINE: Once<String> = Once::new();

/// The CPUs that run, as a mask.
pub fn online() -> u32 {
    ONLINE.load(Ordering::Acquire)
}

/// Counts CPU `index` in.
pub fn set_online(index: usize) {
    ONLINE.fetch_or(1 << index, Ordering::Release);
}

/// The kernel command line.
pub fn cmdline() -> &'static str {
    CMDLINE.get().map_or("", String::as_str)
}

/// The first Rust function, on the boot stack and the boot page table, with the address of QEMU's `hvm_start_info`.
pub(crate) extern "C" fn boot_main(start_info: u64) -> ! {
    // SAFETY: this is the first CPU, here once; each step finds what it needs set up by those before.
    unsafe {
        setup::set_local(0);
        time::start();
        dev::serial::init();
        trap::init();
        trap::load();
        setup::init(&LOCALS[0], entry::syscall_entry as *const () as usize);
        let Some(info) = StartInfo::at(start_info) else {
            panic!("not booted by PVH: no start info at {start_info:#x}")
        };
        let (ranges, count, top) = memory(info.memory());
        let [.., end] = layout::image();
        let mut early = kernel::Early { next: (end - KERNEL_BASE) as u64 };
        kernel::init(&mut early, top);
        give_memory(&ranges[..count], early.next);
        // While there surely is memory for it.
        drop(Frame::zero_page());
        apic::init();
        time::start_measuring();
        let stack = Stack::new(BOOT_STACK_PAGES).expect("memory for the first stack");
        START_INFO.store(start_info, Ordering::Relaxed);
        let top = stack.top();
        core::mem::forget(stack);
        run_on(top, on_stack)
    }
}

/// Goes on, with memory, on a guarded stack.
extern "C" fn on_stack() -> ! {
    // SAFETY: as in `boot_main`; the loader's data lie below the first MiB or in memory that is not RAM to us.
    unsafe {
        let info = StartInfo::at(START_INFO.load(Ordering::Relaxed)).expect("it was there a moment ago");
        CMDLINE.call_once(|| {
            let text = CStr::from_ptr(direct(info.cmdline).cast());
            String::from_utf8_lossy(text.to_bytes()).into_owned()
        });
        let tables = acpi::find(info.rsdp);
        smp::init(&tables);
        ioapic::init(tables.io_apics);
        dev::serial::connect();
        dev::find();
        time::calibrate();
        kernel_main()
    }
}

/// Leaves the present stack for good and calls `f` on the stack that ends at `top`.
///
/// # Safety
/// The stack is mapped and nobody else's, and `f` may be called.
pub unsafe fn run_on(top: u64, f: unsafe extern "C" fn() -> !) -> ! {
    // SAFETY: passed on to the caller; what is left on the old stack is never used again.
    unsafe { asm!("mov rsp, {}", "xor ebp, ebp", "call {}", "ud2", in(reg) top, in(reg) f, options(noreturn)) }
}

/// The ranges of usable memory above the first MiB, in frames, how many there are, and the end of all that the direct map shall cover.
fn memory(map: &[MemoryRange]) -> ([(u32, u32); 8], usize, u64) {
    let (mut ranges, mut count, mut top) = ([(0, 0); 8], 0, 0);
    for range in map {
        let end = range.start + range.size;
        if range.kind != MemoryRange::RAM {
            continue;
        }
        top = top.max(end);
        let (first, last) = (range.start.max(1 << 20).div_ceil(SIZE as u64), end / SIZE as u64);
        if first < last && count < ranges.len() {
            ranges[count] = (first as u32, last as u32);
            count += 1;
        }
    }
    (ranges, count, top.next_multiple_of(2 << 20))
}

/// Gives the frame allocator its memory: what lies above the image and the early tables, which end at `used`.
///
/// # Safety
/// As for [`buddy::init`].
unsafe fn give_memory(ranges: &[(u32, u32)], used: u64) {
    let used = used.div_ceil(SIZE as u64) as u32;
    let mut usable = [(0, 0); 8];
    let mut count = 0;
    for &(start, end) in ranges {
        // What lies between the first MiB and the image (a MiB) is left alone: the loader's data may be there.
        let start = start.max(used);
        if start < end {
            usable[count] = (start, end);
            count += 1;
        }
    }
    // SAFETY: passed on to the caller.
    unsafe { buddy::init(&usable[..count]) };
}
