//! [`Mount`]: a file system instance (or a part of it) made visible at a place; mounts form a tree.
//!
//! A mount is found from its parent by the dentry it hangs on; a second mount on the same place hangs on the first one's root. A parent owns its
//! children, a child knows its parent weakly: dropping a detached mount drops what is below it, and a process that still
//! stands in a detached mount sees that mount's root as the top.
//!
//! Neighbours: `namespace` owns the trees' roots and counts them; `mountcall` changes them.
//! Locks: the tree changes under the global [`TOPOLOGY`] mutex only; `place` and `children` are spin locks for readers.

use super::Path;
use super::census::{self, Counted};
use super::dentry::Dentry;
use super::mountpoint;
use super::namespace::MountNamespace;
use super::superblock::Superblock;
use crate::error::{Errno, Result};
use crate::sync::{self, Mutex};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use hal::sync::{Rank, SpinLock};

/// The flags that become locked when a mount is copied into a less privileged namespace.
pub(super) const LOCKABLE: MountFlags =
    MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV).union(MountFlags::NOEXEC);

bitflags::bitflags! {
    /// A mount's own flags; the values are mount(2)'s `MS_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MountFlags: u32 {
        /// Nothing may be changed.
        const RDONLY = 1;
        /// Set-id bits have no effect.
        const NOSUID = 2;
        /// Device nodes cannot be opened.
        const NODEV = 4;
        /// Programs cannot be run.
        const NOEXEC = 8;
        /// Access times stay.
        const NOATIME = 1 << 10;
        /// Directories' access times stay.
        const NODIRATIME = 1 << 11;
        /// Access times follow modifications only.
        const RELATIME = 1 << 21;
        /// Among locked flags: the mount stays where it is.
        const PLACE = 1 << 31;
    }
}

/// Serialises every change of any mount tree.
pub static TOPOLOGY: Mutex<()> = Mutex::new(sync::Rank::MountTopology, "mount topology", ());

/// A mounted file system, or a part of one.
pub struct Mount {
    _counted: Counted,
    /// Unique for the kernel's life, as `mountinfo` shows it.
    pub id: u64,
    /// The instance.
    pub superblock: Arc<Superblock>,
    /// The directory (for a bind mount, perhaps a file) that appears at the mount point.
    pub root: Arc<Dentry>,
    /// What `/proc/mounts` shows as the source.
    pub source: Box<[u8]>,
    flags: AtomicU32,
    /// What a less privileged user namespace may not undo (mount_namespaces(7), "Restrictions on mount namespaces").
    locked: AtomicU32,
    /// Files open for writing through this mount.
    writers: AtomicU32,
    place: SpinLock<Place>,
    children: SpinLock<BTreeMap<usize, Arc<Mount>>>,
}

/// Where a mount hangs.
#[derive(Default)]
struct Place {
    parent: Weak<Mount>,
    point: Option<Arc<Dentry>>,
    namespace: Weak<MountNamespace>,
}

/// The key of a dentry among a mount's children: its address, which a mount on it keeps alive.
fn key(dentry: &Arc<Dentry>) -> usize {
    Arc::as_ptr(dentry) as usize
}

impl Mount {
    /// A mount that hangs nowhere yet.
    pub fn new(superblock: Arc<Superblock>, root: Arc<Dentry>, source: &[u8], flags: MountFlags) -> Arc<Mount> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Mount {
            _counted: census::MOUNTS.count(),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            superblock,
            root,
            source: Box::from(source),
            flags: AtomicU32::new(flags.bits()),
            locked: AtomicU32::new(0),
            writers: AtomicU32::new(0),
            place: SpinLock::new(Rank::Mount, "mount", Place::default()),
            children: SpinLock::new(Rank::Mount, "mounts below", BTreeMap::new()),
        })
    }

    /// The flags.
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    pub(super) fn set_flags(&self, flags: MountFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    /// The flags that may not be cleared; `PLACE` among them if the mount itself may not be taken off.
    pub(super) fn locked(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.locked.load(Ordering::Relaxed))
    }

    pub(super) fn set_locked(&self, locked: MountFlags) {
        self.locked.store(locked.bits(), Ordering::Relaxed);
    }

    /// True when nothing may be changed through this mount.
    pub fn is_read_only(&self) -> bool {
        self.flags().contains(MountFlags::RDONLY) || self.superblock.is_read_only()
    }

    /// `EROFS` when nothing may be changed through this mount.
    pub fn check_writable(&self) -> Result<()> {
        if self.is_read_only() { Err(Errno::EROFS.into()) } else { Ok(()) }
    }

    /// Counts a file open for writing.
    pub(super) fn add_writer(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
        self.superblock.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Undoes [`Mount::add_writer`].
    pub(super) fn remove_writer(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
        self.superblock.writers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::Relaxed) > 0
    }

    /// This mount's own root as a path.
    pub fn root_path(self: &Arc<Self>) -> Path {
        Path { mount: self.clone(), dentry: self.root.clone() }
    }

    /// The mount that hangs on `dentry` of this mount.
    pub fn mounted_on(&self, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        if !dentry.is_mountpoint() {
            return None;
        }
        self.children.lock().get(&key(dentry)).cloned()
    }

    /// The path this mount hangs on; `None` for a namespace's root and for a detached mount.
    pub fn point(&self) -> Option<Path> {
        let place = self.place.lock();
        Some(Path { mount: place.parent.upgrade()?, dentry: place.point.clone()? })
    }

    /// The parent's id, or its own: `mountinfo`'s second field.
    pub fn parent_id(&self) -> u64 {
        self.place.lock().parent.upgrade().map_or(self.id, |parent| parent.id)
    }

    /// The namespace this mount belongs to, unless it is detached.
    pub fn namespace(&self) -> Option<Arc<MountNamespace>> {
        self.place.lock().namespace.upgrade()
    }

    /// True when this mount belongs to `namespace`.
    pub fn is_in(&self, namespace: &Arc<MountNamespace>) -> bool {
        core::ptr::eq(self.place.lock().namespace.as_ptr(), Arc::as_ptr(namespace))
    }

    pub(super) fn set_namespace(self: &Arc<Self>, namespace: Weak<MountNamespace>) {
        let (old, point) = {
            let mut place = self.place.lock();
            (mem::replace(&mut place.namespace, namespace.clone()), place.point.clone())
        };
        if let Some(point) = point {
            mountpoint::enter(&point, self.id, Arc::downgrade(self), namespace);
        }
        drop(old);
    }

    /// Mounts hanging directly on this one.
    pub fn children(&self) -> Vec<Arc<Mount>> {
        self.children.lock().values().cloned().collect()
    }

    /// True when something is mounted below.
    pub(super) fn has_children(&self) -> bool {
        !self.children.lock().is_empty()
    }

    /// This mount and all below, parents first.
    pub fn subtree(self: &Arc<Self>) -> Vec<Arc<Mount>> {
        let mut all = alloc::vec![self.clone()];
        let mut next = 0;
        while let Some(mount) = all.get(next) {
            let below = mount.children();
            all.extend(below);
            next += 1;
        }
        all
    }

    /// Hangs `self` on `point`, which carries no mount yet. The caller holds [`TOPOLOGY`] and has counted the mount.
    /// `ENOENT` if the directory was removed meanwhile.
    pub(super) fn attach(self: &Arc<Self>, point: &Path) -> Result<()> {
        // Entered before it counts: whoever finds it counted finds whose it is. That is its parent's, which it may be told only later.
        let namespace = point.mount.place.lock().namespace.clone();
        mountpoint::enter(&point.dentry, self.id, Arc::downgrade(self), namespace);
        if let Err(error) = point.dentry.add_mount() {
            mountpoint::leave(&point.dentry, self.id);
            return Err(error);
        }
        {
            let mut place = self.place.lock();
            place.parent = Arc::downgrade(&point.mount);
            place.point = Some(point.dentry.clone());
        }
        point.mount.children.lock().insert(key(&point.dentry), self.clone());
        Ok(())
    }

    /// Takes `self` from where it hangs, with all that hangs on it. The caller holds [`TOPOLOGY`].
    pub(super) fn detach(&self) {
        let (parent, point) = {
            let mut place = self.place.lock();
            (mem::take(&mut place.parent), place.point.take())
        };
        let Some(point) = point else { return };
        if let Some(parent) = parent.upgrade() {
            let gone = parent.children.lock().remove(&key(&point));
            drop(gone);
        }
        mountpoint::leave(&point, self.id);
        point.remove_mount();
    }
}

impl Drop for Mount {
    /// Drops what hangs below in a loop: mounts may be stacked deeper than the kernel stack.
    fn drop(&mut self) {
        if let Some(point) = self.place.get_mut().point.take() {
            mountpoint::leave(&point, self.id);
            point.remove_mount();
        }
        let mut left: Vec<Arc<Mount>> = mem::take(self.children.get_mut()).into_values().collect();
        while let Some(mount) = left.pop() {
            if let Some(mut mount) = Arc::into_inner(mount) {
                left.extend(mem::take(mount.children.get_mut()).into_values());
            }
        }
    }
}
