//! [`Pid`]: what a number in a pid table names. It may be a thread, a process, a process group and a session at once
//! (credentials(7)), and the numbers stay taken while it is any of them.
//!
//! Locks: `links`, a leaf spin lock. The numbers never change after creation.

use super::{Process, ProcessGroup, Session, Task};
use crate::error::Result;
use crate::ns::PidNamespace;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::sync::{Rank, SpinLock};

#[derive(Default)]
struct Links {
    task: Weak<Task>,
    process: Weak<Process>,
    group: Weak<ProcessGroup>,
    session: Weak<Session>,
}

/// A process id, with a number in each namespace that sees it.
pub struct Pid {
    /// From the initial namespace to the innermost.
    numbers: Vec<(Arc<PidNamespace>, u32)>,
    links: SpinLock<Links>,
}

impl Pid {
    /// Numbers in `namespace` and every one above it. `EAGAIN` when there is none left, `ENOMEM` when the namespace is dead.
    pub fn allocate(namespace: &Arc<PidNamespace>) -> Result<Arc<Pid>> {
        let mut chain = Vec::with_capacity(namespace.level + 1);
        let mut at = Some(namespace);
        while let Some(ns) = at {
            chain.push(ns.clone());
            at = ns.parent.as_ref();
        }
        chain.reverse();
        let mut failure = None;
        let pid = Arc::new_cyclic(|weak| {
            let mut numbers: Vec<(Arc<PidNamespace>, u32)> = Vec::with_capacity(chain.len());
            for ns in chain {
                match ns.allocate(weak) {
                    Ok(number) => numbers.push((ns, number)),
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
            Pid { numbers, links: SpinLock::new(Rank::Leaf, "pid links", Links::default()) }
        });
        match failure {
            // Dropping it gives back the numbers it did get.
            Some(error) => Err(error),
            None => Ok(pid),
        }
    }

    /// The pid of kernel threads: in no table, number 0 everywhere.
    pub(super) fn kernel() -> Arc<Pid> {
        Arc::new(Pid { numbers: Vec::new(), links: SpinLock::new(Rank::Leaf, "pid links", Links::default()) })
    }

    /// The number in `namespace`; `None` if it cannot be seen from there.
    pub fn nr_in(&self, namespace: &PidNamespace) -> Option<u32> {
        let (ns, number) = self.numbers.get(namespace.level)?;
        core::ptr::eq(Arc::as_ptr(ns), namespace).then_some(*number)
    }

    /// The number in `namespace`, or 0, as Linux reports what cannot be seen.
    pub fn nr_or_zero(&self, namespace: &PidNamespace) -> u32 {
        self.nr_in(namespace).unwrap_or(0)
    }

    /// The number in the initial namespace (0 for kernel threads).
    pub fn global(&self) -> u32 {
        self.numbers.first().map_or(0, |(_, number)| *number)
    }

    /// The number in its own (innermost) namespace.
    pub fn own(&self) -> u32 {
        self.numbers.last().map_or(0, |(_, number)| *number)
    }

    /// The numbers from the initial namespace to the innermost (`NSpid:` in `/proc/PID/status`).
    pub fn numbers(&self) -> impl Iterator<Item = (&Arc<PidNamespace>, u32)> {
        self.numbers.iter().map(|(ns, number)| (ns, *number))
    }

    /// The innermost namespace: the one its process lives in. `None` for kernel threads.
    pub fn namespace(&self) -> Option<&Arc<PidNamespace>> {
        self.numbers.last().map(|(ns, _)| ns)
    }

    /// The thread with this id, while it lives.
    pub fn task(&self) -> Option<Arc<Task>> {
        self.links.lock().task.upgrade()
    }

    /// The process with this id, until it is reaped.
    pub fn process(&self) -> Option<Arc<Process>> {
        self.links.lock().process.upgrade()
    }

    /// The process group with this id.
    pub fn group(&self) -> Option<Arc<ProcessGroup>> {
        self.links.lock().group.upgrade()
    }

    /// The session with this id.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.links.lock().session.upgrade()
    }

    pub(super) fn set_task(&self, task: Weak<Task>) {
        self.links.lock().task = task;
    }

    pub(super) fn set_process(&self, process: Weak<Process>) {
        self.links.lock().process = process;
    }

    pub(super) fn set_group(&self, group: &Arc<ProcessGroup>) {
        self.links.lock().group = Arc::downgrade(group);
    }

    pub(super) fn set_session(&self, session: &Arc<Session>) {
        self.links.lock().session = Arc::downgrade(session);
    }
}

impl Drop for Pid {
    fn drop(&mut self) {
        for (namespace, number) in &self.numbers {
            namespace.release(*number);
        }
    }
}
