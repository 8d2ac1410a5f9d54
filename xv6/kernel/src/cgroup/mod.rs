//! Control groups, version 2 (cgroups(7)): the tree, who is in it, and what each group may use.
//!
//! Key types: [`Cgroup`], one node of the tree; [`TaskCharge`], one task's place in it (made before the task, its drop
//! gives everything back); [`Controllers`], the set of resource controllers. A controller is a file of this folder
//! (`pids`) whose counters sit in every node, charged along the path to the root whether or not the controller shows
//! its files there.
//!
//! Neighbours: `task` charges a fork here and keeps the charge; `fs::cgroupfs` shows the tree as files; `ns` holds the
//! root that a cgroup namespace sees. This room calls none of them.
//!
//! Locks: [`tree::lock`] serialises every change of the tree's shape and every migration; a node's `state` is a spin
//! lock inside it. Charges are atomics and take no lock.

mod charge;
mod control;
mod notify;
mod path;
mod pids;
#[cfg(test)]
mod tests;
pub mod tree;

pub use charge::{TaskCharge, charge_task, set_task_limit};
pub use control::Controllers;
pub use notify::Notifier;
pub use path::{is_within, path_from};
pub use pids::{Pids, UNLIMITED};
pub use tree::root;

use crate::mm::Payer;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use hal::sync::{Rank, SpinLock};

/// One node of the tree. Children hold their parent; a parent holds its children until [`tree::remove`].
pub struct Cgroup {
    id: u64,
    name: Box<[u8]>,
    parent: Option<Arc<Cgroup>>,
    depth: u64,
    /// The task counter and its limit.
    pub pids: Pids,
    /// Live tasks in this very group.
    members: AtomicU64,
    /// Live tasks in this group and below it.
    population: AtomicU64,
    /// Groups below this one.
    descendants: AtomicU64,
    dead: AtomicBool,
    /// Threads of this very group that run or wait for a CPU; the scheduler counts them.
    pub runnable: AtomicU64,
    state: SpinLock<State>,
    /// Pages of memory files that tasks here and below made: no process maps them for good, so no process's size tells of them.
    memory_files: AtomicUsize,
    /// Changes of `cgroup.events`.
    pub events: Notifier,
}

/// What a change of the tree changes in a node.
struct State {
    children: BTreeMap<Box<[u8]>, Arc<Cgroup>>,
    enabled: Controllers,
    max_depth: u64,
    max_descendants: u64,
    owners: BTreeMap<&'static str, Owner>,
}

/// Owner and mode of a group's folder or of one of its files, where chown(2) or chmod(2) changed them (delegation).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u16,
}

impl Cgroup {
    fn new(parent: Option<Arc<Cgroup>>, name: &[u8]) -> Cgroup {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Cgroup {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            depth: parent.as_ref().map_or(0, |parent| parent.depth + 1),
            parent,
            pids: Pids::new(),
            members: AtomicU64::new(0),
            population: AtomicU64::new(0),
            descendants: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            runnable: AtomicU64::new(0),
            memory_files: AtomicUsize::new(0),
            state: SpinLock::new(
                Rank::Cgroup,
                "cgroup",
                State {
                    children: BTreeMap::new(),
                    enabled: Controllers::empty(),
                    max_depth: UNLIMITED,
                    max_descendants: UNLIMITED,
                    owners: BTreeMap::new(),
                },
            ),
            events: Notifier::new(),
        }
    }

    /// A number that no other group of this boot has: the inode number of its folder.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name in the parent's folder; empty for the root.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The parent; `None` for the root of the whole tree.
    pub fn parent(&self) -> Option<&Arc<Cgroup>> {
        self.parent.as_ref()
    }

    /// Steps from the root.
    pub fn depth(&self) -> u64 {
        self.depth
    }

    /// True for the root of the whole tree.
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// True once rmdir(2) removed it; zombies may still be charged to it.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Live tasks (not zombies) in this group itself.
    pub fn members(&self) -> u64 {
        self.members.load(Ordering::SeqCst)
    }

    /// True if this group or one below it has a live task (`cgroup.events`, `populated`).
    pub fn is_populated(&self) -> bool {
        self.population.load(Ordering::SeqCst) > 0
    }

    /// Groups below this one.
    pub fn descendants(&self) -> u64 {
        self.descendants.load(Ordering::Relaxed)
    }

    /// Bytes in memory files that tasks of this group and below it made.
    pub fn memory_files(&self) -> usize {
        self.memory_files.load(Ordering::Relaxed) * hal::frame::SIZE
    }

    /// The child called `name`.
    pub fn child(&self, name: &[u8]) -> Option<Arc<Cgroup>> {
        self.state.lock().children.get(name).cloned()
    }

    /// The children, by name.
    pub fn children(&self) -> Vec<Arc<Cgroup>> {
        self.state.lock().children.values().cloned().collect()
    }

    /// How many children there are.
    pub fn child_count(&self) -> usize {
        self.state.lock().children.len()
    }

    /// Controllers whose files this group has: what the parent hands down (`cgroup.controllers`); all at the root.
    pub fn controllers(&self) -> Controllers {
        match &self.parent {
            None => Controllers::all(),
            Some(parent) => parent.enabled(),
        }
    }

    /// Controllers handed down to the children (`cgroup.subtree_control`).
    pub fn enabled(&self) -> Controllers {
        self.state.lock().enabled
    }

    /// `cgroup.max.depth` and `cgroup.max.descendants`; [`UNLIMITED`] for `max`.
    pub fn limits(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.max_depth, state.max_descendants)
    }

    /// Sets `cgroup.max.depth`, the levels allowed below this group.
    pub fn set_max_depth(&self, depth: u64) {
        self.state.lock().max_depth = depth;
    }

    /// Sets `cgroup.max.descendants`, the groups allowed below this group.
    pub fn set_max_descendants(&self, count: u64) {
        self.state.lock().max_descendants = count;
    }

    /// The owner given to `file` (`""`: the folder) by chown(2) or chmod(2), if any was.
    pub fn owner(&self, file: &str) -> Option<Owner> {
        self.state.lock().owners.get(file).copied()
    }

    /// Remembers an owner and mode for `file` (`""`: the folder).
    pub fn set_owner(&self, file: &'static str, owner: Owner) {
        self.state.lock().owners.insert(file, owner);
    }

    /// This group, its parent, and so on to the root.
    pub fn ancestry(&self) -> impl Iterator<Item = &Cgroup> {
        core::iter::successors(Some(self), |group| group.parent.as_deref())
    }
}

impl Payer for Cgroup {
    fn pay(&self, pages: isize) {
        for group in self.ancestry() {
            group.memory_files.fetch_add(pages as usize, Ordering::Relaxed);
        }
    }
}
