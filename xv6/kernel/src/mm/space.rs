//! One process's memory: [`AddressSpace`].

use super::PageCache;
use crate::error::Result;
use alloc::sync::Arc;
use alloc::vec::Vec;

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
    /// `SIGBUS` with this code: 2 `BUS_ADRERR` (past the end of a file, or its page cannot be read).
    Bus(i32),
    /// Out of memory after reclaim: a process was killed for it, or this one must be (`SIGKILL`).
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

/// The open file behind a mapping, as far as memory cares: it stays open while mapped.
pub trait MapFile: Send + Sync {
    /// `(st_dev, st_ino, path)` for `/proc/PID/maps`.
    fn identity(&self) -> (u64, u64, Vec<u8>);
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
    /// Private writable.
    pub data: usize,
    /// Stack.
    pub stack: usize,
    /// Executable.
    pub text: usize,
}

/// A process's memory: areas, page table, heap end.
pub struct AddressSpace;

impl AddressSpace {
    /// Makes this the running CPU's user memory.
    pub fn activate(&self) {
        todo!()
    }

    /// Repairs a page fault, or says which signal it is.
    pub fn handle_fault(&self, addr: usize, access: Access) -> core::result::Result<(), FaultError> {
        let _ = (addr, access);
        todo!()
    }

    /// A copy-on-write copy for fork(2).
    pub fn fork(&self) -> Result<Arc<AddressSpace>> {
        todo!()
    }

    /// The areas, ascending.
    pub fn maps(&self) -> Vec<AreaInfo> {
        todo!()
    }

    /// Size and residence.
    pub fn usage(&self) -> Usage {
        todo!()
    }

    /// Reads another process's memory (`/proc/PID/mem`): the bytes copied before the first bad page, `EFAULT` if none.
    pub fn read_remote(&self, addr: usize, buf: &mut [u8]) -> Result<usize> {
        let _ = (addr, buf);
        todo!()
    }

    /// The argument strings as they are now, NUL-terminated each (`/proc/PID/cmdline`).
    pub fn command_line(&self) -> Vec<u8> {
        todo!()
    }

    /// The environment strings likewise (`/proc/PID/environ`).
    pub fn environment(&self) -> Vec<u8> {
        todo!()
    }

    /// Changes a limit that memory enforces; setrlimit(2) calls it.
    pub fn set_limit(&self, limit: Limit, bytes: u64) {
        let _ = (limit, bytes);
        todo!()
    }

    /// Where a shared futex word lies: the page's owner and byte offset in it; `None` in private memory.
    pub fn shared_key(&self, addr: usize) -> Option<(usize, u64)> {
        let _ = addr;
        todo!()
    }
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
