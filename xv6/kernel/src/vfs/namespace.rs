//! [`MountNamespace`]: one tree of mounts, as the processes in the namespace see it (mount_namespaces(7)).
//!
//! A namespace owns its root mount and, through it, all others; when its last process goes, the tree is taken apart, so that each mount ends for
//! itself: an instance may hold the mount it hangs on (by the file it was made from), and a parent its children. Mounts are counted, and
//! [`LIMIT`] of them is `ENOSPC`. All propagation is private: what one namespace mounts, no other sees.
//!
//! Locks: changes under `mount::TOPOLOGY`; `root` is a spin lock for readers.

use super::mount::{LOCKABLE, Mount, MountFlags, TOPOLOGY};
use super::{FsContext, Path};
use crate::error::{Errno, Result};
use crate::ns::{NsCommon, UserNamespace};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::sync::{Rank, SpinLock};

/// Mounts that one namespace may hold (Linux's `fs.mount-max` is 100,000).
pub const LIMIT: usize = 4096;

/// A tree of mounts.
pub struct MountNamespace {
    common: NsCommon,
    root: SpinLock<Arc<Mount>>,
    count: AtomicUsize,
}

/// Room for mounts in a namespace, given back on drop unless [`Charge::commit`]ted.
pub(super) struct Charge<'a> {
    namespace: &'a MountNamespace,
    mounts: usize,
}

impl Charge<'_> {
    /// The mounts exist now.
    pub(super) fn commit(mut self) {
        self.mounts = 0;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.namespace.count.fetch_sub(self.mounts, Ordering::Relaxed);
    }
}

impl MountNamespace {
    /// A namespace around a tree that belongs to none.
    pub fn new(root: Arc<Mount>, owner: Arc<UserNamespace>) -> Arc<MountNamespace> {
        let all = root.subtree();
        let namespace = Arc::new(MountNamespace {
            common: NsCommon::new(owner),
            root: SpinLock::new(Rank::Mount, "namespace root", root),
            count: AtomicUsize::new(all.len()),
        });
        for mount in all {
            mount.set_namespace(Arc::downgrade(&namespace));
        }
        namespace
    }

    /// The inode number that `/proc/PID/ns/mnt` shows.
    pub fn ino(&self) -> u64 {
        self.common.ino
    }

    /// The user namespace whose `CAP_SYS_ADMIN` changes the tree.
    pub fn owner(&self) -> &Arc<UserNamespace> {
        &self.common.owner
    }

    /// The root mount.
    pub fn root(&self) -> Arc<Mount> {
        self.root.lock().clone()
    }

    pub(super) fn set_root(&self, root: Arc<Mount>) {
        let old = core::mem::replace(&mut *self.root.lock(), root);
        drop(old);
    }

    /// The directory that a process entering the namespace stands in: the root, with what is mounted over it.
    pub fn root_path(&self) -> Path {
        self.root().root_path().cross_mounts()
    }

    /// How many mounts the namespace holds.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes room for `mounts` more: `ENOSPC` past the limit.
    pub(super) fn charge(&self, mounts: usize) -> Result<Charge<'_>> {
        if self.count.fetch_add(mounts, Ordering::Relaxed) + mounts > LIMIT {
            self.count.fetch_sub(mounts, Ordering::Relaxed);
            return Err(Errno::ENOSPC.during("mounting: the namespace is full"));
        }
        Ok(Charge { namespace: self, mounts })
    }

    /// Every mount, parents first, while the tree stands still: `f` must not change it, nor keep what it sees.
    pub fn for_each(&self, mut f: impl FnMut(&Arc<Mount>)) {
        let _guard = TOPOLOGY.lock();
        for mount in self.root().subtree() {
            f(&mount);
        }
    }

    /// Marks a detached tree as belonging to no namespace. The caller holds `TOPOLOGY`.
    pub(super) fn disown(&self, top: &Arc<Mount>) {
        let all = top.subtree();
        self.count.fetch_sub(all.len(), Ordering::Relaxed);
        for mount in all {
            mount.set_namespace(Weak::new());
        }
    }

    /// A copy of this namespace for `CLONE_NEWNS`: every mount anew, on the same file systems. `fs`, the new task's own context,
    /// is moved to the same places in the copy; `owner` is the new task's user namespace.
    pub fn copy(&self, fs: &FsContext, owner: Arc<UserNamespace>) -> Result<Arc<MountNamespace>> {
        let _guard = TOPOLOGY.lock();
        let old_root = self.root();
        let (root, pairs) = copy_tree(&old_root, &old_root.root, true)?;
        if !Arc::ptr_eq(&owner, self.owner()) {
            for mount in pairs.values() {
                let place = if Arc::ptr_eq(mount, &root) { MountFlags::empty() } else { MountFlags::PLACE };
                mount.set_locked(mount.locked() | mount.flags().intersection(LOCKABLE) | place);
            }
        }
        let namespace = MountNamespace::new(root, owner);
        let moved = |path: &Path| {
            let mount = pairs.get(&path.mount.id)?;
            Some(Path { mount: mount.clone(), dentry: path.dentry.clone() })
        };
        fs.replace(moved);
        Ok(namespace)
    }
}

impl Drop for MountNamespace {
    /// Nobody else can change this tree, for that takes its namespace: no need for `TOPOLOGY`, which the caller may hold.
    fn drop(&mut self) {
        drop(take_apart(self.root.get_mut()));
    }
}

/// Takes a tree apart that is no namespace's any more, as Linux does (`disconnect_mount`): only locked mounts stay where they hang, for they hide what
/// lies below. Returns the mounts: to be dropped with no lock held.
pub(super) fn take_apart(top: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let all = top.subtree();
    for mount in all.iter().skip(1).filter(|mount| !mount.locked().contains(MountFlags::PLACE)) {
        mount.detach();
    }
    all
}

/// A copied tree's top, and the copies by the originals' ids.
type CopiedTree = (Arc<Mount>, BTreeMap<u64, Arc<Mount>>);

/// Copies the mount `top`, shown from `root` down, and with `recursive` all that hangs below `root`. The caller holds `TOPOLOGY`; the copies belong to no namespace.
pub(super) fn copy_tree(top: &Arc<Mount>, root: &Arc<super::Dentry>, recursive: bool) -> Result<CopiedTree> {
    let copy_one = |mount: &Arc<Mount>, root| {
        let copy = Mount::new(mount.superblock.clone(), root, &mount.source, mount.flags());
        copy.set_locked(mount.locked());
        copy
    };
    let new_top = copy_one(top, root.clone());
    let mut pairs = BTreeMap::from([(top.id, new_top.clone())]);
    let mut left: Vec<(Arc<Mount>, Arc<Mount>)> = Vec::new();
    if recursive {
        left.push((top.clone(), new_top.clone()));
    }
    while let Some((old, new)) = left.pop() {
        for child in old.children() {
            let Some(point) = child.point() else { continue };
            if Arc::ptr_eq(&old, top) && !root.is_ancestor_of(&point.dentry) {
                continue;
            }
            let copy = copy_one(&child, child.root.clone());
            // What hangs on a name that is being removed is about to come off: the copy does without.
            if copy.attach(&Path { mount: new.clone(), dentry: point.dentry }).is_err() {
                continue;
            }
            pairs.insert(child.id, copy.clone());
            left.push((child, copy));
        }
    }
    Ok((new_top, pairs))
}
