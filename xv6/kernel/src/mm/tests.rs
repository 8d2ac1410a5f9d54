//! Host tests of address spaces and the page cache, over hal's hosted frames and page tables.

use super::{
    Access, AddressSpace, Advice, Content, FaultError, MapFile, Move, PageCache, PageSource, Place, Prot, ReadBuf,
    Request, WriteBuf,
};
use crate::error::{Errno, Result};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::frame::{Frame, SIZE as PAGE};
use hal::sync::{Rank, SpinLock};

/// A "disk" of pages, with room for so many: new pages use up what was reserved for them, the rest is given back.
struct Store {
    pages: SpinLock<BTreeMap<u64, Vec<u8>>>,
    used: AtomicUsize,
    room: SpinLock<usize>,
}

impl Store {
    fn new(room: usize) -> Arc<Store> {
        Arc::new(Store {
            pages: SpinLock::new(Rank::Leaf, "store", BTreeMap::new()),
            used: AtomicUsize::new(0),
            room: SpinLock::new(Rank::Leaf, "room", room),
        })
    }

    fn cache(self: &Arc<Store>, size: u64) -> Arc<PageCache> {
        let source: Arc<dyn PageSource> = self.clone();
        let weak: Weak<dyn PageSource> = Arc::downgrade(&source);
        PageCache::new(weak, size)
    }
}

impl PageSource for Store {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        let pages = self.pages.lock();
        for (index, frame) in (first..).zip(frames) {
            let bytes = frame.get_mut().expect("a frame of our own");
            match pages.get(&index) {
                Some(page) => bytes.copy_from_slice(page),
                None => bytes.fill(0),
            }
        }
        Ok(())
    }

    fn write_pages(&self, first: u64, frames: &[Frame]) -> Result<()> {
        let mut pages = self.pages.lock();
        for (index, frame) in (first..).zip(frames) {
            let mut page = vec![0; PAGE];
            frame.read(0, &mut page);
            if pages.insert(index, page).is_none() {
                self.used.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn reserve(&self, _first: u64, pages: usize) -> Result<()> {
        let mut room = self.room.lock();
        *room = room.checked_sub(pages).ok_or(Errno::ENOSPC)?;
        Ok(())
    }

    fn unreserve(&self, _first: u64, pages: usize) {
        *self.room.lock() += pages - self.used.swap(0, Ordering::Relaxed);
    }
}

struct NoFile;
impl MapFile for NoFile {
    fn identity(&self) -> (u64, u64, Vec<u8>) {
        (1, 2, b"/file".to_vec())
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

const RW: Prot = Prot::READ.union(Prot::WRITE);

fn map(space: &AddressSpace, place: Place, len: usize, prot: Prot, content: Content) -> Result<usize> {
    space.map(Request { place, len, prot, content, grows_down: false, no_reserve: false })
}

fn anonymous(space: &AddressSpace, pages: usize) -> usize {
    map(space, Place::Hint(0), pages * PAGE, RW, Content::Anonymous).expect("room")
}

fn file(pages: &Arc<PageCache>, shared: bool) -> Content {
    Content::File { pages: pages.clone(), file: Arc::new(NoFile), offset: 0, shared, writable: true }
}

fn peek(space: &AddressSpace, addr: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    assert_eq!(space.read_remote(addr, &mut bytes), Ok(len));
    bytes
}

fn poke(space: &AddressSpace, addr: usize, bytes: &[u8]) {
    assert_eq!(space.write_remote(addr, bytes), Ok(bytes.len()));
}

fn space() -> Arc<AddressSpace> {
    AddressSpace::new().expect("memory")
}

#[test]
fn anonymous_memory_is_zero_and_keeps_what_is_written() {
    let space = space();
    let at = anonymous(&space, 4);
    assert_eq!(peek(&space, at, 2 * PAGE), vec![0; 2 * PAGE]);
    poke(&space, at + PAGE - 2, b"abcd");
    assert_eq!(peek(&space, at + PAGE - 3, 6), b"\0abcd\0");
    assert_eq!(space.usage().rss, 2 * PAGE);
    space.unmap(at, 4 * PAGE).expect("mapped");
    assert_eq!(space.handle_fault(at, Access::Read), Err(FaultError::Segv(1)));
    assert_eq!((space.usage().rss, space.usage().size), (0, 0));
}

#[test]
fn protections_are_kept() {
    let space = space();
    let at = anonymous(&space, 3);
    poke(&space, at, b"x");
    space.protect(at, PAGE, Prot::READ).expect("mapped");
    assert_eq!(space.handle_fault(at, Access::Write), Err(FaultError::Segv(2)));
    assert_eq!(space.handle_fault(at, Access::Exec), Err(FaultError::Segv(2)));
    space.protect(at, 3 * PAGE, Prot::empty()).expect("mapped");
    assert_eq!(space.handle_fault(at + PAGE, Access::Read), Err(FaultError::Segv(2)));
    space.protect(at, 3 * PAGE, RW).expect("mapped");
    assert_eq!(space.maps().len(), 1);
    poke(&space, at + 1, b"y");
    assert_eq!(peek(&space, at, 2), b"xy");
    assert_eq!(space.protect(at + 2 * PAGE, 2 * PAGE, RW).expect_err("a hole").errno, Errno::ENOMEM);
}

#[test]
fn fork_copies_on_write_and_shares_shared_memory() {
    let parent = space();
    let private = anonymous(&parent, 2);
    let shared = map(&parent, Place::Hint(0), PAGE, RW, Content::SharedAnonymous).expect("room");
    poke(&parent, private, b"one");
    poke(&parent, shared, b"one");
    let child = parent.fork().expect("memory");
    poke(&child, private, b"two");
    poke(&child, shared, b"two");
    assert_eq!(peek(&parent, private, 3), b"one");
    assert_eq!(peek(&child, private, 3), b"two");
    assert_eq!(peek(&parent, shared, 3), b"two");
    poke(&parent, private, b"six");
    assert_eq!(peek(&child, private, 3), b"two");
    assert_eq!(parent.shared_key(shared + 8), child.shared_key(shared + 8));
    assert!(parent.shared_key(private).is_none());
}

#[test]
fn a_file_is_mapped_privately_shared_and_cut() {
    let store = Store::new(100);
    store.pages.lock().insert(0, vec![b'a'; PAGE]);
    store.pages.lock().insert(1, vec![b'b'; PAGE]);
    let cache = store.cache(2 * PAGE as u64);
    let space = space();
    let private = map(&space, Place::Hint(0), 3 * PAGE, RW, file(&cache, false)).expect("room");
    let shared = map(&space, Place::Hint(0), 3 * PAGE, RW, file(&cache, true)).expect("room");
    assert_eq!(peek(&space, private + PAGE - 1, 2), b"ab");
    poke(&space, private, b"P");
    poke(&space, shared + 1, b"S");
    assert_eq!(peek(&space, private, 2), b"Pa");
    assert_eq!(peek(&space, shared, 2), b"aS");
    assert_eq!(space.handle_fault(shared + 2 * PAGE, Access::Read), Err(FaultError::Bus(2)));
    assert_eq!(cache.dirty(), 1);
    cache.write_back(0..u64::MAX).expect("a good store");
    assert_eq!((cache.dirty(), *store.room.lock()), (0, 100));
    assert_eq!(store.pages.lock()[&0][..3], *b"aSa");
    // The next store is noticed again.
    poke(&space, shared + 1, b"T");
    assert_eq!(cache.dirty(), 1);
    cache.truncate(10, || Ok(())).expect("shrinks");
    assert_eq!(peek(&space, shared, 12), b"aTaaaaaaaa\0\0");
    assert_eq!(space.handle_fault(shared + PAGE, Access::Read), Err(FaultError::Bus(2)));
    assert_eq!(peek(&space, private, 1), b"P");
    space.sync(shared, PAGE, true).expect("mapped");
    assert_eq!(store.pages.lock()[&0][..2], *b"aT");
}

#[test]
fn reads_and_writes_go_through_the_cache() {
    let store = Store::new(8);
    let cache = store.cache(0);
    let text: Vec<u8> = (0..3 * PAGE + 100).map(|byte| byte as u8).collect();
    assert_eq!(cache.write(&mut WriteBuf::kernel(&text), 50), Ok(text.len()));
    assert_eq!(cache.size(), 50 + text.len() as u64);
    assert_eq!(cache.append(&mut WriteBuf::kernel(b"end"), |_, _| Ok(())), Ok((50 + text.len() as u64, 3)));
    let mut back = vec![1; text.len() + 100];
    assert_eq!(cache.read(&mut ReadBuf::kernel(&mut back), 0), Ok(text.len() + 53));
    assert_eq!(back[..50], [0; 50]);
    assert_eq!(back[50..50 + text.len()], text);
    assert_eq!(cache.read(&mut ReadBuf::kernel(&mut back), 1 << 20), Ok(0));
    cache.write_back(0..u64::MAX).expect("a good store");
    assert_eq!(*store.room.lock(), 4);
    let again = store.cache(cache.size());
    assert_eq!(again.read(&mut ReadBuf::kernel(&mut back), 50), Ok(text.len() + 3));
    assert_eq!(back[..text.len()], text);
    // A full store takes what fits.
    let big = vec![7; 20 * PAGE];
    assert_eq!(cache.write(&mut WriteBuf::kernel(&big), 0), Ok(8 * PAGE));
    assert_eq!(cache.write(&mut WriteBuf::kernel(b"x"), 30 * PAGE as u64).expect_err("full").errno, Errno::ENOSPC);
}

#[test]
fn a_file_that_grows_again_shows_zeros() {
    let cache = PageCache::memory(None, 0);
    cache.write(&mut WriteBuf::kernel(&[9; 100]), 0).expect("memory");
    cache.truncate(10, || Ok(())).expect("shrinks");
    cache.truncate(100, || Ok(())).expect("grows");
    let mut back = [1; 100];
    assert_eq!(cache.read(&mut ReadBuf::kernel(&mut back), 0), Ok(100));
    assert_eq!(back[..11], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0]);
    assert_eq!(back[10..], [0; 90]);
}

#[test]
fn the_heap_grows_and_shrinks() {
    let space = space();
    space.set_heap(0x10_0000, 0x7000_0000);
    assert_eq!(space.brk(0), 0x10_0000);
    assert_eq!(space.brk(0x10_2345), 0x10_2345);
    poke(&space, 0x10_2000, b"heap");
    assert_eq!(space.maps()[0].name, b"[heap]");
    assert_eq!(space.brk(0x10_1000), 0x10_1000);
    assert_eq!(space.handle_fault(0x10_2000, Access::Read), Err(FaultError::Segv(1)));
    map(&space, Place::Fixed(0x10_3000), PAGE, RW, Content::Anonymous).expect("room");
    assert_eq!(space.brk(0x10_4000), 0x10_1000);
    space.set_limit(super::Limit::Data, PAGE as u64);
    assert_eq!(space.brk(0x10_3000), 0x10_1000);
}

#[test]
fn stacks_grow_to_their_limit() {
    let space = space();
    let top = hal::user::LIMIT;
    space.set_limit(super::Limit::Stack, 64 * PAGE as u64);
    space.map_stack(top, 4 * PAGE, RW).expect("room");
    poke(&space, top - 20 * PAGE, b"deep");
    assert_eq!(space.usage().stack, 20 * PAGE);
    assert_eq!(space.handle_fault(top - 65 * PAGE, Access::Write), Err(FaultError::Segv(1)));
    map(&space, Place::Fixed(top - 300 * PAGE), PAGE, RW, Content::Anonymous).expect("room");
    assert_eq!(space.handle_fault(top - 60 * PAGE, Access::Write), Err(FaultError::Segv(1)));
}

#[test]
fn mappings_move_with_their_pages() {
    let space = space();
    let at = anonymous(&space, 2);
    poke(&space, at, b"here");
    poke(&space, at + PAGE, b"there");
    let wall = map(&space, Place::FixedNoReplace(at + 2 * PAGE), PAGE, RW, Content::Anonymous);
    assert!(wall.is_ok() || at + 2 * PAGE == hal::user::LIMIT);
    assert_eq!(space.remap(at, 2 * PAGE, 4 * PAGE, Move::Never).expect_err("no room").errno, Errno::ENOMEM);
    let to = space.remap(at, 2 * PAGE, 4 * PAGE, Move::MayMove).expect("room");
    assert_eq!(peek(&space, to, 4), b"here");
    assert_eq!(peek(&space, to + PAGE, 5), b"there");
    assert_eq!(peek(&space, to + 3 * PAGE, 1), [0]);
    assert_eq!(space.handle_fault(at, Access::Read), Err(FaultError::Segv(1)));
    assert_eq!(space.remap(to, 4 * PAGE, PAGE, Move::Never), Ok(to));
    assert_eq!(space.handle_fault(to + PAGE, Access::Read), Err(FaultError::Segv(1)));
}

#[test]
fn advice_drops_pages() {
    let space = space();
    let at = anonymous(&space, 2);
    poke(&space, at, b"x");
    space.advise(at, PAGE, Advice::DontNeed).expect("mapped");
    assert_eq!(peek(&space, at, 1), [0]);
    assert_eq!(space.advise(at, 3 << 30, Advice::DontNeed).expect_err("holes").errno, Errno::ENOMEM);
    space.advise(at, PAGE, Advice::NotInChild(true)).expect("mapped");
    let child = space.fork().expect("memory");
    assert_eq!(child.handle_fault(at, Access::Read), Err(FaultError::Segv(1)));
    assert_eq!(child.handle_fault(at + PAGE, Access::Read), Ok(()));
}

#[test]
fn limits_and_bad_ranges_are_refused() {
    let space = space();
    let errno = |result: Result<usize>| result.expect_err("refused").errno;
    assert_eq!(errno(map(&space, Place::Hint(0), 0, RW, Content::Anonymous)), Errno::EINVAL);
    assert_eq!(errno(map(&space, Place::Fixed(0x123), PAGE, RW, Content::Anonymous)), Errno::EINVAL);
    assert_eq!(errno(map(&space, Place::Fixed(0), PAGE, RW, Content::Anonymous)), Errno::EPERM);
    assert_eq!(errno(map(&space, Place::Hint(0), usize::MAX - 5, RW, Content::Anonymous)), Errno::ENOMEM);
    let at = anonymous(&space, 1);
    assert_eq!(errno(map(&space, Place::FixedNoReplace(at), PAGE, RW, Content::Anonymous)), Errno::EEXIST);
    assert_eq!(space.unmap(at + 1, PAGE).expect_err("misaligned").errno, Errno::EINVAL);
    space.set_limit(super::Limit::AddressSpace, 4 * PAGE as u64);
    assert_eq!(errno(map(&space, Place::Hint(0), 4 * PAGE, RW, Content::Anonymous)), Errno::ENOMEM);
    assert!(map(&space, Place::Hint(0), 3 * PAGE, RW, Content::Anonymous).is_ok());
}

#[test]
fn many_mappings_stay_fast_and_end_with_an_error() {
    let space = space();
    let mut made = 0;
    let error = loop {
        // Neighbours differ, so none join.
        let prot = if made % 2 == 0 { RW } else { Prot::READ };
        match map(&space, Place::Hint(0), PAGE, prot, Content::Anonymous) {
            Ok(_) => made += 1,
            Err(error) => break error.errno,
        }
    };
    assert_eq!((made, error), (super::area::MAX_AREAS, Errno::ENOMEM));
}

#[test]
fn a_page_by_itself_is_read_without_its_neighbours() {
    let store = Store::new(0);
    store.pages.lock().insert(9, vec![9; PAGE]);
    let cache = store.cache(200 * PAGE as u64);
    let mut byte = [0];
    cache.get_alone(9).expect("read").read(0, &mut byte);
    assert_eq!((byte, cache.missing(0..200)), ([9], 199));
    cache.get(100).expect("read");
    assert_eq!(cache.missing(0..200), 199 - 64, "the control: an aligned cluster");
    assert!(cache.get_alone(200).expect("past the end").is_zero_page());
}
