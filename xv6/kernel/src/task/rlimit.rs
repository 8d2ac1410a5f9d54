//! Resource limits (getrlimit(2)): the table each process has, copied at fork.
//!
//! Enforced where the resource is taken: file descriptors and the size of files by `vfs`, memory by `mm`, CPU time by `cputimer`. Plain data.

/// Which limit; the numbers are Linux's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
#[expect(missing_docs, reason = "getrlimit(2) documents each")]
pub enum Resource {
    Cpu = 0,
    FileSize = 1,
    Data = 2,
    Stack = 3,
    Core = 4,
    Rss = 5,
    Processes = 6,
    Files = 7,
    LockedMemory = 8,
    AddressSpace = 9,
    Locks = 10,
    SignalsPending = 11,
    MessageQueue = 12,
    Nice = 13,
    RealtimePriority = 14,
    RealtimeTime = 15,
}

/// No limit.
pub const INFINITY: u64 = u64::MAX;

/// How many kinds there are.
const COUNT: usize = 16;

const ALL: [Resource; COUNT] = [
    Resource::Cpu,
    Resource::FileSize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Processes,
    Resource::Files,
    Resource::LockedMemory,
    Resource::AddressSpace,
    Resource::Locks,
    Resource::SignalsPending,
    Resource::MessageQueue,
    Resource::Nice,
    Resource::RealtimePriority,
    Resource::RealtimeTime,
];

impl Resource {
    /// The resource with Linux's number.
    pub fn new(number: usize) -> Option<Resource> {
        ALL.get(number).copied()
    }
}

/// A process's limits: (soft, hard) each.
#[derive(Clone, Copy, Debug)]
pub struct Limits([(u64, u64); COUNT]);

impl Default for Limits {
    fn default() -> Self {
        let mut table = [(INFINITY, INFINITY); COUNT];
        table[Resource::Stack as usize] = (8 << 20, INFINITY);
        table[Resource::Core as usize] = (0, INFINITY);
        table[Resource::Files as usize] = (1024, 4096);
        table[Resource::LockedMemory as usize] = (8 << 20, 8 << 20);
        table[Resource::SignalsPending as usize] = (1024, 1024);
        table[Resource::MessageQueue as usize] = (819_200, 819_200);
        table[Resource::Nice as usize] = (0, 0);
        table[Resource::RealtimePriority as usize] = (0, 0);
        Limits(table)
    }
}

impl Limits {
    /// (soft, hard).
    pub fn get(&self, resource: Resource) -> (u64, u64) {
        self.0[resource as usize]
    }

    /// Sets both.
    pub fn set(&mut self, resource: Resource, soft: u64, hard: u64) {
        self.0[resource as usize] = (soft, hard);
    }
}
