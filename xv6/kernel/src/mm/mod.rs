//! Memory: address spaces and page faults, the page cache, user copies, reclaim.
//!
//! Neighbours: `task` owns a thread's [`AddressSpace`], `vfs` and `fs/*` bring [`PageSource`]s and use [`ReadBuf`] and
//! [`WriteBuf`], `exec` builds new spaces, `syscall::memory` decodes mmap(2) and its kin. The machine's frames and page tables are hal's.

mod buf;
pub mod cache;
mod space;
pub mod user;

pub use buf::{IoVec, ReadBuf, WriteBuf};
pub use cache::{PageCache, PageSource};
pub use space::{Access, AddressSpace, AreaInfo, Content, FaultError, Limit, MapFile, Prot, Usage};

use crate::error::Result;

/// Admission of a kernel allocation whose size a user chooses: makes sure that `bytes` more can be had without eating into the
/// kernel's reserve, reclaiming cached pages if need be; else `ENOMEM`.
pub fn reserve(bytes: usize) -> Result<()> {
    let _ = bytes;
    todo!()
}

/// Memory in use, in bytes, for `/proc/meminfo` and sysinfo(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// All that the kernel manages.
    pub total: usize,
    /// Free now.
    pub free: usize,
    /// File pages, tmpfs and shared memory included.
    pub cached: usize,
    /// Of these, tmpfs and shared memory.
    pub shmem: usize,
    /// Of these, waiting to be written.
    pub dirty: usize,
    /// Of these, being written.
    pub writeback: usize,
    /// Private pages of processes.
    pub anon: usize,
    /// Kernel heap.
    pub slab: usize,
}

/// The numbers now.
pub fn stats() -> Stats {
    todo!()
}
