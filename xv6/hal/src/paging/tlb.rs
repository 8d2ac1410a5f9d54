//! The CPUs' side of page tables: which one each runs, and making TLBs forget.
//!
//! A flush invalidates here, then asks every other CPU that runs the page table to do the same and waits. They answer from the
//! interrupt in user mode, or when they next spin ([`answer`]). An idle CPU is left alone: it compares generations when it wakes.
//! One request is under way at a time; who waits for its turn, or for answers, answers meanwhile.

#[cfg(target_os = "none")]
pub(crate) use machine::{
    activate, activate_kernel, answer, any_active, enter_idle, leave_idle, retire, share_kernel_half, shoot,
    shoot_kernel,
};

#[cfg(not(target_os = "none"))]
pub(crate) use hosted::{activate, activate_kernel, retire, share_kernel_half, shoot};

#[cfg(target_os = "none")]
mod machine {
    use crate::cpu::local::{LOCALS, Local, local};
    use crate::frame::Frame;
    use crate::irq::{apic, vector};
    use crate::mem;
    use crate::paging::kernel;
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

    static REQUEST: Request = Request {
        taken: AtomicBool::new(false),
        waiting: AtomicU32::new(0),
        space: AtomicPtr::new(null_mut()),
        generation: AtomicU64::new(0),
        count: AtomicUsize::new(0),
        pages: [const { AtomicUsize::new(0) }; FEW],
    };

    /// Copies the kernel's half into a new root.
    pub fn share_kernel_half(root: &Frame) {
        let half = crate::frame::SIZE / 2;
        // SAFETY: both are whole frames; the kernel's top-level entries never change once set.
        unsafe { mem::copy(root.pointer().add(half), crate::phys::direct(kernel::root()).add(half), half) };
    }

    fn active(local: &Local, space: &Space) -> bool {
        core::ptr::eq(local.space.load(Ordering::Relaxed), space)
    }

    /// Whether this CPU has an active space.
    #[inline]
    pub fn any_active() -> bool {
        !local().space.load(Ordering::Relaxed).is_null()
    }

    /// Makes `space` this CPU's.
    pub fn activate(space: &Space) {
        let local = local();
        if active(local, space) {
            return;
        }
        // Before the tables are read: from here on, flushes count this CPU in.
        space.cpus.fetch_or(1 << local.id, Ordering::SeqCst);
        local.generation.set(space.generation.load(Ordering::SeqCst));
        // SAFETY: every root has the kernel's half.
        unsafe { x86::set_cr3(space.root.addr()) };
        leave(local, (&raw const *space).cast_mut());
    }

    /// Makes the kernel's own page table this CPU's.
    pub fn activate_kernel() {
        let local = local();
        if !local.space.load(Ordering::Relaxed).is_null() || local.orphan.load(Ordering::Relaxed) != 0 {
            // SAFETY: it maps the kernel.
            unsafe { x86::set_cr3(kernel::root()) };
            leave(local, null_mut());
        }
    }

    /// CR3 has changed: the old space is this CPU's no more.
    fn leave(local: &Local, new: *mut Space) {
        let old = local.space.swap(new, Ordering::Release);
        // SAFETY: a space that a CPU has active is alive: its owner waits in `retire` until this bit is clear.
        if let Some(old) = unsafe { old.as_ref() } {
            old.cpus.fetch_and(!(1 << local.id), Ordering::SeqCst);
        }
        let orphan = local.orphan.load(Ordering::Relaxed);
        if orphan != 0 {
            local.orphan.store(0, Ordering::Relaxed);
            // SAFETY: the reference was put there for us, and CR3 holds another root now.
            drop(unsafe { Frame::from_index(orphan) });
        }
    }

    fn invalidate(pages: impl Iterator<Item = usize>, count: usize) {
        if count > FEW {
            // SAFETY: the same table again: only the TLB goes.
            unsafe { x86::set_cr3(x86::cr3()) };
        } else {
            pages.take(count).for_each(x86::invlpg);
        }
    }

    /// Flushes `changes` here and on all CPUs that run `space`.
    pub fn shoot(space: &Space, changes: &Changes) {
        let local = local();
        if active(local, space) {
            invalidate(changes.pages.iter().copied(), changes.count);
        }
        // The tables' changes are visible before we look who else runs it; who starts later sees them.
        fence(Ordering::SeqCst);
        if space.cpus.load(Ordering::SeqCst) & !(1 << local.id) != 0 {
            ask(space, changes.count, &changes.pages);
        }
    }

    /// Stops the use of `space`, which is about to be freed, on all CPUs.
    pub fn retire(space: &Space) {
        let mine = local();
        if active(mine, space) {
            orphan(mine, space);
        }
        // The root alone outlives the space, in CR3, until the next change: emptying the TLB once is enough.
        for local in &LOCALS {
            if space.cpus.load(Ordering::Relaxed) & 1 << local.id != 0 {
                take_from_idle(local, space);
            }
        }
        if space.cpus.load(Ordering::SeqCst) != 0 {
            ask(space, RETIRE, &[]);
        }
    }

    /// Makes all CPUs forget everything.
    pub fn shoot_kernel() {
        // SAFETY: the same table again: only the TLB goes.
        unsafe { x86::set_cr3(x86::cr3()) };
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

    /// Takes `space` from a CPU whose CR3 keeps the root. No user address is used there before CR3 changes: user copies and user mode
    /// want an active space.
    fn orphan(local: &Local, space: &Space) {
        local.orphan.store(space.root.clone().into_index(), Ordering::Relaxed);
        local.space.store(null_mut(), Ordering::Relaxed);
        space.cpus.fetch_and(!(1 << local.id), Ordering::SeqCst);
    }

    /// If the CPU is idle, takes `space` from it without waking it.
    fn take_from_idle(local: &Local, space: &Space) {
        lock(&local.waking);
        if local.lazy.load(Ordering::SeqCst) && active(local, space) {
            orphan(local, space);
        }
        local.waking.store(false, Ordering::Release);
    }

    /// Takes a spin flag.
    fn lock(flag: &AtomicBool) {
        while flag.swap(true, Ordering::Acquire) {
            crate::cpu::pause();
        }
    }

    /// Asks the other CPUs that run `space`, and waits.
    fn ask(space: &Space, count: usize, pages: &[usize]) {
        let me = local().id;
        lock(&REQUEST.taken);
        let generation = space.generation.fetch_add(1, Ordering::SeqCst) + 1;
        REQUEST.space.store((&raw const *space).cast_mut(), Ordering::Relaxed);
        REQUEST.generation.store(generation, Ordering::Relaxed);
        REQUEST.count.store(count, Ordering::Relaxed);
        for (slot, &page) in REQUEST.pages.iter().zip(pages) {
            slot.store(page, Ordering::Relaxed);
        }
        let users = space.cpus.load(Ordering::SeqCst) & !(1 << me);
        let asleep = |cpu: &u32| count != RETIRE && LOCALS[*cpu as usize].lazy.load(Ordering::SeqCst);
        let targets = (0..LOCALS.len() as u32).filter(|cpu| users & 1 << cpu != 0 && !asleep(cpu));
        let mask = targets.fold(0, |mask, cpu| mask | 1 << cpu);
        send(mask);
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
            // SAFETY: the same table again: only the TLB goes.
            unsafe { x86::set_cr3(x86::cr3()) };
        } else if core::ptr::eq(local.space.load(Ordering::Relaxed), space) {
            match REQUEST.count.load(Ordering::Relaxed) {
                RETIRE => activate_kernel(),
                count => {
                    invalidate(REQUEST.pages.iter().map(|page| page.load(Ordering::Relaxed)), count);
                    // Unless a flush before this one was slept through, this CPU is up to date.
                    let generation = REQUEST.generation.load(Ordering::Relaxed);
                    if local.generation.get() + 1 == generation {
                        local.generation.set(generation);
                    }
                }
            }
        }
        REQUEST.waiting.fetch_and(!bit, Ordering::Release);
    }

    /// This CPU is about to sleep: flushes need not wait for it.
    pub fn enter_idle() {
        local().lazy.store(true, Ordering::Release);
    }

    /// This CPU is awake: it makes up for the flushes it slept through.
    pub fn leave_idle() {
        let local = local();
        lock(&local.waking);
        // Sequentially consistent with the flusher's increment-then-look: it sees us awake, or we see its generation.
        local.lazy.swap(false, Ordering::SeqCst);
        local.waking.store(false, Ordering::Release);
        let space = local.space.load(Ordering::Relaxed);
        // SAFETY: as in `leave`.
        let Some(space) = (unsafe { space.as_ref() }) else { return };
        let generation = space.generation.load(Ordering::SeqCst);
        if generation != local.generation.get() {
            // SAFETY: the same table again: only the TLB goes.
            unsafe { x86::set_cr3(x86::cr3()) };
            local.generation.set(generation);
        }
    }
}

#[cfg(not(target_os = "none"))]
mod hosted {
    use crate::frame::Frame;
    use crate::paging::space::{Changes, Space};

    /// There is no kernel half.
    pub fn share_kernel_half(_root: &Frame) {}

    /// There is no CPU to run it.
    pub fn activate(_space: &Space) {}

    /// There is no CPU to run it.
    pub fn activate_kernel() {}

    /// There is no TLB.
    pub fn shoot(_space: &Space, _changes: &Changes) {}

    /// There is no CPU that runs it.
    pub fn retire(_space: &Space) {}
}
