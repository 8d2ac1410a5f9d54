//! The kernel heap: the global allocator. Sizes up to half a page come from slabs of power-of-two classes (with steps between),
//! kept on free lists of each CPU; larger ones are blocks of frames. `Vec::try_reserve` and its like get an error when frames are
//! gone; the infallible ways panic. Locks: [`crate::sync::Rank::Heap`] per class, then frames.

use alloc::boxed::Box;
use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Frames that the heap holds.
static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of frames that the heap holds now (in use, and free inside its size classes).
pub fn used() -> usize {
    FRAMES.load(Ordering::Relaxed) * crate::frame::SIZE
}

/// A box, or `None` when there is no memory: for what user programs can ask for without end.
pub fn try_box<T>(value: T) -> Option<Box<T>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Some(Box::new(value));
    }
    // SAFETY: the size is not zero.
    let place = unsafe { alloc::alloc::alloc(layout) }.cast::<T>();
    if place.is_null() {
        return None;
    }
    // SAFETY: fresh memory of the global allocator with the layout of a `T`, initialised here.
    Some(unsafe {
        place.write(value);
        Box::from_raw(place)
    })
}

#[cfg(target_os = "none")]
mod machine {
    use super::FRAMES;
    use crate::cpu;
    use crate::frame::{SIZE, buddy};
    use crate::phys::{direct, physical};
    use crate::sync::{Rank, SpinLock};
    use core::alloc::{GlobalAlloc, Layout};
    use core::cell::UnsafeCell;
    use core::ptr::null_mut;
    use core::sync::atomic::Ordering;

    /// Sizes of the classes. Each is a multiple of its own alignment guarantee (its lowest set bit).
    const CLASSES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048];
    /// Objects moved between a CPU's list and the shared one at once: about this many bytes.
    const BATCH_BYTES: usize = 4096;

    /// A free object: the link to the next.
    struct Free {
        next: *mut Free,
    }

    /// A list of free objects of one class.
    struct List {
        head: *mut Free,
        length: usize,
    }

    // SAFETY: the objects on a list belong to nobody else.
    unsafe impl Send for List {}

    impl List {
        const fn new() -> Self {
            Self { head: null_mut(), length: 0 }
        }

        /// Puts a free object on the list.
        ///
        /// # Safety
        /// The object is free, of the list's class, and at least a pointer long.
        unsafe fn push(&mut self, object: *mut Free) {
            // SAFETY: the caller gives us the object.
            unsafe { (*object).next = self.head };
            self.head = object;
            self.length += 1;
        }

        fn pop(&mut self) -> *mut Free {
            let object = self.head;
            if !object.is_null() {
                // SAFETY: objects on the list are free, and their links intact.
                self.head = unsafe { (*object).next };
                self.length -= 1;
            }
            object
        }
    }

    /// Each CPU's lists.
    struct Local(UnsafeCell<[List; CLASSES.len()]>);

    // SAFETY: used by the owning CPU only, which is never preempted.
    unsafe impl Sync for Local {}

    static LOCAL: [Local; cpu::MAX] =
        [const { Local(UnsafeCell::new([const { List::new() }; CLASSES.len()])) }; cpu::MAX];

    static SHARED: [SpinLock<List>; CLASSES.len()] =
        [const { SpinLock::new(Rank::Heap, "heap", List::new()) }; CLASSES.len()];

    /// The class of a size up to 2048, by 16 bytes: found once, at compile time.
    static CLASS_OF: [u8; 129] = {
        let mut table = [0; 129];
        let mut units = 0;
        while units <= 128 {
            let mut class = 0;
            while CLASSES[class] < units * 16 {
                class += 1;
            }
            table[units] = class as u8;
            units += 1;
        }
        table
    };

    /// The class that satisfies a layout, if one does.
    fn class(layout: Layout) -> Option<usize> {
        // A power-of-two size is aligned to itself, which is all that large alignments need.
        let size =
            if layout.align() > 16 { layout.size().max(layout.align()).next_power_of_two() } else { layout.size() };
        (size <= 2048).then(|| CLASS_OF[size.div_ceil(16)] as usize)
    }

    /// The order of the smallest block of frames for a layout, and the frames it needs of it.
    fn block(layout: Layout) -> (usize, u32) {
        let frames = layout.size().max(layout.align()).div_ceil(SIZE);
        (frames.next_power_of_two().ilog2() as usize, frames as u32)
    }

    /// Gives back frames `start..end` of a block, in the largest pieces they consist of.
    fn give_range(mut start: u32, end: u32) {
        while start < end {
            let order = start.trailing_zeros().min((end - start).ilog2()).min(buddy::MAX_ORDER as u32);
            buddy::give(start, order as usize);
            start += 1 << order;
        }
    }

    /// Fills an empty list: from the shared one, or by cutting up a new frame.
    fn refill(list: &mut List, class: usize) {
        let size = CLASSES[class];
        let mut shared = SHARED[class].lock();
        for _ in 0..(BATCH_BYTES / size).max(1) {
            let object = shared.pop();
            if object.is_null() {
                break;
            }
            // SAFETY: it was free on the shared list.
            unsafe { list.push(object) };
        }
        drop(shared);
        if list.length > 0 {
            return;
        }
        let Some(index) = buddy::take(0) else { return };
        FRAMES.fetch_add(1, Ordering::Relaxed);
        let page = direct(u64::from(index) * SIZE as u64);
        for slot in (0..SIZE / size).rev() {
            // SAFETY: the frame is ours, and the slots do not overlap.
            unsafe { list.push(page.add(slot * size).cast()) };
        }
    }

    struct Heap;

    // SAFETY: objects come from frames that the heap owns, are on at most one list, and are as large and as aligned as the layout says.
    unsafe impl GlobalAlloc for Heap {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some(class) = class(layout) else {
                let (order, frames) = block(layout);
                if order > buddy::MAX_ORDER {
                    return null_mut();
                }
                let Some(index) = buddy::take(order) else { return null_mut() };
                give_range(index + frames, index + (1 << order));
                FRAMES.fetch_add(frames as usize, Ordering::Relaxed);
                return direct(u64::from(index) * SIZE as u64);
            };
            // SAFETY: this CPU's lists, and nothing below comes back here.
            let list = unsafe { &mut (*LOCAL[cpu::id() & (cpu::MAX - 1)].0.get())[class] };
            if list.head.is_null() {
                refill(list, class);
            }
            list.pop().cast()
        }

        unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
            let Some(class) = class(layout) else {
                let (_, frames) = block(layout);
                FRAMES.fetch_sub(frames as usize, Ordering::Relaxed);
                let index = (physical(object) / SIZE as u64) as u32;
                give_range(index, index + frames);
                return;
            };
            // SAFETY: this CPU's lists; the caller gives the object back.
            let list = unsafe {
                let list = &mut (*LOCAL[cpu::id() & (cpu::MAX - 1)].0.get())[class];
                list.push(object.cast());
                list
            };
            let batch = (BATCH_BYTES / CLASSES[class]).max(1);
            if list.length > 2 * batch {
                let mut shared = SHARED[class].lock();
                for _ in 0..batch {
                    // SAFETY: it was free on this CPU's list.
                    unsafe { shared.push(list.pop()) };
                }
            }
        }
    }

    #[global_allocator]
    static HEAP: Heap = Heap;
}
