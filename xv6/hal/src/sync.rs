//! Spin locks, ranked. The kernel runs with interrupts off, so a lock is only a flag; whoever spins for it still answers TLB
//! shootdowns and stop requests ([`crate::cpu::pause`]). Debug builds check the order of [`Rank`]s on each CPU.

pub mod atomic;
mod order;
mod sleep;

pub use order::held;
pub use sleep::{Exclusive, Shared, SleepCell};

use atomic::{Access, AtomicBool, Ordering, Watch};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

/// The one lock order, outermost first: a lock may be taken while holding only locks of smaller rank. Add ranks
/// where a new kind of lock belongs; two locks of one rank are never held together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// Namespace tables and the objects in them.
    Namespace,
    /// The shape of the cgroup tree, and who is where in it.
    CgroupTree,
    /// One thread's place in the cgroup tree.
    Charge,
    /// One cgroup's state.
    Cgroup,
    /// The process tree: parents, groups, sessions.
    TaskTree,
    /// One process's relatives.
    Task,
    /// The members of a process group.
    Group,
    /// A pid namespace's numbers.
    PidTable,
    /// A process's threads.
    Threads,
    /// What a process does with each signal.
    SigActions,
    /// What a process has pending.
    ProcessSignals,
    /// What a thread blocks and has pending.
    ThreadSignals,
    /// What a thread may share with others: memory, files, credentials.
    TaskParts,
    /// A file-descriptor table, a working directory.
    Files,
    /// The mount tree.
    Mount,
    /// The dentry cache.
    Dentry,
    /// Inodes and superblocks.
    Inode,
    /// Open files.
    File,
    /// An address space.
    Mm,
    /// Page caches.
    PageCache,
    /// Network stacks and sockets.
    Net,
    /// Pipes, eventfds, epoll.
    Pipe,
    /// Terminals.
    Tty,
    /// Block layer, buffer cache.
    Block,
    /// Futex buckets.
    Futex,
    /// Wait queues.
    Wait,
    /// Interval timers of processes.
    Alarm,
    /// Timer queues.
    Timer,
    /// Whether a thread runs, waits or sleeps.
    TaskPhase,
    /// Run queues.
    RunQueue,
    /// Small leaf locks that take nothing below but hal's own.
    Leaf,
    /// hal: devices.
    Device,
    /// hal: page tables of the kernel half, stacks.
    KernelMap,
    /// hal: the heap.
    Heap,
    /// hal: how many references frames have.
    Count,
    /// hal: free frames.
    Frame,
    /// hal: the log ring.
    Log,
    /// hal: the serial line.
    Serial,
    /// hal: setting a [`Once`], which takes nothing.
    Once,
}

/// A lock that spins. Hold it briefly, and never across a sleep.
pub struct SpinLock<T: ?Sized> {
    locked: AtomicBool,
    rank: Rank,
    name: &'static str,
    watch: Watch,
    value: UnsafeCell<T>,
}

// SAFETY: the flag gives one CPU at a time the value, so sharing the lock only ever moves the `T` between CPUs.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(rank: Rank, name: &'static str, value: T) -> Self {
        Self { locked: AtomicBool::new(false), rank, name, watch: Watch::new(), value: UnsafeCell::new(value) }
    }

    /// The value, when nobody needs the lock any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Takes the lock, spinning until it is free. Debug builds panic on a rank inversion.
    pub fn lock(&self) -> SpinGuard<'_, T> {
        order::check(self.rank, self.name);
        if self.locked.swap(true, Ordering::Acquire) {
            self.wait();
        }
        self.taken()
    }

    /// Spins until the lock is ours.
    #[cold]
    fn wait(&self) {
        loop {
            while self.locked.load(Ordering::Relaxed) {
                crate::cpu::pause();
            }
            if !self.locked.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }

    fn taken(&self) -> SpinGuard<'_, T> {
        order::taken((&raw const *self).cast(), self.rank, self.name);
        SpinGuard { lock: self, access: self.watch.write() }
    }

    /// Takes the lock if it is free. The order is not checked: a try cannot deadlock.
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        (!self.locked.swap(true, Ordering::Acquire)).then(|| self.taken())
    }

    /// The value, through the only reference.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The name given to [`SpinLock::new`].
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The rank given to [`SpinLock::new`].
    pub fn rank(&self) -> Rank {
        self.rank
    }
}

/// The value of a locked [`SpinLock`]; dropping it unlocks.
pub struct SpinGuard<'a, T: ?Sized> {
    lock: &'a SpinLock<T>,
    access: Access,
}

impl<T: ?Sized> Deref for SpinGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this CPU holds the lock and nobody else has a reference.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference through the guard.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        order::released((&raw const *self.lock).cast());
        self.access.end();
        self.lock.locked.store(false, Ordering::Release);
    }
}

/// A value computed once, by whoever asks first; others spin meanwhile.
pub struct Once<T> {
    lock: SpinLock<()>,
    set: AtomicBool,
    watch: Watch,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written once under the lock, before `set`; afterwards it is only shared.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// Not computed yet.
    pub const fn new() -> Self {
        Self {
            lock: SpinLock::new(Rank::Once, "once", ()),
            set: AtomicBool::new(false),
            watch: Watch::new(),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if it has been computed.
    pub fn get(&self) -> Option<&T> {
        if !self.set.load(Ordering::Acquire) {
            return None;
        }
        self.watch.read().end();
        // SAFETY: `set` is stored after the only write, and never cleared.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, computed by `f` if nobody has yet. `f` runs without the lock held when it loses a race: it may run twice, one result is kept.
    pub fn call_once(&self, f: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            // Dropped after the lock: the loser's value, or what a model's last execution left.
            let mut value = Some(f());
            let _guard = self.lock.lock();
            if !self.set.load(Ordering::Acquire) {
                self.watch.write().end();
                // SAFETY: `set` is false and the lock is held, so nobody reads or writes the value.
                unsafe { core::ptr::swap(self.value.get(), &mut value) };
                self.set.store(true, Ordering::Release);
            }
        }
        self.get().expect("a value that was just set")
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A static computed at its first use.
pub struct Lazy<T> {
    once: Once<T>,
    init: fn() -> T,
}

impl<T> Lazy<T> {
    /// `init` runs at the first use.
    pub const fn new(init: fn() -> T) -> Self {
        Self { once: Once::new(), init }
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.once.call_once(self.init)
    }
}
