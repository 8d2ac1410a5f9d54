//! The loops over a page table's tree. Each goes down three levels and then along a table of leaves.

use super::NoMemory;
use super::entry::{self, span};
use super::space::{Space, State, Walkers, count};
use crate::frame::{Counts, Frame};
use crate::sync::atomic::{AtomicU64, Ordering};
use core::ops::Range;

/// Calls `each` with every table of leaves that may hold pages of `range`: its address, the first page's address, and the slots. Stops early at
/// an error.
fn for_each_table<E>(
    space: &Space,
    state: &mut State,
    mut range: Range<usize>,
    mut each: impl FnMut(&mut State, u64, usize, Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    while let Some((table, pages)) = first_table(space, state, &range) {
        range.start = (pages.start & !(span(1) - 1)) + span(1);
        let first = entry::slot(pages.start, 0);
        each(state, table, pages.start, first..first + (pages.end - pages.start) / span(0))?;
    }
    Ok(())
}

/// The first table of leaves that may hold pages of `range`, and the pages.
fn first_table(space: &Space, state: &State, range: &Range<usize>) -> Option<(u64, Range<usize>)> {
    if state.leaves.is_complete() {
        return state.leaves.first_in(range);
    }
    let mut va = range.start;
    'next: while va < range.end {
        let mut addr = space.root.addr();
        for level in (1..=3).rev() {
            // SAFETY: `addr` is the root's, or was found in a table; the caller holds the lock.
            addr = unsafe { entry::table(addr) }[entry::slot(va, level)].load(Ordering::Relaxed);
            if addr == 0 {
                va = (va & !(span(level) - 1)) + span(level);
                continue 'next;
            }
        }
        return Some((addr, va..((va & !(span(1) - 1)) + span(1)).min(range.end)));
    }
    None
}

/// Calls `each` with every used leaf in `range`.
pub fn for_each(
    space: &Space,
    state: &mut State,
    range: Range<usize>,
    each: &mut dyn FnMut(&mut State, usize, &AtomicU64),
) {
    let done: Result<(), core::convert::Infallible> = for_each_table(space, state, range, |state, addr, va, slots| {
        // SAFETY: found in the tree, under the lock.
        let table = unsafe { entry::table(addr) };
        for (i, leaf) in table[slots].iter().enumerate() {
            if leaf.load(Ordering::Relaxed) != 0 {
                each(state, va + i * span(0), leaf);
            }
        }
        Ok(())
    });
    match done {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// Removes every page in `range` and the tables that become empty.
pub fn unmap(space: &Space, state: &mut State, range: Range<usize>, each: impl FnMut(usize, Frame)) {
    let walkers = space.walkers(state);
    if walkers == Walkers::None {
        // The end of a space, nearly always: nothing to note, in a loop of its own.
        unmap_with(space, state, range, |_, _, leaf| walkers.change(leaf, |_| 0), each);
    } else {
        let take = |state: &mut State, page, leaf: &AtomicU64| {
            let old = walkers.change(leaf, |_| 0);
            state.changes.note(page, old);
            old
        };
        unmap_with(space, state, range, take, each);
    }
}

/// [`unmap`], where `take` empties a leaf and says what was there.
fn unmap_with(
    space: &Space,
    state: &mut State,
    range: Range<usize>,
    mut take: impl FnMut(&mut State, usize, &AtomicU64) -> u64,
    mut each: impl FnMut(usize, Frame),
) {
    let done: Result<(), core::convert::Infallible> = for_each_table(space, state, range, |state, addr, va, slots| {
        // SAFETY: found in the tree, under the lock.
        let table = unsafe { entry::table(addr) };
        let mut removed = 0;
        for (i, leaf) in table[slots].iter().enumerate() {
            if leaf.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let page = va + i * span(0);
            let old = take(state, page, leaf);
            removed += 1;
            // SAFETY: the entry held a reference, and is gone.
            each(page, unsafe { Frame::from_index(entry::index(old)) });
        }
        if removed > 0 && count(addr, -removed) == 0 {
            prune(space, state, va);
        }
        Ok(())
    });
    match done {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// Takes the empty table of leaves for `va` out of the tree, and the tables above it that become empty.
fn prune(space: &Space, state: &mut State, va: usize) {
    let mut tables = [space.root.addr(); 4];
    for level in (2..=3).rev() {
        // SAFETY: the table of leaves exists, so those above it do.
        let above = unsafe { entry::table(tables[level]) };
        tables[level - 1] = above[entry::slot(va, level as u32)].load(Ordering::Relaxed);
    }
    state.leaves.remove(va);
    for level in 1..=3u32 {
        let parent = tables[level as usize];
        // SAFETY: as above.
        let old = unsafe { entry::table(parent) }[entry::slot(va, level)].swap(0, Ordering::Relaxed);
        state.changes.retire(old);
        if level == 3 {
            space.set_top(state, entry::slot(va, level), 0);
        } else if count(parent, -1) != 0 {
            break;
        }
    }
}

/// Shares the pages of `range` with an address space that has none there. With `cow`, writable ones become read-only in both.
pub fn copy(
    (from, state): (&Space, &mut State),
    (to, theirs): (&Space, &mut State),
    range: Range<usize>,
    cow: bool,
    counts: &mut Counts,
) -> Result<(), NoMemory> {
    let walkers = from.walkers(state);
    for_each_table(from, state, range, |state, addr, va, slots| {
        // SAFETY: found in the tree, under the lock.
        let source = unsafe { &entry::table(addr)[slots.clone()] };
        let used = |leaf: &AtomicU64| leaf.load(Ordering::Relaxed) != 0;
        let (Some(first), Some(last)) = (source.iter().position(used), source.iter().rposition(used)) else {
            return Ok(());
        };
        let target = to.leaf_or_new(theirs, va + first * span(0))?;
        theirs.leaves.find_to_fill(va + last * span(0));
        let mut copied = 0;
        let places = &target.table[slots][first..=last];
        for (i, (leaf, place)) in source[first..=last].iter().zip(places).enumerate() {
            let mut value = leaf.load(Ordering::Relaxed);
            if value == 0 {
                continue;
            }
            if cow && value & entry::WRITE != 0 {
                let old = walkers.change(leaf, |old| old & !entry::WRITE);
                state.changes.note(va + (first + i) * span(0), old);
                value &= !entry::WRITE;
            }
            // The CPU changes no entry that is empty, and nobody else has the lock.
            assert!(place.load(Ordering::Relaxed) == 0, "a page is copied to where one is");
            // SAFETY: the entry's reference is alive under the lock; the new entry holds the further one.
            unsafe { Frame::share_index(entry::index(value), counts) }.into_index();
            place.store(value & !entry::MARKS, Ordering::Relaxed);
            copied += 1;
        }
        count(target.addr, copied);
        Ok(())
    })
}
