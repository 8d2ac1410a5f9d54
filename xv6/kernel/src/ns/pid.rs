//! PID namespaces (pid_namespaces(7)): each numbers the processes in it and below it, from 1 on.
//!
//! A task's [`crate::task::Pid`] has a number in its own namespace and in every one above. The process with number 1 is the
//! namespace's init: orphans go to it, and its death kills everything inside; after that no process can be made in it (`ENOMEM`).
//!
//! Locks: `table`, a spin lock (`Rank::PidTable`) for each namespace, taken one at a time.

use super::{NsCommon, UserNamespace};
use crate::error::{Errno, Result};
use crate::sync::WaitQueue;
use crate::task::{Pid, Process};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::sync::{Lazy, Rank, SpinLock};

/// How deep PID namespaces nest (pid_namespaces(7)).
const MAX_LEVEL: usize = 32;

/// One more than the largest pid; a fresh number is looked for from the last one on, so a number is not soon used again.
pub const PID_MAX: u32 = 4_194_304;

/// Numbers below this are not used again after the first round (as Linux's `RESERVED_PIDS`).
const RESERVED: u32 = 300;

struct Table {
    numbers: BTreeMap<u32, Weak<Pid>>,
    last: u32,
    init: Weak<Process>,
    /// Set when the init has died: no more processes.
    dead: bool,
}

/// A PID namespace.
pub struct PidNamespace {
    /// Identity and owner.
    pub common: NsCommon,
    /// The namespace it was made in; `None` for the initial one.
    pub parent: Option<Arc<PidNamespace>>,
    /// 0 for the initial one, one more with each nesting.
    pub level: usize,
    table: SpinLock<Table>,
    /// Woken when a process inside ends after the init did.
    pub(crate) drained: WaitQueue,
}

impl PidNamespace {
    /// The initial one.
    pub fn initial() -> &'static Arc<PidNamespace> {
        static INITIAL: Lazy<Arc<PidNamespace>> =
            Lazy::new(|| PidNamespace::with(UserNamespace::initial().clone(), None));
        &INITIAL
    }

    fn with(owner: Arc<UserNamespace>, parent: Option<Arc<PidNamespace>>) -> Arc<PidNamespace> {
        let table = Table { numbers: BTreeMap::new(), last: 0, init: Weak::new(), dead: false };
        Arc::new(PidNamespace {
            common: NsCommon::new(owner),
            level: parent.as_ref().map_or(0, |parent| parent.level + 1),
            parent,
            table: SpinLock::new(Rank::PidTable, "pid table", table),
            drained: WaitQueue::new(),
        })
    }

    /// A namespace below this one; `ENOSPC` when nested too deep (clone(2)).
    pub fn new_child(self: &Arc<Self>, owner: Arc<UserNamespace>) -> Result<Arc<PidNamespace>> {
        if self.level + 1 >= MAX_LEVEL {
            return Err(Errno::ENOSPC.into());
        }
        Ok(PidNamespace::with(owner, Some(self.clone())))
    }

    /// True for `other` itself and everything below it.
    pub fn is_within(self: &Arc<Self>, other: &Arc<PidNamespace>) -> bool {
        let mut at = Some(self);
        while let Some(ns) = at {
            if Arc::ptr_eq(ns, other) {
                return true;
            }
            at = ns.parent.as_ref();
        }
        false
    }

    /// What `number` names here.
    pub fn find(&self, number: u32) -> Option<Arc<Pid>> {
        self.table.lock().numbers.get(&number)?.upgrade()
    }

    /// Every pid here, in ascending order of its number.
    pub fn pids(&self) -> Vec<Arc<Pid>> {
        let table = self.table.lock();
        table.numbers.values().filter_map(Weak::upgrade).collect()
    }

    /// Every pid here with a number of at least `first`, in ascending order; at most `limit` of them.
    pub fn pids_from(&self, first: u32, limit: usize) -> Vec<Arc<Pid>> {
        let table = self.table.lock();
        table.numbers.range(first..).filter_map(|(_, pid)| pid.upgrade()).take(limit).collect()
    }

    /// The last number given out, for `/proc/loadavg`.
    pub fn last(&self) -> u32 {
        self.table.lock().last
    }

    /// The process with number 1, while it lives or is a zombie.
    pub fn init(&self) -> Option<Arc<Process>> {
        self.table.lock().init.upgrade()
    }

    /// True once the init died.
    pub fn is_dead(&self) -> bool {
        self.table.lock().dead
    }

    /// Names `process` as the init.
    pub(crate) fn set_init(&self, process: &Arc<Process>) {
        self.table.lock().init = Arc::downgrade(process);
    }

    /// Refuses every further process.
    pub(crate) fn close(&self) {
        self.table.lock().dead = true;
    }

    /// Takes a free number for `pid`: `ENOMEM` when the init is dead (fork(2)), `EAGAIN` when there is none.
    pub(crate) fn allocate(&self, pid: &Weak<Pid>) -> Result<u32> {
        let mut table = self.table.lock();
        if table.dead {
            return Err(Errno::ENOMEM.during("making a process in a namespace whose init died"));
        }
        let mut number = table.last;
        for _ in 0..PID_MAX {
            number += 1;
            if number >= PID_MAX {
                number = RESERVED;
            }
            if let Entry::Vacant(slot) = table.numbers.entry(number) {
                slot.insert(pid.clone());
                table.last = number;
                return Ok(number);
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// Gives a number back.
    pub(crate) fn release(&self, number: u32) {
        let mut table = self.table.lock();
        table.numbers.remove(&number);
        // The first process was never born: the next one is to be number 1.
        if table.numbers.is_empty() && table.init.strong_count() == 0 && !table.dead {
            table.last = 0;
        }
    }
}
