//! The kernel heap: the global allocator. Sizes up to half a page come from size classes ([`slab`]) through free lists of each
//! CPU; larger ones are runs of frames. `Vec::try_reserve` and its like, and [`try_box`], get an error when frames are gone; the infallible
//! ways panic. Locks: those of `slab` ([`crate::sync::Rank::Heap`]), then frames.

#[cfg(target_os = "none")]
mod slab;

use crate::Tally;
use alloc::boxed::Box;
use core::alloc::Layout;

/// Frames that the heap holds.
static FRAMES: Tally = Tally::new();

/// Bytes of frames that the heap holds now (in use, and free inside its size classes).
pub fn used() -> usize {
    FRAMES.get() * crate::frame::SIZE
}

/// Of these, bytes of what is in use; a moment's picture while other CPUs allocate. Off the machine, where the heap is the host's, 0.
pub fn live() -> usize {
    #[cfg(target_os = "none")]
    return machine::live();
    #[cfg(not(target_os = "none"))]
    0
}

/// Where these bytes are: `each` is called with each size class and how many of its objects are in use. Returns the bytes of what is larger.
pub fn census(each: impl FnMut(usize, usize)) -> usize {
    #[cfg(target_os = "none")]
    return machine::census(each);
    #[cfg(not(target_os = "none"))]
    {
        let _ = each;
        0
    }
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
    use super::slab::{self, CLASSES, List, UNIT};
    use crate::cpu;
    use crate::frame::{SIZE, buddy};
    use crate::phys::{direct, physical};
    use core::alloc::{GlobalAlloc, Layout};
    use core::ptr::null_mut;

    /// Objects moved between a CPU's list and the frames at once: about this many bytes.
    const BATCH_BYTES: usize = 4096;
    /// The largest size of a class.
    const LARGEST: usize = CLASSES[CLASSES.len() - 1];

    /// Each CPU's lists.
    struct Local([List; CLASSES.len()]);

    // SAFETY: used by the owning CPU only, which is never preempted; others read the lengths, which are atomics.
    unsafe impl Sync for Local {}

    static LOCAL: [Local; cpu::MAX] = [const { Local([const { List::new() }; CLASSES.len()]) }; cpu::MAX];

    /// The class of a size, by units: found once, at compile time.
    static CLASS_OF: [u8; LARGEST / UNIT + 1] = {
        let mut table = [0; LARGEST / UNIT + 1];
        let mut units = 0;
        while units < table.len() {
            let mut class = 0;
            while CLASSES[class] < units * UNIT {
                class += 1;
            }
            table[units] = class as u8;
            units += 1;
        }
        table
    };

    /// The class that satisfies a layout, if one does.
    #[inline]
    fn class(layout: Layout) -> Option<usize> {
        // A power-of-two size is aligned to itself, which is all that large alignments need.
        let size =
            if layout.align() > UNIT { layout.size().max(layout.align()).next_power_of_two() } else { layout.size() };
        (size <= LARGEST).then(|| CLASS_OF[size.div_ceil(UNIT)] as usize)
    }

    /// How many objects of a class are moved at once. (Dividing at every call would cost: QEMU's TCG calls a function for it.)
    static BATCH: [usize; CLASSES.len()] = {
        let mut batches = [1; CLASSES.len()];
        let mut class = 0;
        while class < CLASSES.len() {
            if CLASSES[class] < BATCH_BYTES {
                batches[class] = BATCH_BYTES / CLASSES[class];
            }
            class += 1;
        }
        batches
    };

    /// This CPU's list of a class.
    #[inline]
    fn list(class: usize) -> &'static List {
        &LOCAL[cpu::id() & (cpu::MAX - 1)].0[class]
    }

    /// See [`super::live`].
    pub fn live() -> usize {
        let mut bytes = 0;
        census(|size, objects| bytes += size * objects) + bytes
    }

    /// See [`super::census`].
    pub fn census(mut each: impl FnMut(usize, usize)) -> usize {
        let mut larger = FRAMES.get() * SIZE;
        for (class, size) in CLASSES.into_iter().enumerate() {
            let local = LOCAL.iter().map(|lists| lists.0[class].length()).sum();
            let (held, objects) = slab::in_use(class, local);
            each(size, objects);
            larger = larger.saturating_sub(held);
        }
        larger
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

    /// Takes a run of frames.
    fn take_run(layout: Layout) -> *mut u8 {
        let (order, frames) = block(layout);
        if order > buddy::MAX_ORDER {
            return null_mut();
        }
        let Some(index) = buddy::take(order) else { return null_mut() };
        give_range(index + frames, index + (1 << order));
        FRAMES.add(frames as usize);
        direct(u64::from(index) * SIZE as u64)
    }

    /// Gives back a run of frames.
    fn give_run(run: *mut u8, layout: Layout) {
        let (_, frames) = block(layout);
        FRAMES.sub(frames as usize);
        let index = (physical(run) / SIZE as u64) as u32;
        give_range(index, index + frames);
    }

    struct Heap;

    // SAFETY: objects come from frames that the heap owns, are on at most one list, and are as large and as aligned as the layout says.
    unsafe impl GlobalAlloc for Heap {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some(class) = class(layout) else { return take_run(layout) };
            let list = list(class);
            let object = list.pop();
            if !object.is_null() {
                return object.cast();
            }
            slab::take(class, list, BATCH[class]);
            list.pop().cast()
        }

        #[inline]
        unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
            let Some(class) = class(layout) else { return give_run(object, layout) };
            let list = list(class);
            // SAFETY: the caller gives the object back.
            unsafe { list.push(object.cast()) };
            if list.length() > 2 * BATCH[class] {
                slab::give(class, list, BATCH[class]);
            }
        }
    }

    #[global_allocator]
    static HEAP: Heap = Heap;
}
