//! Kernel stacks, each with an unmapped page below it: an overflow is a double fault, on a stack of its own, and a clear
//! panic. A few freed stacks are kept mapped for the next threads. An address whose mapping was removed is used again only after
//! all TLBs have been flushed, many at a time. The page tables of the stacks, and four bytes for each address, stay as many as there were
//! threads at once.

use crate::boot::layout::STACK_BASE;
use crate::frame::{Frame, SIZE};
use crate::paging::{kernel, tlb};
use crate::sync::{Rank, SpinLock};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of address space for a stack with its guard.
const SPAN: usize = 32 * SIZE;
/// The end of the stacks' part.
const END: usize = STACK_BASE + (1 << 39);
/// Stacks kept mapped.
const KEPT: usize = 32;
/// Addresses, numbered.
const SLOTS: u32 = ((END - STACK_BASE) / SPAN) as u32;
/// Unmapped addresses that wait for one flush.
const DIRTY: usize = 64;

/// Pages of all mapped stacks.
static MAPPED: AtomicUsize = AtomicUsize::new(0);

/// Bytes of stacks now, the free ones that are kept included.
pub fn bytes() -> usize {
    MAPPED.load(Ordering::Relaxed) * SIZE
}

/// A mapped stack.
pub struct Stack {
    /// Its lowest address.
    bottom: usize,
    pages: usize,
}

struct Pool {
    /// Mapped, and free.
    kept: Vec<Stack>,
    /// The numbers of unmapped addresses, those that were unmapped first in front.
    free: VecDeque<u32>,
    /// How many were ever taken from the front.
    taken: u64,
    /// Of all that were ever added to `free`, so many first ones are in no TLB.
    flushed: u64,
    /// Never used from here on.
    next: u32,
}

static POOL: SpinLock<Pool> = SpinLock::new(
    Rank::KernelMap,
    "kernel stacks",
    Pool { kept: Vec::new(), free: VecDeque::new(), taken: 0, flushed: 0, next: 0 },
);

impl Stack {
    /// A stack of `pages` pages, at most 31.
    pub fn new(pages: usize) -> Option<Stack> {
        assert!((1..SPAN / SIZE).contains(&pages), "a stack of {pages} pages");
        let mut pool = POOL.lock();
        if let Some(at) = pool.kept.iter().rposition(|stack| stack.pages == pages) {
            return Some(pool.kept.swap_remove(at));
        }
        let all = pool.taken + pool.free.len() as u64;
        let flush = pool.taken == pool.flushed && pool.free.len() >= DIRTY;
        drop(pool);
        if flush {
            tlb::shoot_kernel();
        }
        let mut pool = POOL.lock();
        if flush {
            pool.flushed = pool.flushed.max(all);
        }
        let slot = if pool.taken < pool.flushed {
            pool.taken += 1;
            pool.free.pop_front()?
        } else if pool.next < SLOTS {
            pool.next += 1;
            pool.next - 1
        } else {
            return None;
        };
        drop(pool);
        let bottom = STACK_BASE + (slot as usize + 1) * SPAN - pages * SIZE;
        MAPPED.fetch_add(pages, Ordering::Relaxed);
        for page in 0..pages {
            let mapped = Frame::alloc().and_then(|frame| kernel::map(bottom + page * SIZE, frame));
            if mapped.is_none() {
                MAPPED.fetch_sub(pages - page, Ordering::Relaxed);
                unmap(bottom, page);
                return None;
            }
        }
        Some(Stack { bottom, pages })
    }

    /// One past its highest address.
    pub fn top(&self) -> u64 {
        (self.bottom + self.pages * SIZE) as u64
    }
}

/// Gives back the memory of `pages` pages, and notes the address for later use.
fn unmap(bottom: usize, pages: usize) {
    for page in 0..pages {
        drop(kernel::unmap(bottom + page * SIZE));
    }
    MAPPED.fetch_sub(pages, Ordering::Relaxed);
    let mut pool = POOL.lock();
    // Without memory to note the address, it is lost; there are millions.
    if pool.free.try_reserve(1).is_ok() {
        pool.free.push_back(((bottom - STACK_BASE) / SPAN) as u32);
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        if pool.kept.len() < KEPT && pool.kept.try_reserve(1).is_ok() {
            pool.kept.push(Stack { bottom: self.bottom, pages: self.pages });
        } else {
            drop(pool);
            unmap(self.bottom, self.pages);
        }
    }
}

/// Whether an address lies in a guard page: a fault there is a stack overflow.
pub fn is_guard(va: usize) -> bool {
    (STACK_BASE..END).contains(&va)
}
