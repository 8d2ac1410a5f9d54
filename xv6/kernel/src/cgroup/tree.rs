//! The tree's shape: making and removing groups, and who may move where.
//!
//! A fork charges a group without the tree's lock. A removal therefore first marks the group dead and then looks for
//! members, while a charge first joins and then looks for the mark (both sequentially consistent): at least one of them
//! sees the other and steps back.
//!
//! Locks: [`lock`] (rank `CgroupTree`) around every change; group states are spin locks inside it.

use super::{Cgroup, is_within};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use hal::sync::{Lazy, Rank, SpinGuard, SpinLock};

/// Groups there may be in all: a bound on what `mkdir` can take from the kernel's memory.
pub const MAX_GROUPS: u64 = 16_384;
/// Levels of groups: every charge walks to the root, and the last reference to a removed group may let go of all those above it, one by one.
pub const MAX_DEPTH: u64 = 64;

static TREE: SpinLock<()> = SpinLock::new(Rank::CgroupTree, "cgroup tree", ());
static ROOT: Lazy<Arc<Cgroup>> = Lazy::new(|| Arc::new(Cgroup::new(None, b"")));

/// The root of the whole tree: the host's group.
pub fn root() -> Arc<Cgroup> {
    (*ROOT).clone()
}

/// Held across a change of the tree's shape or a migration.
pub fn lock() -> SpinGuard<'static, ()> {
    TREE.lock()
}

/// mkdir(2) of a group. `EEXIST`; `EAGAIN` past `cgroup.max.depth` or `cgroup.max.descendants` of a group above, or past [`MAX_DEPTH`];
/// `ENOSPC` past [`MAX_GROUPS`]; `EINVAL` for a name with a newline, which `/proc/PID/cgroup` could not show.
pub fn make(parent: &Arc<Cgroup>, name: &[u8]) -> Result<Arc<Cgroup>> {
    if name.contains(&b'\n') {
        return Err(Errno::EINVAL.into());
    }
    let _tree = lock();
    if parent.is_dead() {
        return Err(Errno::ENOENT.during("making a cgroup in a removed one"));
    }
    if parent.child(name).is_some() {
        return Err(Errno::EEXIST.into());
    }
    if parent.depth() >= MAX_DEPTH {
        return Err(Errno::EAGAIN.during("making a cgroup too deep"));
    }
    for (steps, group) in (1..).zip(parent.ancestry()) {
        let (max_depth, max_descendants) = group.limits();
        if steps > max_depth || group.descendants() >= max_descendants {
            return Err(Errno::EAGAIN.during("making a cgroup past a limit above it"));
        }
        if group.is_root() && group.descendants() >= MAX_GROUPS {
            return Err(Errno::ENOSPC.during("making one cgroup too many"));
        }
    }
    let group = Arc::new(Cgroup::new(Some(parent.clone()), name));
    parent.state.lock().children.insert(name.into(), group.clone());
    for above in parent.ancestry() {
        above.descendants.fetch_add(1, Ordering::Relaxed);
    }
    Ok(group)
}

/// rmdir(2) of a group. `ENOENT`; `EBUSY` while it has children or live members.
pub fn remove(parent: &Arc<Cgroup>, name: &[u8]) -> Result<()> {
    let _tree = lock();
    let group = parent.child(name).ok_or(Errno::ENOENT)?;
    if group.descendants() > 0 || group.is_populated() {
        return Err(Errno::EBUSY.during("removing a cgroup in use"));
    }
    group.dead.store(true, Ordering::SeqCst);
    if group.is_populated() {
        group.dead.store(false, Ordering::SeqCst);
        return Err(Errno::EBUSY.during("removing a cgroup in use"));
    }
    let removed = parent.state.lock().children.remove(name);
    for above in parent.ancestry() {
        above.descendants.fetch_sub(1, Ordering::Relaxed);
    }
    group.events.notify();
    drop(removed);
    Ok(())
}

/// Whether a task may move from `from` to `to` at the wish of a task whose cgroup namespace has the root `visible`.
/// Called with [`lock`] held. `ENOENT` where one of the two lies outside of the namespace; `ENODEV` for a removed
/// group; `EBUSY` where `to` (not the root) hands controllers down (the "no internal processes" rule).
pub fn may_enter(visible: &Cgroup, from: &Cgroup, to: &Cgroup) -> Result<()> {
    if to.is_dead() {
        return Err(Errno::ENODEV.into());
    }
    if !is_within(from, visible) || !is_within(to, visible) {
        return Err(Errno::ENOENT.during("moving a task across a cgroup namespace's border"));
    }
    if !to.is_root() && !to.enabled().is_empty() {
        return Err(Errno::EBUSY.during("moving a task into a cgroup that hands controllers down"));
    }
    Ok(())
}
