//! Frames for user pages and the page cache: the one place where such a page is taken, and where the kernel's own share is kept back.
//!
//! The kernel's heap and page tables take frames without asking; so that they never find memory empty, user pages stop at a
//! [`reserve_frames`] mark. A failure here means: reclaim ([`super::reclaim`]) and try again.

use core::sync::atomic::{AtomicUsize, Ordering};
use hal::Tally;
use hal::frame::{self, Frame};

/// Pages in caches, memory files included.
pub(super) static CACHED: Tally = Tally::new();
/// Pages of memory files.
pub(super) static MEMORY_FILES: Tally = Tally::new();
/// Dirty pages.
pub(super) static DIRTY: Tally = Tally::new();
/// Pages being written to a disk.
pub(super) static WRITEBACK: Tally = Tally::new();

/// Frames kept for the kernel itself: 1/64 of memory, at least 1 MiB, at most 16 MiB.
pub(super) fn reserve_frames() -> usize {
    static RESERVE: AtomicUsize = AtomicUsize::new(0);
    match RESERVE.load(Ordering::Relaxed) {
        0 => {
            let reserve = (frame::total() / 64).clamp(256, 4096);
            RESERVE.store(reserve, Ordering::Relaxed);
            reserve
        }
        reserve => reserve,
    }
}

/// Clean file pages that only other file pages may push out: 1/32 of memory, at least 1 MiB, at most 32 MiB. It holds what the running programs
/// execute. Without it, whoever fills memory would grow by the very pages that he needs to go on, and read them from the disk again and again.
pub(super) fn kept_cache() -> usize {
    (frame::total() / 32).clamp(256, 8192)
}

/// Pages of files that could be dropped and read again.
pub(super) fn clean_cache() -> usize {
    let [cached, memory, dirty] = [&CACHED, &MEMORY_FILES, &DIRTY].map(Tally::get);
    cached.saturating_sub(memory + dirty)
}

/// Pages that write-back will make clean.
pub(super) fn unwritten() -> usize {
    DIRTY.get() + WRITEBACK.get()
}

/// Whether `pages` more of files that have a limit of their own may live in memory: all together at most three quarters of it. They outlive who
/// filled them, and nobody's end would give them back.
pub fn room_for_memory_files(pages: usize) -> bool {
    MEMORY_FILES.get() + pages <= frame::total() / 4 * 3
}

/// Whether `pages` more may be taken for users.
pub(super) fn has_room(pages: usize) -> bool {
    frame::free() > reserve_frames().saturating_add(pages)
}

/// A page for user data with undefined content, which the caller overwrites whole. `None`: reclaim first.
pub(super) fn take() -> Option<Frame> {
    if has_room(0) { Frame::alloc() } else { None }
}

/// A page of zeros likewise.
pub(super) fn take_zeroed() -> Option<Frame> {
    if has_room(0) { Frame::zeroed() } else { None }
}

/// A page for a process's own memory likewise, with undefined content or of zeros.
pub(super) fn take_private(zeros: bool) -> Option<Frame> {
    if zeros {
        let mut frame = None;
        take_private_zeros(core::slice::from_mut(&mut frame));
        return frame;
    }
    if has_room(0) { Frame::alloc_private() } else { None }
}

/// Fills `places` with pages of zeros for a process's own memory likewise, as far as there are some.
pub(super) fn take_private_zeros(places: &mut [Option<Frame>]) {
    if has_room(places.len().saturating_sub(1)) {
        Frame::fill_private(places);
    }
}

/// Memory in use, in bytes, for `/proc/meminfo` and sysinfo(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// All that the kernel manages.
    pub total: usize,
    /// Free now.
    pub free: usize,
    /// What programs could still get: free, and clean cache, less the kernel's reserve and the cache that is kept.
    pub available: usize,
    /// File pages, tmpfs and shared memory included.
    pub cached: usize,
    /// Of these, tmpfs and shared memory.
    pub shmem: usize,
    /// Of these, waiting to be written.
    pub dirty: usize,
    /// Of these, being written.
    pub writeback: usize,
    /// Processes' own pages that are of no file; those that they share since a fork count once.
    pub anon: usize,
    /// Kernel heap.
    pub slab: usize,
}

/// The numbers now.
pub fn stats() -> Stats {
    let bytes = |pages: &Tally| pages.get() * frame::SIZE;
    let (total, free) = (frame::total() * frame::SIZE, frame::free() * frame::SIZE);
    let (cached, shmem, dirty) = (bytes(&CACHED), bytes(&MEMORY_FILES), bytes(&DIRTY));
    let slab = hal::heap::used();
    let droppable = clean_cache().saturating_sub(kept_cache()) * frame::SIZE;
    Stats {
        total,
        free,
        available: (free + droppable).saturating_sub(reserve_frames() * frame::SIZE),
        cached,
        shmem,
        dirty,
        writeback: bytes(&WRITEBACK),
        anon: frame::private() * frame::SIZE,
        slab,
    }
}
