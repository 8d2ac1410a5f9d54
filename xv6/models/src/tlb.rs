//! Address spaces on two and three CPUs: the real page tables, flushes and shootdowns, over a TLB for each CPU (`hal::model::touch`). A CPU that
//! remembers a page or a table when its frame is freed ends the model, and so does one that finds a frame that is free; a flush that nobody answers
//! shows as a CPU that spins for ever.

use hal::cpu::{idle, kick};
use hal::frame::{Frame, SIZE};
use hal::model::{
    Bound, check, compute, guess, knows_any, may_store, open_interrupts, power_off, remembers, run, start, touch,
};
use hal::paging::{LOWEST, Owned, PageTable, Prot, activate_kernel};
use hal::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// CPUs that have not come to their end.
static LIVE: AtomicUsize = AtomicUsize::new(0);

const RW: Prot = Prot::READ.union(Prot::WRITE);
/// The pages of the models, in one table.
const PAGE: usize = LOWEST;
const NEXT: usize = LOWEST + SIZE;
const LAST: usize = LOWEST + 2 * SIZE;

fn frame() -> Frame {
    Frame::zeroed().expect("memory")
}

/// A space with a frame of its own at each of `pages`. This CPU has run it, and used nothing.
fn space(pages: &[usize]) -> Arc<PageTable> {
    let table = PageTable::new().expect("memory");
    for &page in pages {
        table.map(page, frame(), RW).expect("memory");
    }
    table.activate();
    activate_kernel();
    Arc::new(table)
}

/// Checks `first` on CPU 0 and `others` on the next ones, which share a space with `pages`; each leaves it at its end. Bounded as [`crate::sched::model`].
fn model(preemptions: usize, pages: &'static [usize], first: fn(&PageTable), others: &'static [fn(&PageTable)]) {
    let more = std::env::var("XV6_MODEL_DEPTH").ok().and_then(|depth| depth.parse::<usize>().ok()).unwrap_or(0);
    check(Bound::Preemptions(preemptions + more), move || {
        let table = ManuallyDrop::new(space(pages));
        LIVE.store(1 + others.len(), Ordering::Relaxed);
        for (&other, cpu) in others.iter().zip(1..) {
            let table = ManuallyDrop::new(Arc::clone(&table));
            start(cpu, move || live(table, other));
        }
        run(|| live(table, first));
    });
}

/// A CPU's life: `body`, and then it idles and answers until all have come so far.
fn live(table: ManuallyDrop<Arc<PageTable>>, body: fn(&PageTable)) {
    body(&table);
    // Whoever is last ends the space, which another CPU may still run. Ordered as the count of references, which loom does not know.
    let last = LIVE.fetch_sub(1, Ordering::AcqRel) == 1;
    drop(ManuallyDrop::into_inner(table));
    if last {
        power_off();
    }
    loop {
        activate_kernel();
        assert!(!knows_any() && !touch(PAGE, false), "a CPU that runs no space finds a page");
        idle();
    }
}

/// A thread that uses a page, for as long as it has the CPU.
fn user(table: &PageTable) {
    table.activate();
    touch(PAGE, true);
    open_interrupts();
    touch(PAGE, false);
}

/// Removes the page at `page`, and lets its frame go.
fn free(table: &PageTable, page: usize) {
    let gone = table.unmap(page);
    table.flush();
    drop(gone);
}

/// The one who flushes may run the space too; the other one answers, or leaves meanwhile.
#[test]
fn a_page_is_free_when_all_have_forgotten_it() {
    fn unmap(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        free(table, PAGE);
        assert!(!touch(PAGE, false));
    }
    fn unmap_from_outside(table: &PageTable) {
        free(table, PAGE);
    }
    model(3, &[PAGE, NEXT], unmap, &[user]);
    model(3, &[PAGE, NEXT], unmap_from_outside, &[user]);
}

/// CPUs that stay in user mode are interrupted, and all of them are waited for.
#[test]
fn who_computes_is_asked() {
    static DONE: AtomicBool = AtomicBool::new(false);
    fn unmap(table: &PageTable) {
        free(table, PAGE);
        DONE.store(true, Ordering::Release);
        kick(0);
        kick(1);
    }
    fn program(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        while !DONE.load(Ordering::Acquire) {
            compute();
            touch(PAGE, false);
        }
    }
    model(1, &[PAGE, NEXT], program, &[program, unmap]);
}

/// A CPU that leaves takes the marks of use away, if it may.
#[test]
fn who_leaves_spoils_no_others_marks() {
    fn leave_and_unmap(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        activate_kernel();
        free(table, PAGE);
    }
    model(3, &[PAGE, NEXT], leave_and_unmap, &[user]);
}

/// Two spaces take turns.
#[test]
fn a_space_is_left_for_another() {
    fn change(table: &PageTable) {
        let other = space(&[PAGE]);
        table.activate();
        touch(PAGE, true);
        other.activate();
        touch(PAGE, true);
        free(&other, PAGE);
        free(table, PAGE);
    }
    model(3, &[PAGE, NEXT], change, &[user]);
}

/// The last table is empty, and goes: who has found the way to it before forgets that too.
#[test]
fn a_table_is_free_when_all_have_forgotten_it() {
    fn walk(table: &PageTable) {
        table.activate();
        assert!(!touch(NEXT, false));
        open_interrupts();
        touch(NEXT, false);
    }
    fn unmap(table: &PageTable) {
        walk(table);
        free(table, PAGE);
        touch(NEXT, false);
    }
    model(3, &[PAGE], unmap, &[walk]);
}

/// Both change the space and flush; what one has changed the other may flush.
#[test]
fn two_flushes_wait_for_each_other() {
    fn unmap(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        free(table, PAGE);
    }
    fn unmap_next(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        touch(NEXT, true);
        free(table, NEXT);
    }
    model(3, &[PAGE, NEXT], unmap, &[unmap_next]);
}

/// A page that becomes read-only, as in fork, takes stores nowhere.
#[test]
fn a_protected_page_takes_no_stores() {
    fn protect(table: &PageTable) {
        table.activate();
        touch(PAGE, true);
        table.protect(PAGE..NEXT, Prot::READ);
        table.flush();
        assert!(!may_store(PAGE) && !touch(PAGE, true));
    }
    model(3, &[PAGE, NEXT], protect, &[user]);
}

/// Copy-on-write: no CPU keeps the frame that the page had.
#[test]
fn a_page_of_its_own_is_seen_by_all() {
    fn own(table: &PageTable) {
        let shared = table.get(PAGE).expect("mapped").frame;
        table.activate();
        touch(PAGE, false);
        assert_eq!(table.own(PAGE, RW, |_| Frame::zeroed()), Owned::Copied);
        assert!(!remembers(&shared) && touch(PAGE, true));
    }
    model(3, &[PAGE, NEXT], own, &[user]);
}

/// The other one still runs the space, or is just leaving it.
#[test]
fn a_space_ends_when_nobody_runs_it() {
    fn end(_: &PageTable) {}
    model(3, &[PAGE], end, &[user]);
    model(3, &[PAGE], user, &[user]);
}

/// Processors guess: a page is used by itself while its CPU is told to forget.
#[test]
fn a_cpu_that_guesses_forgets_too() {
    fn unmap(table: &PageTable) {
        guess(NEXT);
        table.activate();
        touch(PAGE, true);
        free(table, PAGE);
        activate_kernel();
        free(table, NEXT);
    }
    model(2, &[PAGE, NEXT, LAST], unmap, &[user]);
}
