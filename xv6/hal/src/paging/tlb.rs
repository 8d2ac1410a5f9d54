//! The CPUs' side of page tables: which one each runs, and making TLBs forget.
//!
//! Each CPU has a root of its own, which stays in CR3: its kernel half is the kernel's, its user half a copy of the upper entries of the space
//! that it runs. For QEMU's TCG empties the whole TLB, the kernel's part and what it knows of the code with it, at every write of CR3, whatever
//! CR4.PGE says; going from one process to another and back costs 20 microseconds that way, and a quarter of that page by page.
//!
//! So a CPU that leaves a space forgets the pages it has used ([`leave`]). That is right because
//!
//! - all that the CPU's TLB holds of user addresses are pages of the space it runs, each of which, since nobody else can have taken the mark
//!   away without noting it, is marked [`ACCESSED`](super::entry::ACCESSED), or among the space's pending changes, or in a flush that has taken these;
//! - under the space's lock it can tell: other CPUs run the space, whose use of the marks it must not spoil; changes are pending; a flush
//!   is under way (the generations differ): in each of these cases it forgets everything instead.
//!
//! A flush invalidates here; where no other CPU runs the space, that is all ([`forget`]). Otherwise it asks every other CPU that runs it to do the
//! same, and waits. They answer from the interrupt in user mode, or when they next spin ([`answer`]). An idle CPU runs no space, so it is never
//! asked. One request is under way at a time; who waits for its turn answers meanwhile.

#[cfg(target_os = "none")]
pub(crate) use machine::{
    activate, activate_kernel, answer, any_active, forget, new_root, retire, set_top, shoot, shoot_kernel, this_cpu,
};

#[cfg(not(target_os = "none"))]
pub(crate) use hosted::{activate, activate_kernel, forget, retire, set_top, shoot, this_cpu};

#[cfg(target_os = "none")]
mod machine {
    use crate::cpu::local::{LOCALS, Local, local};
    use crate::frame::Frame;
    use crate::irq::{apic, vector};
    use crate::mem;
    use crate::paging::entry::{self, Table};
    use crate::paging::kernel;
    use crate::paging::leaves::Leaves;
    use crate::paging::space::{Changes, FEW, Space};
    use crate::x86;
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

    /// The request under way. Its fields are set before `waiting`, and stay until all have answered.
    struct Request {
        taken: AtomicBool,
        /// CPUs that have not answered.
        waiting: AtomicU32,
        space: AtomicPtr<Space>,
        /// The space's generation with this flush.
        generation: AtomicU64,
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
        space: AtomicPtr::new(null_mut()),
        generation: AtomicU64::new(0),
        count: AtomicUsize::new(0),
        pages: [const { AtomicUsize::new(0) }; FEW],
    };

    /// A root for a CPU: the kernel's half, and no space.
    pub fn new_root() -> Option<Frame> {
        let root = Frame::zeroed()?;
        let half = crate::frame::SIZE / 2;
        // SAFETY: both are whole frames; the kernel's top-level entries never change once set.
        unsafe { mem::copy(root.pointer().add(half), crate::phys::direct(kernel::root()).add(half), half) };
        Some(root)
    }

    /// A CPU's root.
    fn root(local: &Local) -> &Table {
        // SAFETY: set before the CPU runs any space, and never freed.
        unsafe { entry::table(local.root.load(Ordering::Relaxed)) }
    }

    /// Empties this CPU's TLB.
    fn forget_all() {
        // SAFETY: the same table again.
        unsafe { x86::set_cr3(x86::cr3()) };
    }

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
        space.cpus.fetch_or(1 << local.id, Ordering::SeqCst);
        local.generation.set(space.generation.load(Ordering::SeqCst));
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
        let alone = space.cpus.load(Ordering::SeqCst) == 1 << local.id;
        let settled = state.changes.is_none() && local.generation.get() == space.generation.load(Ordering::SeqCst);
        // One page, whichever, takes what the CPU knows of upper entries along: it walks these tables no more.
        x86::invlpg(0);
        if !(alone && settled && forget_used(&mut state.leaves)) {
            forget_all();
        }
        space.cpus.fetch_and(!(1 << local.id), Ordering::SeqCst);
    }

    /// Forgets the pages marked as used; false if they are too many for that, or not all known.
    fn forget_used(leaves: &mut Leaves) -> bool {
        let mut count = 0;
        let mut forget = |page| {
            count += 1;
            if count <= MOST {
                x86::invlpg(page);
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
            pages.take(count).for_each(x86::invlpg);
        }
    }

    /// Flush `generation` of the space that this CPU runs is done here. Unless one before is still to come, the CPU is up to date.
    fn done(local: &Local, generation: u64) {
        if local.generation.get() + 1 == generation {
            local.generation.set(generation);
        }
    }

    /// Flushes `changes` of a space that no other CPU runs; its lock is held.
    pub fn forget(space: &Space, changes: &Changes) {
        if active(local(), space) {
            invalidate(changes.pages.iter().copied(), changes.count);
        }
    }

    /// Flushes `changes` here and on all CPUs that run `space`.
    pub fn shoot(space: &Space, changes: &Changes, generation: u64) {
        let local = local();
        if active(local, space) {
            invalidate(changes.pages.iter().copied(), changes.count);
            done(local, generation);
        }
        // The tables' changes are visible before we look who else runs it; who starts later sees them.
        fence(Ordering::SeqCst);
        if space.cpus.load(Ordering::SeqCst) & !(1 << local.id) != 0 {
            ask(space, generation, changes.count, &changes.pages);
        }
    }

    /// Stops the use of `space`, which is about to be freed, on all CPUs.
    pub fn retire(space: &Space) {
        let local = local();
        if active(local, space) {
            leave(local);
        }
        if space.cpus.load(Ordering::SeqCst) != 0 {
            ask(space, 0, RETIRE, &[]);
        }
    }

    /// Makes all CPUs forget everything.
    pub fn shoot_kernel() {
        forget_all();
        lock(&REQUEST.taken);
        REQUEST.space.store(null_mut(), Ordering::Relaxed);
        send(crate::boot::online() & !(1 << local().id));
    }

    /// Asks the CPUs in `mask`, waits for their answers, and ends our turn.
    fn send(mask: u32) {
        REQUEST.waiting.store(mask, Ordering::SeqCst);
        for cpu in (0..LOCALS.len()).filter(|cpu| mask & 1 << cpu != 0) {
            apic::send(cpu, vector::SHOOTDOWN);
        }
        while REQUEST.waiting.load(Ordering::Acquire) != 0 {
            core::hint::spin_loop();
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
    fn ask(space: &Space, generation: u64, count: usize, pages: &[usize]) {
        lock(&REQUEST.taken);
        REQUEST.space.store((&raw const *space).cast_mut(), Ordering::Relaxed);
        REQUEST.generation.store(generation, Ordering::Relaxed);
        REQUEST.count.store(count, Ordering::Relaxed);
        for (slot, &page) in REQUEST.pages.iter().zip(pages) {
            slot.store(page, Ordering::Relaxed);
        }
        send(space.cpus.load(Ordering::SeqCst) & !(1 << local().id));
    }

    /// Does what a request asks of this CPU, if one does.
    pub fn answer() {
        let local = local();
        let bit = 1 << local.id;
        if REQUEST.waiting.load(Ordering::Acquire) & bit == 0 {
            return;
        }
        let space = REQUEST.space.load(Ordering::Relaxed);
        if space.is_null() {
            forget_all();
        } else if core::ptr::eq(local.space.load(Ordering::Relaxed), space) {
            match REQUEST.count.load(Ordering::Relaxed) {
                RETIRE => leave(local),
                count => {
                    invalidate(REQUEST.pages.iter().map(|page| page.load(Ordering::Relaxed)), count);
                    done(local, REQUEST.generation.load(Ordering::Relaxed));
                }
            }
        }
        REQUEST.waiting.fetch_and(!bit, Ordering::Release);
    }
}

#[cfg(not(target_os = "none"))]
mod hosted {
    use crate::paging::space::{Changes, Space};

    /// No CPU's.
    pub fn this_cpu() -> u32 {
        0
    }

    /// There is no CPU to run it.
    pub fn set_top(_space: &Space, _slot: usize, _value: u64) {}

    /// There is no CPU to run it.
    pub fn activate(_space: &Space) {}

    /// There is no CPU to run it.
    pub fn activate_kernel() {}

    /// There is no TLB.
    pub fn forget(_space: &Space, _changes: &Changes) {}

    /// There is no TLB.
    pub fn shoot(_space: &Space, _changes: &Changes, _generation: u64) {}

    /// There is no CPU that runs it.
    pub fn retire(_space: &Space) {}
}
