//! Physical memory in 4 KiB frames, counted by reference.
//!
//! A [`Frame`] is 4 bytes; what is known of the frame lies in [`buddy`]'s records. Locks: `buddy`'s, reached through
//! [`cache`] once in 32 frames, and those of the [`counts`].

pub(crate) mod buddy;
mod cache;
mod counts;

pub use counts::Counts;

use crate::Tally;
use crate::mem;
use crate::phys::direct;
use crate::sync::Once;
use crate::user::{Fault, copy};
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU32, Ordering};

/// Bytes in a frame.
pub const SIZE: usize = 4096;

/// A frame's count with one reference.
const SOLE: u32 = 1;
/// The bits of a frame's count that are the number of references.
const REFS: u32 = PRIVATE - 1;
/// The bit that says that the frame is among [`private`]'s.
const PRIVATE: u32 = 1 << 31;

static PRIVATES: Tally = Tally::new();

/// A counted reference to a frame: `clone` shares it, dropping the last reference frees it. Its bytes may be changed by user code and
/// devices at any time, so they are copied in and out; only a sole owner gets a reference ([`Frame::get_mut`]).
#[derive(Debug)]
pub struct Frame {
    index: u32,
}

impl Frame {
    /// A frame with whatever its last user left in it. `None` when memory is full.
    #[inline]
    pub fn alloc() -> Option<Frame> {
        Frame::alloc_as(SOLE)
    }

    /// A frame of zeros. `None` when memory is full.
    pub fn zeroed() -> Option<Frame> {
        Frame::zeroed_as(SOLE)
    }

    /// As [`Frame::alloc`], for a process's own memory: counted among [`private`]'s until it is free again.
    pub fn alloc_private() -> Option<Frame> {
        let frame = Frame::alloc_as(SOLE | PRIVATE)?;
        PRIVATES.add(1);
        Some(frame)
    }

    /// Fills `places` with frames of zeros for a process's own memory, as far as there are some.
    pub fn fill_private(places: &mut [Option<Frame>]) {
        let mut count = 0;
        for place in places {
            *place = Frame::zeroed_as(SOLE | PRIVATE);
            if place.is_none() {
                break;
            }
            count += 1;
        }
        PRIVATES.add(count);
    }

    #[inline]
    fn alloc_as(refs: u32) -> Option<Frame> {
        #[cfg(not(target_os = "none"))]
        hosted_init();
        cache::take().map(|index| Frame::taken(index, refs))
    }

    #[inline]
    fn zeroed_as(refs: u32) -> Option<Frame> {
        if let Some(index) = cache::take_zeroed() {
            return Some(Frame::taken(index, refs));
        }
        let frame = Frame::alloc_as(refs)?;
        // SAFETY: the frame is ours, whole and aligned.
        unsafe { mem::zero_page(frame.pointer()) };
        Some(frame)
    }

    /// The only reference to a frame that was free.
    #[inline]
    fn taken(index: u32, refs: u32) -> Frame {
        buddy::record(index).refs.store(refs, Ordering::Relaxed);
        Frame { index }
    }

    /// The one shared frame of zeros, for reads of untouched memory. Never write to it.
    pub fn zero_page() -> Frame {
        zero().clone()
    }

    /// Whether this is [`Frame::zero_page`].
    pub fn is_zero_page(&self) -> bool {
        self.same(zero())
    }

    /// The physical address.
    #[inline]
    pub fn addr(&self) -> u64 {
        u64::from(self.index) * SIZE as u64
    }

    /// How many references there are (mappings count).
    #[inline]
    pub fn refs(&self) -> usize {
        (buddy::record(self.index).refs.load(Ordering::Relaxed) & REFS) as usize
    }

    /// Whether both are the same frame.
    #[inline]
    pub fn same(&self, other: &Frame) -> bool {
        self.index == other.index
    }

    /// Copies `buf.len()` bytes at `off` out. Panics past the end.
    #[inline]
    pub fn read(&self, off: usize, buf: &mut [u8]) {
        check(off, buf.len());
        // SAFETY: the range lies in the frame; `buf` is no frame that anyone else can reach. The copy is assembly, so a race with
        // user code or a device can only mix their bytes.
        unsafe { mem::copy(buf.as_mut_ptr(), self.pointer().add(off), buf.len()) };
    }

    /// Copies `buf` in at `off`. Panics past the end.
    #[inline]
    pub fn write(&self, off: usize, buf: &[u8]) {
        check(off, buf.len());
        // SAFETY: as for `read`.
        unsafe { mem::copy(self.pointer().add(off), buf.as_ptr(), buf.len()) };
    }

    /// Sets `len` bytes at `off` to `byte`. Panics past the end.
    pub fn fill(&self, off: usize, len: usize, byte: u8) {
        check(off, len);
        // SAFETY: as for `read`.
        unsafe { mem::fill(self.pointer().add(off), byte, len) };
    }

    /// Copies all of `from`.
    pub fn copy_from(&self, from: &Frame) {
        // SAFETY: both are whole frames; as for `read`.
        unsafe { mem::copy_page(self.pointer(), from.pointer()) };
    }

    /// The bytes, when this is the only reference; like `Arc::get_mut`.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut [u8; SIZE]> {
        // Acquire: what the former sharers did to it happens before.
        if buddy::record(self.index).refs.load(Ordering::Acquire) & REFS != 1 {
            return None;
        }
        // SAFETY: nobody else has a reference, no page table and no device either (they hold one each), and `&mut self` keeps it so.
        Some(unsafe { &mut *self.pointer().cast::<[u8; SIZE]>() })
    }

    /// Copies `len` bytes at `off` to user address `va` of the active page table.
    pub fn copy_to_user(&self, off: usize, va: usize, len: usize) -> Result<(), Fault> {
        check(off, len);
        // SAFETY: the range lies in the frame.
        unsafe { copy::write_raw(va, self.pointer().add(off), len) }
    }

    /// Copies `len` bytes at user address `va` of the active page table to `off`.
    pub fn copy_from_user(&self, off: usize, va: usize, len: usize) -> Result<(), Fault> {
        check(off, len);
        // SAFETY: the range lies in the frame.
        unsafe { copy::read_raw(self.pointer().add(off), va, len) }
    }

    /// The aligned 32-bit word at `off`, for futexes in shared memory. Panics when misaligned or past the end.
    pub fn word(&self, off: usize) -> &AtomicU32 {
        check(off, 4);
        assert!(off.is_multiple_of(4), "a futex word is aligned");
        // SAFETY: aligned, in the frame, and alive as long as `self`; all access in the kernel is atomic or by assembly.
        unsafe { AtomicU32::from_ptr(self.pointer().add(off).cast()) }
    }

    /// The bytes in the direct map.
    #[inline]
    pub(crate) fn pointer(&self) -> *mut u8 {
        direct(self.addr())
    }

    /// Gives up the reference without dropping it: it now lives in a page table, as a number.
    pub(crate) fn into_index(self) -> u32 {
        ManuallyDrop::new(self).index
    }

    /// Gives back a frame of zeros to which this is the only reference: who next wants one need not zero it.
    pub(crate) fn give_zeroed(self) {
        debug_assert!(self.is_zeros(), "a frame that is given back as zeros");
        cache::give_zeroed(self.into_index());
    }

    fn is_zeros(&self) -> bool {
        let mut piece = [0_u8; 64];
        (0..SIZE).step_by(piece.len()).all(|off| {
            self.read(off, &mut piece);
            piece == [0; 64]
        })
    }

    /// Takes back a reference given up by [`Frame::into_index`].
    ///
    /// # Safety
    /// It was given up, and not taken back yet.
    pub(crate) unsafe fn from_index(index: u32) -> Frame {
        Frame { index }
    }

    /// A further reference to a frame whose reference is kept as a number, counted by `counts`.
    ///
    /// # Safety
    /// The number's reference is alive.
    #[inline]
    pub(crate) unsafe fn share_index(index: u32, counts: &mut Counts) -> Frame {
        counts.add(index);
        Frame { index }
    }
}

impl Clone for Frame {
    #[inline]
    fn clone(&self) -> Self {
        Counts::default().share(self)
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        // A sole owner needs no lock: nobody else can come by a reference. (Private frames mostly go by the many, by `Counts`.)
        if buddy::record(self.index).refs.load(Ordering::Acquire) == 1 {
            cache::give(self.index);
        } else {
            Counts::default().release(Frame { index: self.index });
        }
    }
}

#[inline]
fn check(off: usize, len: usize) {
    assert!(off <= SIZE && len <= SIZE - off, "{len} bytes at {off} do not lie in a frame");
}

fn zero() -> &'static Frame {
    static ZERO: Once<Frame> = Once::new();
    ZERO.call_once(|| Frame::zeroed().expect("memory for the first frame"))
}

/// Frames of memory the kernel manages.
pub fn total() -> usize {
    #[cfg(not(target_os = "none"))]
    hosted_init();
    buddy::counts().0
}

/// Frames that are free.
pub fn free() -> usize {
    #[cfg(not(target_os = "none"))]
    hosted_init();
    buddy::counts().1 + cache::count()
}

/// Frames that are the memory of processes alone ([`Frame::alloc_private`]), each once, however many share it.
pub fn private() -> usize {
    PRIVATES.get()
}

/// Makes the arena the memory, at the first use.
#[cfg(not(target_os = "none"))]
fn hosted_init() {
    static DONE: std::sync::Once = std::sync::Once::new();
    // SAFETY: nobody else uses the arena; once.
    DONE.call_once(|| unsafe { buddy::init(&[(1, (crate::phys::ARENA / SIZE as u64) as u32)]) });
}

#[cfg(all(test, not(target_os = "none")))]
mod tests {
    use super::{Frame, free};

    #[test]
    fn frames_are_counted_and_come_back() {
        let mut frame = Frame::zeroed().expect("memory");
        let other = frame.clone();
        assert_eq!(frame.refs(), 2);
        assert!(frame.get_mut().is_none());
        other.write(4092, &[1, 2, 3, 4]);
        drop(other);
        let mut end = [0; 4];
        frame.read(4092, &mut end);
        assert_eq!(end, [1, 2, 3, 4]);
        assert!(frame.get_mut().is_some_and(|bytes| bytes[..4092].iter().all(|&b| b == 0)));
        drop(frame);
        // Other tests take and give frames at the same time, but not most of the time.
        let comes_back = || {
            let before = free();
            drop(Frame::zeroed().expect("memory"));
            free() == before
        };
        assert!((0..1000).filter(|_| comes_back()).count() > 500);
    }

    #[test]
    fn private_frames_are_counted_once_until_they_are_free() {
        let count = super::private;
        let mut frames = [const { None }; 3];
        Frame::fill_private(&mut frames[1..]);
        frames[0] = Frame::alloc_private();
        let mine = count();
        let shares = frames.clone();
        let refs = |frame: &Option<Frame>| frame.as_ref().map(Frame::refs);
        assert_eq!((count(), frames.each_ref().map(refs)), (mine, [Some(2); 3]));
        drop(shares);
        assert!(frames.iter_mut().flatten().all(|frame| frame.get_mut().is_some()));
        drop(frames);
        let again = Frame::alloc().expect("memory");
        assert_eq!((count(), again.refs()), (mine - 3, 1));
    }

    #[test]
    fn blocks_split_and_join() {
        let _ = free();
        let block = super::buddy::take(4).expect("memory");
        assert_eq!(block % 16, 0);
        for index in block..block + 16 {
            super::buddy::give(index, 0);
        }
        let again = super::buddy::take(4).expect("memory");
        super::buddy::give(again, 4);
    }
}
