//! An allocator for programs that start, do one thing and end: what they allocate comes from a static arena, what they need beyond from musl.
//!
//! `conductor` allocates five hundred small things on its way to a container. musl's allocator takes a hundred instructions for each, and asks the
//! kernel for every few pages; an arena takes ten and asks for nothing. Freeing or growing the newest block moves the arena's end; any other block
//! that is freed stays lost, [`SIZE`] bytes at most: too much for a shell, which frees as much as it takes. Key type: [`Arena`]. Neighbours:
//! `conductor` and `init`, whose global allocator it is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in the arena. They are zeros of the program's image: only the pages that are touched take memory.
const SIZE: usize = 256 << 10;

/// Blocks that are larger come from musl, as they always did: few, and mapped at once.
const LARGEST: usize = 16 << 10;

/// The arena, and where its free part begins.
pub struct Arena {
    memory: UnsafeCell<MaybeUninit<[u8; SIZE]>>,
    next: AtomicUsize,
}

// SAFETY: the memory is only handed out, each byte to one owner at a time: `next` says how much of it is, and changes atomically.
unsafe impl Sync for Arena {}

impl Default for Arena {
    fn default() -> Arena {
        Arena::new()
    }
}

impl Arena {
    /// An arena, all free.
    pub const fn new() -> Arena {
        Arena { memory: UnsafeCell::new(MaybeUninit::uninit()), next: AtomicUsize::new(0) }
    }

    fn base(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// Where in the arena `block` lies, if it does.
    fn place(&self, block: *const u8) -> Option<usize> {
        block.addr().checked_sub(self.base().addr()).filter(|&place| place < SIZE)
    }

    /// Moves the end of what is taken from `from` to `to`, if it is there. Who gets memory sees all that its last owner did to it.
    fn advance(&self, from: usize, to: usize) -> Result<usize, usize> {
        self.next.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }

    /// Takes a block; null if there is no room.
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST || layout.align() > LARGEST {
            return std::ptr::null_mut();
        }
        let base = self.base();
        let mut next = self.next.load(Ordering::Acquire);
        loop {
            let start = (base.addr() + next).next_multiple_of(layout.align()) - base.addr();
            let end = start + layout.size();
            if end > SIZE {
                return std::ptr::null_mut();
            }
            match self.advance(next, end) {
                // Inside the arena, which `end` has just been checked against.
                Ok(_) => return base.wrapping_add(start),
                Err(other) => next = other,
            }
        }
    }
}

// SAFETY: a block is aligned, as large as asked for and nobody else's: from the arena by `take`, or by the contract of `System`, to which its
// blocks also go back. A block of the arena is never given to `System`, for `place` tells them apart.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.take(layout);
        // SAFETY: passed on to the caller.
        if block.is_null() { unsafe { System.alloc(layout) } } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = self.take(layout);
        if block.is_null() {
            // SAFETY: passed on to the caller.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the block has that many bytes. It may have had an owner before.
        unsafe { block.write_bytes(0, layout.size()) };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.place(block) {
            // Only the newest block can be had again; the others are lost, which is no failure.
            Some(place) => drop(self.advance(place + layout.size(), place)),
            // SAFETY: it is not the arena's, so it came from there; the rest is passed on to the caller.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(block) else {
            // SAFETY: as for `dealloc`.
            return unsafe { System.realloc(block, layout, size) };
        };
        let (old_end, end) = (place + layout.size(), place + size);
        if size <= LARGEST && end <= SIZE && self.advance(old_end, end).is_ok() || size <= layout.size() {
            return block;
        }
        // SAFETY: the caller says that `size` does not overflow when rounded up to the alignment, which is valid.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both have that many bytes and are different blocks; the old one is not used again.
            unsafe {
                new.copy_from_nonoverlapping(block, layout.size());
                self.dealloc(block, layout);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, LARGEST, SIZE};
    use std::alloc::{GlobalAlloc, Layout};

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn the_newest_block_grows_in_place_and_is_had_again() {
        let arena = Box::new(Arena::new());
        // SAFETY: each block is used as its layout says, and not after it is freed.
        unsafe {
            let first = arena.alloc(layout(3, 1));
            let second = arena.alloc(layout(8, 8));
            assert!(second.addr().is_multiple_of(8) && second.addr() >= first.addr() + 3);
            second.write_bytes(7, 8);
            assert_eq!(arena.realloc(second, layout(8, 8), 64), second);
            let moved = arena.realloc(first, layout(3, 1), 9);
            assert_ne!(moved, first);
            arena.dealloc(moved, layout(9, 1));
            let zeroed = arena.alloc_zeroed(layout(9, 1));
            assert_eq!(zeroed, moved);
            assert_eq!(std::slice::from_raw_parts(zeroed, 9), [0; 9]);
            assert_eq!(*second, 7);
        }
    }

    #[test]
    fn what_does_not_fit_comes_from_elsewhere() {
        let arena = Box::new(Arena::new());
        // SAFETY: as above.
        unsafe {
            let large = arena.alloc(layout(LARGEST + 1, 16));
            assert!(arena.place(large).is_none());
            let mut blocks = Vec::new();
            for _ in 0..SIZE / LARGEST {
                let block = arena.alloc(layout(LARGEST, 1));
                assert!(arena.place(block).is_some());
                blocks.push(block);
            }
            let beyond = arena.alloc(layout(1, 1));
            assert!(arena.place(beyond).is_none());
            // The newest block of a full arena moves out when it grows.
            let last = blocks.pop().expect("a block");
            last.write(9);
            let moved = arena.realloc(last, layout(LARGEST, 1), LARGEST + 1);
            assert!(arena.place(moved).is_none());
            assert_eq!(*moved, 9);
            arena.dealloc(moved, layout(LARGEST + 1, 1));
            arena.dealloc(beyond, layout(1, 1));
            arena.dealloc(large, layout(LARGEST + 1, 16));
        }
    }
}
