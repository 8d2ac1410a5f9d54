//! Size classes: which objects of which frames are free. A frame of a class is cut into objects; the free ones are chained in
//! it, and frames with free objects are chained by class. The last free object of a frame but one in a class gives the frame back.
//!
//! A frame's [`Record`] keeps its chain: `refs` holds the first free object and how many there are, `next` and `previous` its neighbours.
//! Locks: one a class ([`Rank::Heap`]), taken for batches of objects; CPUs keep [`List`]s of their own.

use super::FRAMES;
use crate::frame::{SIZE, buddy};
use crate::phys::{direct, physical};
use crate::sync::{Rank, SpinLock};
use core::cell::Cell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Sizes of the classes, in bytes: multiples of [`UNIT`].
pub const CLASSES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048];
/// Objects start at multiples of this.
pub const UNIT: usize = 16;

/// A free object: the link to the next in its list.
pub struct Free {
    next: *mut Free,
}

/// A list of free objects of one class.
pub struct List {
    head: Cell<*mut Free>,
    /// Only the owner changes it, but others may ask.
    length: AtomicUsize,
}

impl List {
    /// An empty list.
    pub const fn new() -> Self {
        Self { head: Cell::new(null_mut()), length: AtomicUsize::new(0) }
    }

    /// How many objects it has.
    pub fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Puts a free object on the list.
    ///
    /// # Safety
    /// The object is free, of the list's class, and nobody else's.
    #[inline]
    pub unsafe fn push(&self, object: *mut Free) {
        // SAFETY: the caller gives us the object, which is at least a pointer long.
        unsafe { (*object).next = self.head.get() };
        self.head.set(object);
        self.length.store(self.length() + 1, Ordering::Relaxed);
    }

    /// Takes an object; null when there is none.
    #[inline]
    pub fn pop(&self) -> *mut Free {
        let object = self.head.get();
        if !object.is_null() {
            // SAFETY: objects on the list are free, and their links intact.
            self.head.set(unsafe { (*object).next });
            self.length.store(self.length() - 1, Ordering::Relaxed);
        }
        object
    }
}

/// A class: the first of its frames that have free objects; 0 for none.
struct Class {
    partial: u32,
    /// Its frames.
    frames: usize,
    /// Free objects in them; those on lists of CPUs count as taken.
    free: usize,
}

static SHARED: [SpinLock<Class>; CLASSES.len()] =
    [const { SpinLock::new(Rank::Heap, "heap", Class { partial: 0, frames: 0, free: 0 }) }; CLASSES.len()];

/// The start of a frame's objects.
fn base(index: u32) -> *mut u8 {
    direct(u64::from(index) * SIZE as u64)
}

/// What a frame's record says: the number of free objects, and the first's place in units, plus one.
fn load(index: u32) -> (u32, u32) {
    let value = buddy::record(index).refs.load(Ordering::Relaxed);
    (value & 0xffff, value >> 16)
}

fn store(index: u32, count: u32, first: u32) {
    buddy::record(index).refs.store(count | first << 16, Ordering::Relaxed);
}

impl Class {
    fn link(&mut self, index: u32) {
        let record = buddy::record(index);
        record.next.store(self.partial, Ordering::Relaxed);
        record.previous.store(0, Ordering::Relaxed);
        if self.partial != 0 {
            buddy::record(self.partial).previous.store(index, Ordering::Relaxed);
        }
        self.partial = index;
    }

    fn unlink(&mut self, index: u32) {
        let record = buddy::record(index);
        let (next, previous) = (record.next.load(Ordering::Relaxed), record.previous.load(Ordering::Relaxed));
        if next != 0 {
            buddy::record(next).previous.store(previous, Ordering::Relaxed);
        }
        if previous == 0 {
            self.partial = next;
        } else {
            buddy::record(previous).next.store(next, Ordering::Relaxed);
        }
    }

    /// Takes an object of the frames there are.
    fn take(&mut self) -> Option<*mut Free> {
        let index = self.partial;
        if index == 0 {
            return None;
        }
        let (count, first) = load(index);
        // SAFETY: the record names a free object of the frame.
        let object = unsafe { base(index).add((first as usize - 1) * UNIT) }.cast::<Free>();
        // SAFETY: its link was set when it was freed.
        let next = unsafe { (*object).next };
        let first = if next.is_null() { 0 } else { (next.addr() % SIZE / UNIT) as u32 + 1 };
        store(index, count - 1, first);
        self.free -= 1;
        if count == 1 {
            self.unlink(index);
        }
        Some(object)
    }

    /// Gives back an object.
    ///
    /// # Safety
    /// It is free, of this class (of objects of `size` bytes), and nobody else's.
    unsafe fn give(&mut self, object: *mut Free, size: usize) {
        let index = (physical(object) / SIZE as u64) as u32;
        let (count, first) = load(index);
        // SAFETY: the object is ours; the record names the frame's first free object.
        unsafe {
            (*object).next = if first == 0 { null_mut() } else { base(index).add((first as usize - 1) * UNIT).cast() };
        }
        store(index, count + 1, (object.addr() % SIZE / UNIT) as u32 + 1);
        self.free += 1;
        if count == 0 {
            self.link(index);
        }
        if count as usize + 1 == SIZE / size
            && !(self.partial == index && buddy::record(index).next.load(Ordering::Relaxed) == 0)
        {
            self.unlink(index);
            self.frames -= 1;
            self.free -= SIZE / size;
            FRAMES.sub(1);
            buddy::give(index, 0);
        }
    }

    /// Cuts a new frame into objects of `size` bytes.
    fn grow(&mut self, size: usize) -> Option<()> {
        let index = buddy::take(0)?;
        FRAMES.add(1);
        let mut next = null_mut();
        for slot in (0..SIZE / size).rev() {
            // SAFETY: the frame is ours, and the slots do not overlap.
            unsafe {
                let object = base(index).add(slot * size).cast::<Free>();
                (*object).next = next;
                next = object;
            }
        }
        store(index, (SIZE / size) as u32, 1);
        self.frames += 1;
        self.free += SIZE / size;
        self.link(index);
        Some(())
    }
}

/// Bytes of the frames that a class has, and how many of its objects are in use, when `local` free ones are on lists of CPUs.
pub fn in_use(class: usize, local: usize) -> (usize, usize) {
    let size = CLASSES[class];
    let shared = SHARED[class].lock();
    let taken = shared.frames * (SIZE / size) - shared.free;
    (shared.frames * SIZE, taken.saturating_sub(local))
}

/// Moves up to `count` free objects of a class to `list`, from a new frame if need be; none when memory is full.
pub fn take(class: usize, list: &List, count: usize) {
    let mut shared = SHARED[class].lock();
    for _ in 0..count {
        let object = shared.take().or_else(|| {
            // One frame's worth is enough for a list that had nothing.
            if list.length() > 0 { None } else { shared.grow(CLASSES[class]).and_then(|()| shared.take()) }
        });
        let Some(object) = object else { break };
        // SAFETY: it was free, and is nobody else's now.
        unsafe { list.push(object) };
    }
}

/// Moves `count` objects of a class from `list` back to their frames.
pub fn give(class: usize, list: &List, count: usize) {
    let mut shared = SHARED[class].lock();
    for _ in 0..count {
        let object = list.pop();
        if object.is_null() {
            break;
        }
        // SAFETY: it was free on the list, and is nobody else's.
        unsafe { shared.give(object, CLASSES[class]) };
    }
}
