//! epoll(7): a set of open files, waited for together.
//!
//! A wait asks every file in the set for its events, with one poller registered in all their queues: the simplest thing that is right,
//! for sets of the sizes that fit a small machine. Edge-triggered entries report a state once until it changes.
//!
//! A set holds its files weakly by number: an entry goes with the last descriptor of its open file. Locks: the set's mutex, held while
//! the files are asked, never while waiting.

use super::File;
use super::file::{Events, FileOps};
use crate::error::{Errno, Result};
use crate::sync::{Mutex, Poller, Rank, WaitQueue};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

/// Files in one set.
const LIMIT: usize = 4096;
/// Sets within sets (epoll(7): `ELOOP` past 5).
const MAX_DEPTH: u32 = 4;

/// `EPOLLEXCLUSIVE`, `EPOLLWAKEUP`: hints.
const HINTS: u32 = 1 << 28 | 1 << 29;
/// `EPOLLONESHOT`: reported once, then silent until modified.
const ONESHOT: u32 = 1 << 30;
/// `EPOLLET`.
const EDGE: u32 = 1 << 31;

/// What a program asks about one file.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    /// `EPOLL*` bits.
    pub events: u32,
    /// Given back with each event.
    pub data: u64,
}

struct Entry {
    file: Weak<File>,
    interest: Interest,
    /// What an edge-triggered entry reported last.
    reported: Events,
    /// A one-shot entry has fired.
    silent: bool,
}

/// A set of files to wait for.
pub struct Epoll {
    entries: Mutex<BTreeMap<(u32, usize), Entry>>,
    /// The set changed: waiters look again.
    changed: WaitQueue,
}

impl Default for Epoll {
    fn default() -> Epoll {
        Epoll::new()
    }
}

fn depth(file: &File) -> u32 {
    let Some(inner) = file.operations::<Epoll>() else { return 0 };
    let files: Vec<Arc<File>> = inner.entries.lock().values().filter_map(|entry| entry.file.upgrade()).collect();
    1 + files.iter().map(|file| depth(file)).max().unwrap_or(0)
}

impl Epoll {
    /// An empty set.
    pub fn new() -> Epoll {
        Epoll { entries: Mutex::new(Rank::FileOffset, "epoll", BTreeMap::new()), changed: WaitQueue::new() }
    }

    fn key(fd: u32, file: &Arc<File>) -> (u32, usize) {
        (fd, Arc::as_ptr(file) as usize)
    }

    /// `EPOLL_CTL_ADD`: `EEXIST`, `ELOOP` for sets too deep, `ENOSPC` for a full set. `this` is the set's own open file.
    pub fn add(&self, this: &Arc<File>, fd: u32, file: &Arc<File>, interest: Interest) -> Result<()> {
        if Arc::ptr_eq(this, file) {
            return Err(Errno::EINVAL.into());
        }
        let below = depth(file);
        if below > MAX_DEPTH || (below > 0 && contains(file, this)) {
            return Err(Errno::ELOOP.into());
        }
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| entry.file.strong_count() > 0);
        if entries.contains_key(&Epoll::key(fd, file)) {
            return Err(Errno::EEXIST.into());
        }
        if entries.len() >= LIMIT {
            return Err(Errno::ENOSPC.into());
        }
        let entry = Entry { file: Arc::downgrade(file), interest, reported: Events::empty(), silent: false };
        entries.insert(Epoll::key(fd, file), entry);
        drop(entries);
        self.changed.wake_all();
        Ok(())
    }

    /// `EPOLL_CTL_MOD`: `ENOENT` if not in the set.
    pub fn modify(&self, fd: u32, file: &Arc<File>, interest: Interest) -> Result<()> {
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(&Epoll::key(fd, file)).ok_or(Errno::ENOENT)?;
        (entry.interest, entry.reported, entry.silent) = (interest, Events::empty(), false);
        drop(entries);
        self.changed.wake_all();
        Ok(())
    }

    /// `EPOLL_CTL_DEL`: `ENOENT` if not in the set.
    pub fn remove(&self, fd: u32, file: &Arc<File>) -> Result<()> {
        self.entries.lock().remove(&Epoll::key(fd, file)).map(drop).ok_or(Errno::ENOENT.into())
    }

    /// Asks every file; registers `poller` with all. With `consume` the reports count (edges, one-shots).
    fn collect(&self, most: usize, mut poller: Option<&mut Poller>, consume: bool) -> Vec<Interest> {
        let mut ready = Vec::new();
        let mut gone = Vec::new();
        let mut entries = self.entries.lock();
        for entry in entries.values_mut() {
            let Some(file) = entry.file.upgrade() else { continue };
            let all = file.poll(poller.as_deref_mut());
            let wanted = Events::from_bits_truncate(entry.interest.events) | Events::ERR | Events::HUP;
            let holds = all.intersection(wanted);
            gone.push(file);
            let edge = entry.interest.events & EDGE != 0;
            let fresh = if edge { !holds.difference(entry.reported).is_empty() } else { !holds.is_empty() };
            if edge && consume {
                entry.reported = entry.reported.intersection(holds);
            }
            if entry.silent || !fresh || ready.len() >= most {
                continue;
            }
            ready.push(Interest { events: holds.bits(), data: entry.interest.data });
            if consume {
                entry.reported = holds;
                entry.silent = entry.interest.events & !HINTS & ONESHOT != 0;
            }
        }
        drop(entries);
        // Dropping a file may be its close, which must not happen under the set's lock.
        drop(gone);
        ready
    }

    /// epoll_wait(2): up to `most` events; none once the monotonic clock (ns) passes `deadline`.
    pub fn wait(&self, most: usize, deadline: Option<u64>) -> Result<Vec<Interest>> {
        loop {
            let mut poller = Poller::new();
            poller.register(&self.changed);
            let ready = self.collect(most, Some(&mut poller), true);
            if !ready.is_empty() || !poller.wait(deadline)? {
                return Ok(ready);
            }
        }
    }
}

/// Whether the set `file` holds `other`, at any depth.
fn contains(file: &Arc<File>, other: &Arc<File>) -> bool {
    let Some(set) = file.operations::<Epoll>() else { return false };
    let files: Vec<Arc<File>> = set.entries.lock().values().filter_map(|entry| entry.file.upgrade()).collect();
    files.iter().any(|inner| Arc::ptr_eq(inner, other) || contains(inner, other))
}

impl FileOps for Epoll {
    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        let ready = match poller {
            Some(poller) => {
                poller.register(&self.changed);
                self.collect(1, Some(poller), false)
            }
            None => self.collect(1, None, false),
        };
        if ready.is_empty() { Events::empty() } else { Events::IN | Events::RDNORM }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
