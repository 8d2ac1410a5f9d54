//! Record locks: fcntl(2) `F_SETLK`, `F_SETLKW`, `F_GETLK`, owned by the process (its descriptor table) or the open file (`F_OFD_*`).
//!
//! One table for all files, keyed by the inode's address; a holder has the file open. A process that would wait in a cycle of
//! waiting processes gets `EDEADLK`.
//!
//! Locks: one mutex around the table, never held while waiting; waiters sleep on one queue and look again.

use super::File;
use crate::error::{Errno, Result};
use crate::sync::{Mutex, Rank, WaitQueue};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Locks that all processes together may hold (`ENOLCK` past it).
const LIMIT: usize = 16_384;

/// A range of bytes, locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// First byte.
    pub start: u64,
    /// One past the last byte; `u64::MAX` for "to the end, wherever that is".
    pub end: u64,
    /// For writing: no other lock may overlap.
    pub exclusive: bool,
    /// The process (its table's address), or the open file's address.
    pub owner: usize,
    /// The process number to report; -1 for an open file's lock.
    pub pid: i32,
}

impl Record {
    fn overlaps(&self, other: &Record) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn conflicts(&self, other: &Record) -> bool {
        self.owner != other.owner && self.overlaps(other) && (self.exclusive || other.exclusive)
    }
}

struct Table {
    files: BTreeMap<usize, Vec<Record>>,
    count: usize,
    /// Who waits for whom.
    waiting: Vec<(usize, usize)>,
}

static TABLE: Mutex<Table> =
    Mutex::new(Rank::Leaf, "record locks", Table { files: BTreeMap::new(), count: 0, waiting: Vec::new() });
static CHANGED: WaitQueue = WaitQueue::new();

fn key(file: &File) -> usize {
    Arc::as_ptr(&file.inode).cast::<()>() as usize
}

impl Table {
    /// The lock in the way of `want` that begins first.
    fn conflict(&self, file: usize, want: &Record) -> Option<Record> {
        self.files.get(&file)?.iter().filter(|held| want.conflicts(held)).min_by_key(|held| held.start).copied()
    }

    /// Makes `range`'s owner hold `range` as asked: cuts its old locks there, and with `lock` adds the new one, merged with its neighbours.
    fn set(&mut self, file: usize, range: &Record, lock: bool) -> Result<()> {
        let held = self.files.entry(file).or_default();
        let before = held.len();
        let mut new = *range;
        let mut kept = Vec::with_capacity(before + 2);
        for old in held.iter() {
            let touches = old.start <= range.end && range.start <= old.end;
            if old.owner != range.owner || !touches {
                kept.push(*old);
            } else if lock && old.exclusive == range.exclusive {
                new.start = new.start.min(old.start);
                new.end = new.end.max(old.end);
            } else {
                let left = Record { end: old.end.min(range.start), ..*old };
                let right = Record { start: old.start.max(range.end), ..*old };
                kept.extend([left, right].into_iter().filter(|part| part.start < part.end));
            }
        }
        if lock {
            kept.push(new);
        }
        let count = self.count - before + kept.len();
        if count > LIMIT && kept.len() > before {
            return Err(Errno::ENOLCK.into());
        }
        self.count = count;
        if kept.is_empty() {
            self.files.remove(&file);
        } else {
            *held = kept;
        }
        Ok(())
    }

    /// True if `owner` waiting for `holder` would close a cycle.
    fn deadlocks(&self, owner: usize, holder: usize) -> bool {
        let mut at = holder;
        for _ in 0..=self.waiting.len() {
            if at == owner {
                return true;
            }
            match self.waiting.iter().find(|(waiter, _)| *waiter == at) {
                Some(&(_, next)) => at = next,
                None => return false,
            }
        }
        false
    }
}

/// `F_GETLK`: the lock that is in the way of `want`, if any.
pub fn test(file: &File, want: &Record) -> Option<Record> {
    TABLE.lock().conflict(key(file), want)
}

/// `F_SETLK` with `F_UNLCK`.
pub fn unlock(file: &File, range: &Record) -> Result<()> {
    TABLE.lock().set(key(file), range, false)?;
    CHANGED.wake_all();
    Ok(())
}

/// `F_SETLK`, and with `wait` `F_SETLKW`: `EAGAIN`, `EDEADLK`, `ENOLCK`, or interrupted.
pub fn lock(file: &File, want: &Record, wait: bool) -> Result<()> {
    let file = key(file);
    let attempt = || -> Option<Result<()>> {
        let mut table = TABLE.lock();
        table.waiting.retain(|(waiter, _)| *waiter != want.owner);
        let Some(holder) = table.conflict(file, want) else { return Some(table.set(file, want, true)) };
        if !wait {
            return Some(Err(Errno::EAGAIN.into()));
        }
        if table.deadlocks(want.owner, holder.owner) {
            return Some(Err(Errno::EDEADLK.into()));
        }
        table.waiting.push((want.owner, holder.owner));
        None
    };
    let result = match attempt() {
        Some(result) => result,
        None => CHANGED.wait_interruptible(None, attempt).and_then(|result| result),
    };
    TABLE.lock().waiting.retain(|(waiter, _)| *waiter != want.owner);
    // A conversion may have given room to others.
    CHANGED.wake_all();
    result
}

/// Releases everything `owner` holds on `file`.
pub(super) fn release(file: &File, owner: usize) {
    let all = Record { start: 0, end: u64::MAX, exclusive: false, owner, pid: 0 };
    // Cutting the whole range out makes no new locks, so this cannot fail.
    let _ = TABLE.lock().set(key(file), &all, false);
    CHANGED.wake_all();
}

#[cfg(test)]
mod tests {
    use super::{Record, Table};
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn record(start: u64, end: u64, exclusive: bool, owner: usize) -> Record {
        Record { start, end, exclusive, owner, pid: 1 }
    }

    #[test]
    fn ranges_split_and_merge() {
        let mut table = Table { files: BTreeMap::new(), count: 0, waiting: Vec::new() };
        table.set(1, &record(0, 100, true, 7), true).expect("lock");
        table.set(1, &record(40, 60, true, 7), false).expect("unlock the middle");
        assert!(table.conflict(1, &record(45, 50, true, 8)).is_none());
        assert!(table.conflict(1, &record(35, 50, false, 8)).is_some());
        table.set(1, &record(40, 60, true, 7), true).expect("lock again");
        assert_eq!(table.files[&1], [record(0, 100, true, 7)]);
        table.set(1, &record(0, u64::MAX, false, 7), false).expect("unlock all");
        assert!(table.files.is_empty() && table.count == 0);
    }

    #[test]
    fn readers_share_and_cycles_are_seen() {
        let mut table = Table { files: BTreeMap::new(), count: 0, waiting: Vec::new() };
        table.set(1, &record(0, 10, false, 7), true).expect("shared");
        assert!(table.conflict(1, &record(0, 10, false, 8)).is_none());
        assert!(table.conflict(1, &record(0, 10, true, 8)).is_some());
        table.waiting.push((7, 8));
        assert!(table.deadlocks(8, 7) && !table.deadlocks(9, 7));
    }
}
