//! The kernel's page table: the image W^X, the direct map, the stacks. Built at boot, before there is a frame allocator. Its root is the first CPU's;
//! its top-level entries are copied into the other CPUs' roots, so none is added later.

use super::entry::{self, NO_EXECUTE, PRESENT, Table, UNCACHED, WRITE, slot, span};
use crate::boot::layout::{self, DIRECT_BASE, KERNEL_BASE, STACK_BASE};
use crate::cpu::local::local;
use crate::frame::{Frame, SIZE};
use crate::sync::{Rank, SpinLock};
use crate::x86;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Device registers lie here: the APICs, virtio-mmio.
const DEVICES: core::ops::Range<u64> = 0xfe00_0000..0x1_0000_0000;

static ROOT: AtomicU64 = AtomicU64::new(0);

/// Guards the kernel half's lower tables.
static LOCK: SpinLock<()> = SpinLock::new(Rank::KernelMap, "kernel page table", ());

/// Tables made for stacks since boot: as many as the most stacks there ever were need.
static TABLES: AtomicUsize = AtomicUsize::new(0);

/// Tables made since boot.
pub fn tables() -> usize {
    TABLES.load(Ordering::Relaxed)
}

/// The physical address of the root.
pub fn root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

/// Hands out zeroed frames for tables while the map is built: what lies behind the kernel image.
pub struct Early {
    /// The next frame's address.
    pub next: u64,
}

impl Early {
    fn table(&mut self) -> u64 {
        let addr = self.next;
        self.next += SIZE as u64;
        // SAFETY: memory behind the image that nobody uses, in the boot map.
        unsafe { crate::mem::zero_page(crate::phys::direct(addr)) };
        addr
    }

    /// The entry for `va` in the table of `level`, with new tables above it.
    fn entry(&mut self, root: u64, va: usize, level: u32) -> &'static AtomicU64 {
        let mut addr = root;
        for upper in (level + 1..=3).rev() {
            // SAFETY: a table built here.
            let place = unsafe { &entry::table(addr)[slot(va, upper)] };
            if place.load(Ordering::Relaxed) == 0 {
                place.store(self.table() | PRESENT | WRITE, Ordering::Relaxed);
            }
            addr = place.load(Ordering::Relaxed);
        }
        // SAFETY: a table built here.
        unsafe { &entry::table(addr)[slot(va, level)] }
    }

    fn map_large(&mut self, root: u64, range: core::ops::Range<u64>, flags: u64) {
        for addr in (range.start & !(span(1) as u64 - 1)..range.end).step_by(span(1)) {
            let place = self.entry(root, DIRECT_BASE + addr as usize, 1);
            if place.load(Ordering::Relaxed) == 0 {
                place.store(addr | flags | entry::LARGE | PRESENT | WRITE | NO_EXECUTE, Ordering::Relaxed);
            }
        }
    }
}

/// Builds the kernel's page table over memory up to `top`, and uses it on this CPU.
///
/// # Safety
/// On the first CPU, while the boot map is in use; `early` is memory that nothing else uses.
pub unsafe fn init(early: &mut Early, top: u64) {
    let root = early.table();
    let [text, rodata, data, end] = layout::image();
    // The direct map must be no way around the image's protection: it leaves out text and read-only data.
    let [first, last] = [text, data].map(|va| va - KERNEL_BASE);
    for addr in (first & !(span(1) - 1)..last.next_multiple_of(span(1))).step_by(SIZE) {
        let place = early.entry(root, DIRECT_BASE + addr, 0);
        if !(first..last).contains(&addr) {
            place.store(addr as u64 | PRESENT | WRITE | NO_EXECUTE, Ordering::Relaxed);
        }
    }
    early.map_large(root, DEVICES, UNCACHED);
    early.map_large(root, 0..top.min(DEVICES.start), 0);
    if top > DEVICES.end {
        early.map_large(root, DEVICES.end..top, 0);
    }
    for va in (text..end).step_by(SIZE) {
        let flags = match va {
            va if va < rodata => PRESENT,
            va if va < data => PRESENT | NO_EXECUTE,
            _ => PRESENT | WRITE | NO_EXECUTE,
        };
        early.entry(root, va, 0).store((va - KERNEL_BASE) as u64 | flags, Ordering::Relaxed);
    }
    early.entry(root, STACK_BASE, 2);
    ROOT.store(root, Ordering::Relaxed);
    local().root.store(root, Ordering::Relaxed);
    // SAFETY: it maps all that the kernel uses.
    unsafe { x86::set_cr3(root) };
}

/// Maps `frame` at the kernel address `va`, in the stacks' part. `None` when there is no memory for a table.
pub fn map(va: usize, frame: Frame) -> Option<()> {
    let place = leaf(va)?;
    place.store(u64::from(frame.into_index()) << 12 | PRESENT | WRITE | NO_EXECUTE, Ordering::Release);
    Some(())
}

/// Removes the page at `va`. TLBs may remember it: the address is not used again before all have been flushed.
pub fn unmap(va: usize) -> Option<Frame> {
    let old = leaf(va)?.swap(0, Ordering::AcqRel);
    // SAFETY: a present entry in the stacks' part holds a reference, and is gone.
    (old & PRESENT != 0).then(|| unsafe { Frame::from_index(entry::index(old)) })
}

fn leaf(va: usize) -> Option<&'static AtomicU64> {
    let _guard = LOCK.lock();
    let mut addr = root();
    for level in (1..=3).rev() {
        // SAFETY: the kernel's tables are never freed.
        let table: &Table = unsafe { entry::table(addr) };
        let place = &table[slot(va, level)];
        if place.load(Ordering::Relaxed) == 0 {
            let frame = Frame::zeroed()?;
            place.store(u64::from(frame.into_index()) << 12 | PRESENT | WRITE, Ordering::Release);
            TABLES.fetch_add(1, Ordering::Relaxed);
        }
        addr = place.load(Ordering::Relaxed);
    }
    // SAFETY: as above.
    Some(unsafe { &entry::table(addr)[slot(va, 0)] })
}
