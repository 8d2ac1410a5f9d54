//! Page tables as loom knows them, and the part of a CPU that reads them: it walks the tables of the space that it runs, marks the entries that it
//! uses, and remembers them, those of upper tables too, until it is told to forget. It looks at nothing again that it remembers.
//!
//! What must hold is looked at here: no CPU remembers a frame, as a page or as a table, that is free.

use super::cpu;
use crate::cpu::MAX;
use crate::frame::Frame;
use crate::paging::Space;
use crate::paging::entry::{self, ACCESSED, DIRTY, ENTRIES, PRESENT, Table, WRITE, slot};
use crate::sync::atomic::{AtomicU64, Ordering};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64 as Plain};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

pub(crate) use super::cpu::{kick as interrupt, online};

/// What the protocol keeps for a CPU; nobody else looks at it.
pub(crate) struct Local {
    pub id: u32,
    root: Plain,
    pub space: AtomicPtr<Space>,
}

pub(crate) static LOCALS: [Local; MAX] = {
    let mut all = [const { Local { id: 0, root: Plain::new(0), space: AtomicPtr::new(null_mut()) } }; MAX];
    let mut id = 0;
    while id < MAX {
        all[id].id = id as u32;
        id += 1;
    }
    all
};

/// The running CPU's.
pub(crate) fn local() -> &'static Local {
    &LOCALS[cpu::id()]
}

/// A CPU's root.
pub(crate) fn root(local: &Local) -> &'static Table {
    table(entry::index(local.root.load(Ordering::Relaxed)))
}

/// An entry that a CPU remembers.
struct Known {
    /// The level of the table that it stands in.
    level: u32,
    /// What it maps begins here.
    base: usize,
    value: u64,
}

/// All that the entries' memory and the CPUs remember.
struct State {
    /// By the frame's number: each frame that was ever used as a table.
    tables: BTreeMap<u32, &'static Table>,
    /// The frames that are free.
    free: BTreeSet<u32>,
    /// Each CPU's TLB.
    known: [Vec<Known>; MAX],
    /// What the CPUs use by themselves.
    guess: Option<usize>,
}

static STATE: Mutex<State> = Mutex::new(State {
    tables: BTreeMap::new(),
    free: BTreeSet::new(),
    known: [const { Vec::new() }; MAX],
    guess: None,
});

/// Loom is told of each look at a CPU's TLB and of each change, or it would not try them in other orders.
static LOOKS: [AtomicU64; MAX] = [const { AtomicU64::new(0) }; MAX];

fn look(cpu: usize) {
    // Newest value, and no order.
    LOOKS[cpu].fetch_add(1, Ordering::Relaxed);
}

/// Never held from one of loom's steps to the next.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entries of the table in frame `index`: not in the frame, where loom's have no room. Each execution begins with zeros.
pub(crate) fn table(index: u32) -> &'static Table {
    let make = || -> &'static Table { Box::leak(Box::new([const { AtomicU64::new(0) }; ENTRIES])) };
    state().tables.entry(index).or_insert_with(make)
}

/// A new execution begins: nobody runs a space.
pub(super) fn begin() {
    crate::paging::tlb::begin();
    {
        let mut state = state();
        state.free.clear();
        state.known.iter_mut().for_each(Vec::clear);
        state.guess = None;
    }
    for local in &LOCALS {
        if local.root.load(Ordering::Relaxed) == 0 {
            let root = Frame::zeroed().expect("memory for a root");
            local.root.store(root.addr(), Ordering::Relaxed);
            core::mem::forget(root);
        }
        local.space.store(null_mut(), Ordering::Relaxed);
        // Born before the second CPU starts; the models' pages are all below it.
        root(local)[0].store(0, Ordering::Relaxed);
        look(local.id as usize);
    }
}

/// Frame `index` is in use.
pub(crate) fn taken(index: u32) {
    state().free.remove(&index);
}

/// Frame `index` is free.
pub(crate) fn given(index: u32) {
    (0..MAX).for_each(look);
    let mut state = state();
    let user = state.known.iter().position(|known| known.iter().any(|known| entry::index(known.value) == index));
    state.free.insert(index);
    drop(state);
    assert_eq!(user, None, "frame {index} is free, and this CPU remembers it");
}

impl State {
    /// The lowest entry for `va` that `cpu` remembers.
    fn find(&self, cpu: usize, va: usize) -> Option<&Known> {
        let known = self.known[cpu].iter().filter(|known| base(va, known.level) == known.base);
        known.min_by_key(|known| known.level)
    }
}

/// What an entry for `va` in a table of `level` maps begins here.
fn base(va: usize, level: u32) -> usize {
    va & !(entry::span(level) - 1)
}

/// The running CPU uses the page at `va`; whether it could. Page faults are not taken.
pub fn touch(va: usize, store: bool) -> bool {
    let cpu = cpu::id();
    let (mut addr, mut level) = match state().find(cpu, va) {
        Some(Known { level: 0, value, .. }) => return !store || value & WRITE != 0,
        Some(known) => (known.value, known.level - 1),
        None => (LOCALS[cpu].root.load(Ordering::Relaxed), 3),
    };
    loop {
        let place = &table(entry::index(addr))[slot(va, level)];
        let mut value = place.load(Ordering::Acquire);
        let marks = if level == 0 && store { ACCESSED | DIRTY } else { ACCESSED };
        loop {
            if value & PRESENT == 0 || (store && value & WRITE == 0) {
                return false;
            }
            if value & marks == marks {
                break;
            }
            match place.compare_exchange(value, value | marks, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => value = now,
            }
        }
        remember(cpu, Known { level, base: base(va, level), value });
        if level == 0 {
            return true;
        }
        (addr, level) = (value, level - 1);
    }
}

fn remember(cpu: usize, known: Known) {
    look(cpu);
    let index = entry::index(known.value);
    let mut state = state();
    let free = state.free.contains(&index);
    state.known[cpu].push(known);
    drop(state);
    assert!(!free, "a CPU found frame {index}, which is free");
}

/// From now on each CPU uses the page at `va` also by itself, whenever it is told to forget something: processors guess what is used next.
pub fn guess(va: usize) {
    state().guess = Some(va);
}

fn guesses() {
    let guess = state().guess;
    if let Some(va) = guess {
        touch(va, false);
    }
}

/// Makes the running CPU forget a page, and all that it knows of upper tables.
pub(crate) fn forget_page(va: usize) {
    guesses();
    look(cpu::id());
    state().known[cpu::id()].retain(|known| known.level == 0 && known.base != base(va, 0));
}

/// Makes the running CPU forget everything.
pub(crate) fn forget_all() {
    guesses();
    look(cpu::id());
    state().known[cpu::id()].clear();
}

/// The running CPU is in user mode for a moment, and takes an interrupt that waits.
pub fn open_interrupts() {
    crate::paging::tlb::answer();
}

/// Whether any CPU remembers `frame` as a page.
pub fn remembers(frame: &Frame) -> bool {
    (0..MAX).for_each(look);
    let index = entry::index(frame.addr());
    state().known.iter().flatten().any(|known| known.level == 0 && entry::index(known.value) == index)
}

/// Whether the running CPU remembers anything.
pub fn knows_any() -> bool {
    !state().known[cpu::id()].is_empty()
}

/// Whether any CPU remembers the page at `va` as one that takes stores.
pub fn may_store(va: usize) -> bool {
    (0..MAX).for_each(look);
    let writable = |known: &Known| known.level == 0 && known.base == va && known.value & WRITE != 0;
    state().known.iter().flatten().any(writable)
}
