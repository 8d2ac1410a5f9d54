//! futex(2): sleeping on a word of user memory, and robust lists (get_robust_list(2)).
//!
//! A word is known by its [`Key`]: in private memory by address space and address, in shared memory by the object behind the page and the
//! offset in it. Waiters hang in hashed buckets; a waiter is queued before it looks at the word, so a wake between the two finds it.
//!
//! Locks: the buckets' spin locks (`Rank::Futex`), two of them by index order. User memory is never touched under one.

use super::{Task, sched, signal_pending};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use hal::sync::{Rank, SpinLock};

/// Which word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    /// The address space or the shared object.
    object: usize,
    /// The address, or the offset in the object.
    offset: u64,
    shared: bool,
}

struct Waiter {
    task: Arc<Task>,
    key: SpinLock<Key>,
    bits: u32,
    woken: AtomicBool,
    /// The bucket it hangs in: requeueing moves it.
    bucket: AtomicUsize,
}

/// Number of buckets; a power of two.
const BUCKETS: usize = 64;

static TABLE: [SpinLock<Vec<Arc<Waiter>>>; BUCKETS] =
    [const { SpinLock::new(Rank::Futex, "futex bucket", Vec::new()) }; BUCKETS];

/// Any of the 32 wake bits.
pub const ANY: u32 = u32::MAX;

impl Key {
    fn of(task: &Task, address: usize, private: bool) -> Result<Key> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL.during("a misaligned futex"));
        }
        if address >= hal::user::LIMIT {
            return Err(Errno::EFAULT.into());
        }
        let mm = task.mm().ok_or(Errno::EFAULT)?;
        if !private && let Some((object, offset)) = mm.shared_key(address) {
            return Ok(Key { object, offset, shared: true });
        }
        Ok(Key { object: Arc::as_ptr(&mm) as usize, offset: address as u64, shared: false })
    }

    fn bucket(&self) -> usize {
        let mixed = (self.object as u64 ^ self.offset.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 58) as usize % BUCKETS
    }
}

/// `FUTEX_WAIT_BITSET`: sleeps while the word at `address` is `expected`, until a wake with one of `bits` or the monotonic `deadline`. `EAGAIN` if
/// the word differs, `ETIMEDOUT`, `ERESTARTSYS` when a signal must be handled first.
pub fn wait(
    task: &Arc<Task>,
    address: usize,
    private: bool,
    expected: u32,
    bits: u32,
    deadline: Option<u64>,
) -> Result<()> {
    if bits == 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = Key::of(task, address, private)?;
    let bucket = key.bucket();
    let waiter = Arc::new(Waiter {
        task: task.clone(),
        key: SpinLock::new(Rank::Leaf, "futex key", key),
        bits,
        woken: AtomicBool::new(false),
        bucket: AtomicUsize::new(bucket),
    });
    TABLE[bucket].lock().push(waiter.clone());
    let verdict = match memory::word(address, hal::user::load_u32) {
        Ok(value) if value == expected => sleep(task, &waiter, deadline),
        Ok(_) => Err(Errno::EAGAIN.into()),
        Err(error) => Err(error),
    };
    let was_woken = !remove(&waiter);
    // A wake-up that was spent on us counts, whatever else happened.
    if was_woken { Ok(()) } else { verdict }
}

fn sleep(task: &Arc<Task>, waiter: &Waiter, deadline: Option<u64>) -> Result<()> {
    loop {
        if waiter.woken.load(Ordering::Acquire) {
            return Ok(());
        }
        if signal_pending(task) {
            return Err(Errno::ERESTARTSYS.into());
        }
        if deadline.is_some_and(|deadline| hal::time::now_ns() >= deadline) {
            return Err(Errno::ETIMEDOUT.into());
        }
        sched::park(true, deadline);
    }
}

/// Room that an empty bucket may keep.
const ROOM: usize = 16;

/// Takes one entry out of a locked bucket, and gives back the room that a crowd took once the last has gone.
fn unlink(bucket: &mut Vec<Arc<Waiter>>, at: usize) -> Arc<Waiter> {
    let waiter = bucket.remove(at);
    if bucket.is_empty() && bucket.capacity() > ROOM {
        *bucket = Vec::new();
    }
    waiter
}

/// Takes a waiter out of its bucket; false if a wake-up did so already.
fn remove(waiter: &Arc<Waiter>) -> bool {
    loop {
        if waiter.woken.load(Ordering::Acquire) {
            return false;
        }
        let index = waiter.bucket.load(Ordering::Acquire);
        let mut bucket = TABLE[index].lock();
        if let Some(at) = bucket.iter().position(|other| Arc::ptr_eq(other, waiter)) {
            unlink(&mut bucket, at);
            return true;
        }
        // Requeued or woken in between: look again.
        drop(bucket);
        hal::cpu::pause();
    }
}

/// `FUTEX_WAKE_BITSET`: wakes up to `count` waiters that wait for one of `bits`; how many.
pub fn wake(task: &Task, address: usize, private: bool, count: usize, bits: u32) -> Result<usize> {
    if bits == 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(wake_key(Key::of(task, address, private)?, count, bits))
}

fn wake_key(key: Key, count: usize, bits: u32) -> usize {
    let woken = {
        let mut bucket = TABLE[key.bucket()].lock();
        take(&mut bucket, key, count, bits)
    };
    for waiter in &woken {
        sched::unpark(&waiter.task);
    }
    woken.len()
}

/// Takes up to `count` waiters for `key` out of a locked bucket, and marks them woken.
fn take(bucket: &mut Vec<Arc<Waiter>>, key: Key, count: usize, bits: u32) -> Vec<Arc<Waiter>> {
    let mut taken = Vec::new();
    let mut index = 0;
    while index < bucket.len() && taken.len() < count {
        let waiter = &bucket[index];
        if waiter.bits & bits != 0 && *waiter.key.lock() == key {
            let waiter = unlink(bucket, index);
            waiter.woken.store(true, Ordering::Release);
            taken.push(waiter);
        } else {
            index += 1;
        }
    }
    taken
}

/// `FUTEX_REQUEUE`, and with `expected` `FUTEX_CMP_REQUEUE`: wakes up to `wakes` waiters of one word and moves up to `moves` others to another. Returns how
/// many were woken or moved; `EAGAIN` if the word is not `expected`.
pub fn requeue(
    task: &Task,
    private: bool,
    from: usize,
    to: usize,
    wakes: usize,
    moves: usize,
    expected: Option<u32>,
) -> Result<(usize, usize)> {
    let (from_key, to_key) = (Key::of(task, from, private)?, Key::of(task, to, private)?);
    if let Some(expected) = expected
        && memory::word(from, hal::user::load_u32)? != expected
    {
        return Err(Errno::EAGAIN.into());
    }
    let (source, target) = (from_key.bucket(), to_key.bucket());
    let (woken, moving) = {
        let mut bucket = TABLE[source].lock();
        let woken = take(&mut bucket, from_key, wakes, ANY);
        let mut moving = Vec::new();
        let mut index = 0;
        while index < bucket.len() && moving.len() < moves {
            let matches = *bucket[index].key.lock() == from_key;
            if matches {
                let waiter = if source == target { bucket[index].clone() } else { unlink(&mut bucket, index) };
                *waiter.key.lock() = to_key;
                waiter.bucket.store(target, Ordering::Release);
                moving.push(waiter);
            }
            if !matches || source == target {
                index += 1;
            }
        }
        (woken, moving)
    };
    let moved = moving.len();
    if source != target {
        // Between the two locks such a waiter hangs nowhere; one that gives up just then looks again until it is in the target.
        TABLE[target].lock().extend(moving);
    }
    for waiter in &woken {
        sched::unpark(&waiter.task);
    }
    Ok((woken.len(), moved))
}

/// Wakes waiters of a word of `task`'s memory, shared or private: for a thread's end.
pub(super) fn wake_address(task: &Task, address: usize, count: usize) {
    for private in [true, false] {
        if let Ok(key) = Key::of(task, address, private) {
            wake_key(key, count, ANY);
        }
    }
}

/// A robust futex word: somebody waits.
const FUTEX_WAITERS: u32 = 0x8000_0000;
/// A robust futex word: its owner died.
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
/// A robust futex word: the owner's thread id.
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// Most entries of a robust list that are followed.
const ROBUST_MAX: usize = 2048;

/// Marks the robust futexes that an ending thread still holds, and wakes one waiter of each.
pub(super) fn release_robust(task: &Arc<Task>) {
    let head = task.robust_list.swap(0, Ordering::Relaxed);
    if head == 0 || task.mm().is_none() {
        return;
    }
    let Ok([first, offset, pending]) = memory::read::<[u64; 3]>(head) else { return };
    let mut entry = first;
    for _ in 0..ROBUST_MAX {
        if entry & !1 == head as u64 {
            break;
        }
        let Ok(next) = memory::read::<u64>((entry & !1) as usize) else { return };
        if entry != pending {
            release_one(task, entry, offset);
        }
        entry = next;
    }
    if pending & !1 != 0 {
        release_one(task, pending, offset);
    }
}

fn release_one(task: &Arc<Task>, entry: u64, offset: u64) {
    let address = (entry & !1).wrapping_add(offset) as usize;
    let tid = task.tid().nr_or_zero(&task.pid_ns());
    let Ok(mut value) = memory::word(address, hal::user::load_u32) else { return };
    while value & FUTEX_TID_MASK == tid {
        let dead = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        match memory::word(address, |at| hal::user::cmpxchg_u32(at, value, dead)) {
            Ok(seen) if seen == value => {
                if value & FUTEX_WAITERS != 0 {
                    wake_address(task, address, 1);
                }
                return;
            }
            Ok(seen) => value = seen,
            Err(_) => return,
        }
    }
}
