//! Running a space, leaving it, and asking other CPUs to forget. The opening of [`tlb`](super) says why it is right.

use super::machine::{LOCALS, Local, forget_all, forget_page, interrupt, local, online, root};
use crate::paging::leaves::Leaves;
use crate::paging::space::{Changes, FEW, Space};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use core::ptr::null_mut;

/// The request under way. Its fields are set before `waiting`, and stay until all have answered.
struct Request {
    taken: AtomicBool,
    /// CPUs that have not answered.
    waiting: AtomicU32,
    /// The space's address, which is compared only; 0: the kernel's part.
    space: AtomicUsize,
    /// The pages to forget; more than [`FEW`]: all. [`RETIRE`]: stop using the space.
    count: AtomicUsize,
    pages: [AtomicUsize; FEW],
}

const RETIRE: usize = usize::MAX;

/// Pages forgotten one by one where a space is left. A small program uses 27 or so from its start to its end; emptying the TLB of all then makes
/// a fork, exec and wait a sixth slower.
const MOST: usize = 64;

static REQUEST: Request = Request {
    taken: AtomicBool::new(false),
    waiting: AtomicU32::new(0),
    space: AtomicUsize::new(0),
    count: AtomicUsize::new(0),
    pages: [const { AtomicUsize::new(0) }; FEW],
};

fn active(local: &Local, space: &Space) -> bool {
    core::ptr::eq(local.space.load(Ordering::Relaxed), space)
}

/// Whether this CPU has an active space.
#[inline]
pub fn any_active() -> bool {
    !local().space.load(Ordering::Relaxed).is_null()
}

/// The running CPU's bit in a space's `cpus`.
#[inline]
pub fn this_cpu() -> u32 {
    1 << local().id
}

/// Makes `space` this CPU's.
pub fn activate(space: &Space) {
    let local = local();
    if active(local, space) {
        return;
    }
    leave(local);
    let state = space.lock_silently();
    space.cpus.store(space.cpus.load(Ordering::Relaxed) | 1 << local.id, Ordering::Relaxed);
    let root = root(local);
    space.for_each_top(&state, |slot, entry| root[slot].store(entry, Ordering::Relaxed));
    local.space.store((&raw const *space).cast_mut(), Ordering::Release);
}

/// Leaves the space that this CPU runs, if any.
pub fn activate_kernel() {
    leave(local());
}

/// Takes this CPU's space out of its root and its TLB.
fn leave(local: &Local) {
    // SAFETY: a space that a CPU runs is alive: its owner waits in `retire` until the CPU's bit is clear, and then for the lock.
    let Some(space) = (unsafe { local.space.load(Ordering::Relaxed).as_ref() }) else { return };
    let mut state = space.lock_silently();
    local.space.store(null_mut(), Ordering::Relaxed);
    let root = root(local);
    space.for_each_top(&state, |slot, _| root[slot].store(0, Ordering::Relaxed));
    let others = space.cpus.load(Ordering::Relaxed) & !(1 << local.id);
    let settled = state.changes.is_none() && state.under_way == 0;
    // One page, whichever, takes what the CPU knows of upper entries along: it walks these tables no more.
    forget_page(0);
    if !(others == 0 && settled && forget_used(&mut state.leaves)) {
        forget_all();
    }
    space.cpus.store(others, Ordering::Release);
}

/// Forgets the pages marked as used; false if they are too many for that, or not all known.
fn forget_used(leaves: &mut Leaves) -> bool {
    let mut count = 0;
    let mut forget = |page| {
        count += 1;
        if count <= MOST {
            forget_page(page);
        }
    };
    // SAFETY: this CPU alone has run the space, and has no more way to its tables; they are those added, under the lock.
    unsafe { leaves.take_used(&mut forget) };
    leaves.is_complete() && count <= MOST
}

/// Changes an entry in the roots of the CPUs that run `space`, whose lock is held.
pub fn set_top(space: &Space, slot: usize, value: u64) {
    let cpus = space.cpus.load(Ordering::Relaxed);
    for local in LOCALS.iter().filter(|local| cpus & 1 << local.id != 0) {
        root(local)[slot].store(value, Ordering::Release);
    }
}

fn invalidate(pages: impl Iterator<Item = usize>, count: usize) {
    if count > FEW {
        forget_all();
    } else {
        // One page, whichever, takes the way to tables that are gone along, though no page of them was used.
        pages.take(count.max(1)).for_each(forget_page);
    }
}

/// Flushes `changes` of a space that no other CPU runs; its lock is held.
pub fn forget(space: &Space, changes: &Changes) {
    if active(local(), space) {
        invalidate(changes.pages.iter().copied(), changes.count);
    }
}

/// Flushes `changes` here and on all CPUs that run `space`.
pub fn shoot(space: &Space, changes: &Changes) {
    let local = local();
    if active(local, space) {
        invalidate(changes.pages.iter().copied(), changes.count);
    }
    // Who ran it when the changes were taken, under the lock, is seen here; who starts later sees the tables as they are now.
    if space.cpus.load(Ordering::Acquire) & !(1 << local.id) != 0 {
        ask(space, changes.count, &changes.pages);
    }
}

/// Stops the use of `space`, which is about to be freed, on all CPUs.
pub fn retire(space: &Space) {
    let local = local();
    if active(local, space) {
        leave(local);
    }
    if space.cpus.load(Ordering::Acquire) != 0 {
        ask(space, RETIRE, &[]);
    }
}

/// Makes all CPUs forget everything.
pub fn shoot_kernel() {
    forget_all();
    lock(&REQUEST.taken);
    REQUEST.space.store(0, Ordering::Relaxed);
    send(online() & !(1 << local().id));
}

/// Asks the CPUs in `mask`, waits for their answers, and ends our turn.
fn send(mask: u32) {
    REQUEST.waiting.store(mask, Ordering::SeqCst);
    for cpu in (0..LOCALS.len()).filter(|cpu| mask & 1 << cpu != 0) {
        interrupt(cpu);
    }
    while REQUEST.waiting.load(Ordering::Acquire) != 0 {
        crate::cpu::relax();
    }
    REQUEST.taken.store(false, Ordering::Release);
}

/// Takes a spin flag.
fn lock(flag: &AtomicBool) {
    while flag.swap(true, Ordering::Acquire) {
        crate::cpu::pause();
    }
}

/// Asks the other CPUs that run `space`, and waits.
fn ask(space: &Space, count: usize, pages: &[usize]) {
    lock(&REQUEST.taken);
    REQUEST.space.store((&raw const *space).addr(), Ordering::Relaxed);
    REQUEST.count.store(count, Ordering::Relaxed);
    for (slot, &page) in REQUEST.pages.iter().zip(pages) {
        slot.store(page, Ordering::Relaxed);
    }
    send(space.cpus.load(Ordering::Acquire) & !(1 << local().id));
}

/// Does what a request asks of this CPU, if one does.
pub fn answer() {
    let local = local();
    let bit = 1 << local.id;
    if REQUEST.waiting.load(Ordering::Acquire) & bit == 0 {
        return;
    }
    let space = REQUEST.space.load(Ordering::Relaxed);
    if space == 0 {
        forget_all();
    } else if local.space.load(Ordering::Relaxed).addr() == space {
        match REQUEST.count.load(Ordering::Relaxed) {
            RETIRE => leave(local),
            count => invalidate(REQUEST.pages.iter().map(|page| page.load(Ordering::Relaxed)), count),
        }
    }
    REQUEST.waiting.fetch_and(!bit, Ordering::Release);
}

/// A model's execution begins: loom knows the request from before there is a second CPU on.
#[cfg(loom)]
pub fn begin() {
    REQUEST.taken.store(false, Ordering::Relaxed);
    REQUEST.waiting.store(0, Ordering::Relaxed);
    REQUEST.space.store(0, Ordering::Relaxed);
    REQUEST.count.store(0, Ordering::Relaxed);
    REQUEST.pages.iter().for_each(|page| page.store(0, Ordering::Relaxed));
}
