//! The plain data that address spaces exchange with their callers: accesses and why they fail, protections, mapping requests, reports.

use super::PageCache;
use crate::error::Result;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// What a faulting access wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Exec,
}

/// Why a fault cannot be repaired: the signal to send (sigaction(2), `si_code`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// `SIGSEGV` with this code: 1 `SEGV_MAPERR`, 2 `SEGV_ACCERR`.
    Segv(i32),
    /// `SIGBUS` with this code: 2 `BUS_ADRERR` (past the end of a file, or its page cannot be read or gets no space).
    Bus(i32),
    /// Out of memory, although a process may have been ended for it: `SIGKILL` to this one.
    Oom,
}

bitflags::bitflags! {
    /// mmap(2)'s protection, Linux's values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Prot: u32 {
        /// Loads.
        const READ = 1;
        /// Stores.
        const WRITE = 2;
        /// Instruction fetches.
        const EXEC = 4;
    }
}

impl Prot {
    /// Whether an area of this protection permits `access`: as on x86, what may be written or executed may be read.
    pub fn permits(self, access: Access) -> bool {
        match access {
            Access::Read => !self.is_empty(),
            Access::Write => self.contains(Prot::WRITE),
            Access::Exec => self.contains(Prot::EXEC),
        }
    }

    /// The page-table bits, with stores only where `stores` says that a page may take them now.
    pub(super) fn hardware(self, stores: bool) -> hal::paging::Prot {
        let mut bits = hal::paging::Prot::empty();
        bits.set(hal::paging::Prot::READ, !self.is_empty());
        bits.set(hal::paging::Prot::WRITE, stores && self.contains(Prot::WRITE));
        bits.set(hal::paging::Prot::EXEC, self.contains(Prot::EXEC));
        bits
    }
}

/// The open file behind a mapping, as far as memory cares: it stays open while mapped.
pub trait MapFile: Send + Sync {
    /// `(st_dev, st_ino, path)` for `/proc/PID/maps`.
    fn identity(&self) -> (u64, u64, Vec<u8>);
    /// Makes the file's written content durable (msync(2) with `MS_SYNC`).
    fn sync(&self) -> Result<()>;
}

/// What a new mapping shows.
#[derive(Clone)]
pub enum Content {
    /// Zeros, private.
    Anonymous,
    /// Zeros, shared with children.
    SharedAnonymous,
    /// A file's pages from `offset` (bytes, page-aligned).
    File {
        /// The pages.
        pages: Arc<PageCache>,
        /// Keeps the file open.
        file: Arc<dyn MapFile>,
        /// Where the mapping starts in the file.
        offset: u64,
        /// Stores go to the file (`MAP_SHARED`), else to a private copy.
        shared: bool,
        /// The file is open for writing: a shared mapping may become writable.
        writable: bool,
    },
}

/// Where a new mapping goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Anywhere, at this address if it is free (0: no wish).
    Hint(usize),
    /// Exactly here, replacing what is there (`MAP_FIXED`).
    Fixed(usize),
    /// Exactly here, `EEXIST` if something is there (`MAP_FIXED_NOREPLACE`).
    FixedNoReplace(usize),
}

/// One area, for `/proc/PID/maps`.
#[derive(Clone, Debug)]
pub struct AreaInfo {
    /// First address.
    pub start: usize,
    /// One past the last address.
    pub end: usize,
    /// Protection.
    pub prot: Prot,
    /// `s` rather than `p`.
    pub shared: bool,
    /// Offset in the file.
    pub offset: u64,
    /// Device number of the file, or 0.
    pub dev: u64,
    /// Inode number of the file, or 0.
    pub ino: u64,
    /// Path, or `[heap]`, `[stack]`, or empty.
    pub name: Vec<u8>,
}

impl AreaInfo {
    /// Private memory of no file, without any access.
    pub fn new(range: Range<usize>) -> AreaInfo {
        AreaInfo {
            start: range.start,
            end: range.end,
            prot: Prot::empty(),
            shared: false,
            offset: 0,
            dev: 0,
            ino: 0,
            name: Vec::new(),
        }
    }
}

/// How much memory a process uses, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Mapped.
    pub size: usize,
    /// Mapped at most, ever.
    pub peak: usize,
    /// Present.
    pub rss: usize,
    /// Present at most, ever.
    pub rss_peak: usize,
    /// Present, of shared mappings.
    pub rss_shared: usize,
    /// Private writable, the stack left out.
    pub data: usize,
    /// Stack.
    pub stack: usize,
    /// Executable.
    pub text: usize,
}

/// The limits that an address space keeps (getrlimit(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// `RLIMIT_AS`.
    AddressSpace,
    /// `RLIMIT_DATA`.
    Data,
    /// `RLIMIT_STACK`.
    Stack,
}
