//! Memory: address spaces and page faults, the page cache, user copies, reclaim.
//!
//! Neighbours: `task` owns a thread's [`AddressSpace`], `vfs` and `fs/*` bring [`PageSource`]s and use [`ReadBuf`] and
//! [`WriteBuf`], `exec` builds new spaces, `syscall::memory` decodes mmap(2) and its kin. The machine's frames and page tables are hal's.
//!
//! ```text
//!   space   one process's memory          cache      one file's pages             frames   taking pages, counters
//!   area    its stretches                 fill file_io  from the disk, for calls  reclaim  dropping clean pages
//!   fault   filling them in               writeback  dirty pages to the disk      oom      when that is not enough
//!   mapping remap advise remote detail    dirty flusher  which files, and when    reaper   spaces that end elsewhere
//!   user buf  copies to and from user memory     rmap  from a page to who maps it
//! ```
//!
//! Lock order: file content and write-back (sleeping, among the inodes) > address space > page fill > file systems > disks; then spin
//! locks: lists of caches > one cache's index > hal's.

mod advise;
mod area;
mod buf;
mod cache;
mod detail;
mod dirty;
mod fault;
mod file_io;
mod fill;
mod flusher;
mod frames;
mod mapping;
pub mod oom;
mod payer;
mod reaper;
mod reclaim;
mod remap;
mod remote;
mod rmap;
mod space;
mod types;
pub mod user;
mod writeback;

#[cfg(test)]
mod tests;

pub use advise::Advice;
pub use buf::{IoVec, ReadBuf, WriteBuf};
pub use cache::{PageCache, PageSource};
pub use detail::Detail;
pub use dirty::sweep_orphans;
pub use fault::{FORBIDDEN, UNMAPPED};
pub use file_io::SIZE_MAX;
pub use flusher::{expect_flush, flush_with, run as run_flusher};
pub use frames::{Stats, room_for_memory_files, stats};
pub use mapping::Request;
pub use payer::{Payer, set_finder as set_payer_finder};
pub use reaper::release;
pub use reclaim::{drop_caches, reserve};
pub use remap::Move;
pub use space::AddressSpace;
pub use types::{Access, AreaInfo, Content, FaultError, Limit, MapFile, Place, Prot, Usage};
pub use writeback::sync_all;
