//! Page tables on the arena: they work off the machine too, but for CR3 and TLBs.

use super::{LOWEST, Owned, PageTable, Prot};
use crate::frame::{Frame, SIZE};
use crate::user::LIMIT;
use alloc::vec::Vec;

const RW: Prot = Prot::READ.union(Prot::WRITE);

fn frame() -> Frame {
    Frame::zeroed().expect("memory")
}

#[test]
fn pages_come_and_go_with_their_tables() {
    let table = PageTable::new().expect("memory");
    let shared = frame();
    let places = [LOWEST, 0x40_0000, 0x40_1000, 0x7f00_0000_0000, LIMIT - SIZE];
    for va in places {
        table.map(va, shared.clone(), RW).expect("memory");
    }
    assert_eq!(shared.refs(), 1 + places.len());
    table.map(0x40_1000, frame(), Prot::READ).expect("memory");
    assert_eq!(shared.refs(), places.len());
    let found = table.get(LIMIT - SIZE).expect("mapped");
    assert!(found.frame.same(&shared) && found.prot == RW && !found.dirty && !found.accessed);
    drop(found);
    assert!(table.get(0x40_2000).is_none());
    let mut gone = 0;
    table.unmap_range(LOWEST..LIMIT, &mut |_, _| gone += 1);
    assert_eq!((gone, shared.refs()), (places.len(), 1));
    table.flush();
    assert!(table.unmap(LOWEST).is_none());
}

#[test]
fn protection_changes_page_by_page() {
    let table = PageTable::new().expect("memory");
    for page in 0..600 {
        table.map(LOWEST + page * SIZE, frame(), RW).expect("memory");
    }
    table.protect(LOWEST + 10 * SIZE..LOWEST + 520 * SIZE, Prot::empty());
    for (page, prot) in [(9, RW), (10, Prot::empty()), (519, Prot::empty()), (520, RW)] {
        assert_eq!(table.get(LOWEST + page * SIZE).expect("kept").prot, prot, "page {page}");
    }
    table.protect(LOWEST..LOWEST + 600 * SIZE, Prot::READ | Prot::EXEC);
    assert_eq!(table.get(LOWEST + 10 * SIZE).expect("kept").prot, Prot::READ | Prot::EXEC);
}

#[test]
fn forks_share_pages() {
    let (parent, child) = (PageTable::new().expect("memory"), PageTable::new().expect("memory"));
    let (private, shared) = (frame(), frame());
    parent.map(0x40_0000, private.clone(), RW).expect("memory");
    parent.map(0x80_0000, shared.clone(), RW).expect("memory");
    parent.copy_cow(&child, [0x40_0000..0x50_0000, 0x50_0000..0x60_0000].into_iter()).expect("memory");
    parent.copy_shared(&child, core::iter::once(0x80_0000..0xa0_0000)).expect("memory");
    for table in [&parent, &child] {
        assert_eq!(table.get(0x40_0000).expect("shared").prot, Prot::READ);
        assert_eq!(table.get(0x80_0000).expect("shared").prot, RW);
    }
    assert_eq!((private.refs(), shared.refs()), (3, 3));
    child.move_range(0x40_0000, 0x7f00_0000_0000, SIZE).expect("memory");
    assert!(child.get(0x40_0000).is_none());
    assert!(child.get(0x7f00_0000_0000).expect("moved").frame.same(&private));
    drop(child);
    assert_eq!((private.refs(), shared.refs()), (2, 2));
}

#[test]
fn a_store_to_a_shared_page_makes_it_its_own() {
    let (table, other) = (PageTable::new().expect("memory"), PageTable::new().expect("memory"));
    let page = frame();
    page.write(0, b"first");
    assert_eq!(table.own(LOWEST, RW, |_| None), Owned::Absent);
    table.map(LOWEST, page, Prot::READ).expect("memory");
    table.copy_cow(&other, core::iter::once(LOWEST..LIMIT)).expect("memory");
    assert_eq!(table.own(LOWEST, RW, |_| None), Owned::NoFrame);
    assert_eq!((table.prot(LOWEST), table.prot(LOWEST + SIZE)), (Some(Prot::READ), None));
    assert_eq!(table.own(LOWEST, RW, |zeros| (!zeros).then(frame)), Owned::Copied);
    assert_eq!(other.own(LOWEST, RW, |_| None), Owned::Sole, "the other one let go of it");
    let [mine, theirs] = [&table, &other].map(|table| table.get(LOWEST).expect("mapped"));
    assert!(!mine.frame.same(&theirs.frame) && mine.prot == RW && theirs.prot == RW);
    for page in [mine, theirs] {
        let mut bytes = [0; 5];
        page.frame.read(0, &mut bytes);
        assert_eq!((&bytes, page.frame.refs()), (b"first", 2));
    }
    table.map(LOWEST + SIZE, Frame::zero_page(), Prot::READ).expect("memory");
    assert_eq!(table.own(LOWEST + SIZE, RW, |zeros| zeros.then(frame)), Owned::Copied);
    assert!(!table.get(LOWEST + SIZE).expect("mapped").frame.is_zero_page());
}

#[test]
fn pages_are_found_in_few_tables_and_in_many() {
    let table = PageTable::new().expect("memory");
    let shared = frame();
    // Downwards, a table of leaves each: the first few are followed, the others are not.
    let places: Vec<usize> = (1..=20).map(|n| n * 0x4020_1000).rev().collect();
    for (mapped, &va) in places.iter().enumerate() {
        assert!(table.get(va).is_none());
        table.map(va, shared.clone(), RW).expect("memory");
        let mut seen = Vec::new();
        table.for_each(LOWEST..LIMIT, &mut |va, _| seen.push(va));
        seen.sort_unstable();
        assert!(seen.iter().eq(places[..=mapped].iter().rev()));
    }
    for (left, &va) in places.iter().enumerate().rev() {
        assert!(table.unmap(va).is_some() && table.get(va).is_none());
        assert_eq!(shared.refs(), 1 + left);
    }
}

#[test]
fn what_is_mapped_stays_where_only_absent_pages_are_asked_for() {
    let table = PageTable::new().expect("memory");
    let (mine, theirs) = (frame(), frame());
    table.map(LOWEST + SIZE, mine.clone(), RW).expect("memory");
    let mut frames = [Some(theirs.clone()), Some(theirs.clone()), None, Some(theirs.clone())];
    assert_eq!(table.map_absent(LOWEST, &mut frames, Prot::READ), Ok(2));
    assert!(frames.iter().map(Option::is_some).eq([false, true, false, false]));
    drop(frames);
    let at = |page: usize| table.get(LOWEST + page * SIZE).map(|found| found.frame.same(&theirs));
    assert_eq!([0, 1, 2, 3].map(at), [Some(true), Some(false), None, Some(true)]);
    assert_eq!((mine.refs(), theirs.refs()), (2, 3));
}
