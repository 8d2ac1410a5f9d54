//! The dentry cache: [`Dentry`], a name in a directory and the inode it stands for (or stands for not: a negative dentry).
//!
//! A directory keeps its cached children in a map; a child keeps its parent alive. The cycle is cut by [`super::shrink`]
//! (the cache is bounded), by removal, and by [`Dentry::forget_children`] when a file system goes. One directory of one file
//! system instance has one dentry, which is why its lock serialises changes.
//!
//! Neighbours: `change` alters directories, `walk` reads them, `mount` hangs mounts on dentries by their address.
//! Locks: `Directory::change` (sleeping) is held around every change and every lookup that misses; `children` and `place` are
//! spin locks, never held together, never across a call into a file system.

use super::census::{self, Counted};
use super::inode::{InodeRef, Kind};
use super::namespace::MountNamespace;
use super::{mountpoint, shrink};
use crate::error::{Errno, Result};
use crate::sync::{self, Mutex};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hal::sync::{Rank, SpinLock};

/// Longest name of a directory entry, in bytes.
pub const NAME_MAX: usize = 255;

/// What all dentries of one file system instance share.
pub struct Tree {
    /// Held by a rename between two directories, so that the shape of the tree stands still while it is judged.
    pub(super) rename: Mutex<()>,
    /// `FileSystem::is_volatile`.
    pub(super) volatile: bool,
}

/// The namespace whose mounts keep a name from being removed: the caller's (rmdir(2)). None for a layer of an overlay, which no process
/// names: there every mount does.
pub(super) type Keeper<'a> = Option<&'a Arc<MountNamespace>>;

/// A name in a directory.
pub struct Dentry {
    _counted: Counted,
    place: SpinLock<Place>,
    inode: Option<InodeRef>,
    directory: Option<Box<Directory>>,
    tree: Arc<Tree>,
    /// Looked up since the cache's hand last passed.
    pub(super) used: AtomicBool,
    /// Mounts that hang on this dentry, in all namespaces.
    mounts: AtomicU32,
    /// In a volatile tree, mounts on this dentry or below it: it must then be found again. (Nothing is renamed there.)
    pins: AtomicU32,
}

/// Where a dentry hangs; a rename changes it.
struct Place {
    parent: Option<Arc<Dentry>>,
    name: Arc<[u8]>,
    /// Removed from its directory (unlink, rmdir, replaced by a rename).
    dead: bool,
}

/// A directory's part of its dentry.
pub(super) struct Directory {
    /// Serialises changes of this directory and lookups that miss.
    pub(super) change: Mutex<()>,
    children: SpinLock<BTreeMap<Arc<[u8]>, Arc<Dentry>>>,
}

impl Dentry {
    /// The root dentry of a file system instance.
    pub fn root(inode: InodeRef, volatile: bool) -> Arc<Dentry> {
        let tree = Tree { rename: Mutex::new(sync::Rank::Directory, "rename", ()), volatile };
        Arc::new(Dentry::new(None, Arc::from(&b""[..]), Some(inode), Arc::new(tree)))
    }

    /// A dentry outside any tree, for a pipe, a pidfd and their like; `name` is what `/proc/PID/fd` shows, e.g. `pipe:[7]`.
    pub fn detached(inode: InodeRef, name: &[u8], like: &Arc<Dentry>) -> Arc<Dentry> {
        Arc::new(Dentry::new(None, Arc::from(name), Some(inode), like.tree.clone()))
    }

    pub(super) fn new(
        parent: Option<Arc<Dentry>>,
        name: Arc<[u8]>,
        inode: Option<InodeRef>,
        tree: Arc<Tree>,
    ) -> Dentry {
        let is_directory = inode.as_ref().is_some_and(|inode| inode.kind() == Kind::Directory);
        let directory = is_directory.then(|| {
            Box::new(Directory {
                change: Mutex::new(sync::Rank::Directory, "directory", ()),
                children: SpinLock::new(Rank::Dentry, "children", BTreeMap::new()),
            })
        });
        Dentry {
            _counted: census::DENTRIES.count(),
            place: SpinLock::new(Rank::Dentry, "dentry", Place { parent, name, dead: false }),
            inode,
            directory,
            tree,
            used: AtomicBool::new(false),
            mounts: AtomicU32::new(0),
            pins: AtomicU32::new(0),
        }
    }

    /// The inode. Only positive dentries leave this room, so there is one.
    ///
    /// # Panics
    /// On a negative dentry, which is a bug of the VFS.
    pub fn inode(&self) -> &InodeRef {
        self.inode.as_ref().expect("a positive dentry")
    }

    /// True when the name is known not to exist.
    pub fn is_negative(&self) -> bool {
        self.inode.is_none()
    }

    /// True for a directory.
    pub fn is_dir(&self) -> bool {
        self.directory.is_some()
    }

    /// True when the name was removed while this dentry was in use.
    pub fn is_dead(&self) -> bool {
        self.place.lock().dead
    }

    /// The parent directory; `None` at a file system's root.
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.lock().parent.clone()
    }

    /// The last component of the path.
    pub fn name(&self) -> Arc<[u8]> {
        self.place.lock().name.clone()
    }

    /// True when `self` is `other` or lies above it.
    pub fn is_ancestor_of(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut at = Some(other.clone());
        while let Some(dentry) = at {
            if Arc::ptr_eq(self, &dentry) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }

    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    pub(super) fn dir(&self) -> Result<&Directory> {
        self.directory.as_deref().ok_or(Errno::ENOTDIR.into())
    }

    /// The entry `name` of this directory: `ENOENT` if there is none, `ENOTDIR` if this is no directory. No permission is checked.
    pub fn lookup(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        let child = self.child(name)?;
        if child.is_negative() { Err(Errno::ENOENT.into()) } else { Ok(child) }
    }

    /// As [`Dentry::lookup`], but the answer may be negative.
    pub(super) fn child(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        if let Some(child) = self.cached(name)? {
            return Ok(child);
        }
        let _guard = self.dir()?.change.lock();
        self.child_locked(name)
    }

    /// As [`Dentry::child`], for a caller that holds `Directory::change`.
    pub(super) fn child_locked(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        if let Some(child) = self.cached(name)? {
            return Ok(child);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG.into());
        }
        if self.is_dead() {
            return Err(Errno::ENOENT.into());
        }
        let found = match self.inode().lookup(name) {
            Ok(inode) => Some(inode),
            Err(error) if error.errno == Errno::ENOENT => None,
            Err(error) => return Err(error),
        };
        if let Some(inode) = found.as_ref().filter(|inode| inode.kind() == Kind::Directory) {
            self.check_below(inode)?;
        }
        let keep = !self.tree.volatile || found.as_ref().is_some_and(|inode| inode.revalidate());
        let child = Arc::new(Dentry::new(Some(self.clone()), Arc::from(name), found, self.tree.clone()));
        if keep {
            self.insert(child.clone());
        }
        Ok(child)
    }

    /// `ELOOP` if the directory `inode` is this one or lies above it, as on a damaged volume: nobody is to walk in a circle, as in Linux.
    fn check_below(self: &Arc<Self>, inode: &InodeRef) -> Result<()> {
        let mut at = Some(self.clone());
        while let Some(dentry) = at {
            if Arc::ptr_eq(dentry.inode(), inode) {
                return Err(Errno::ELOOP.during("looking up a directory that contains itself"));
            }
            at = dentry.parent();
        }
        Ok(())
    }

    /// The cached child, if there is one and it still stands.
    fn cached(&self, name: &[u8]) -> Result<Option<Arc<Dentry>>> {
        let dir = self.dir()?;
        let Some(child) = dir.children.lock().get(name).cloned() else { return Ok(None) };
        if !self.tree.volatile || child.pins.load(Ordering::Relaxed) > 0 || child.inode().revalidate() {
            child.used.store(true, Ordering::Relaxed);
            return Ok(Some(child));
        }
        self.remove(name);
        child.forget_children();
        Ok(None)
    }

    /// Makes `child` (whose place already names this directory) findable, instead of whatever had its name.
    pub(super) fn insert(&self, child: Arc<Dentry>) {
        let Some(dir) = &self.directory else { return };
        let name = child.name();
        shrink::admit(&child);
        let old = dir.children.lock().insert(name, child);
        drop(old);
    }

    /// Takes the cached child `name` out of this directory.
    pub(super) fn remove(&self, name: &[u8]) -> Option<Arc<Dentry>> {
        self.directory.as_ref()?.children.lock().remove(name)
    }

    /// Takes this dentry out of its directory's cache if the cache holds the only other reference. Returns it for the caller to drop.
    pub(super) fn evict(self: &Arc<Self>) -> Option<Arc<Dentry>> {
        let (parent, name) = {
            let place = self.place.lock();
            (place.parent.clone()?, place.name.clone())
        };
        let mut children = parent.directory.as_ref()?.children.lock();
        let here = children.get(&name).is_some_and(|child| Arc::ptr_eq(child, self));
        // One reference is the map's, one is the caller's; nobody can gain another without the map's lock.
        if !here || Arc::strong_count(self) > 2 || self.pins.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let gone = children.remove(&name);
        drop(children);
        gone
    }

    /// `EBUSY` if `keeper` has mounted something on this name; for no keeper, if anybody has.
    pub(super) fn check_unmounted(&self, keeper: Keeper<'_>) -> Result<()> {
        let busy = self.is_mountpoint() && keeper.is_none_or(|namespace| mountpoint::is_in(self, namespace));
        if busy { Err(Errno::EBUSY.into()) } else { Ok(()) }
    }

    /// Marks a name that is about to be removed, so that nothing more is mounted on it: `EBUSY` as [`Dentry::check_unmounted`].
    pub(super) fn kill(&self, keeper: Keeper<'_>) -> Result<()> {
        loop {
            let seen = self.mounts.load(Ordering::Acquire);
            self.check_unmounted(keeper)?;
            let mut place = self.place.lock();
            // A mount that came meanwhile may be the keeper's.
            if self.mounts.load(Ordering::Acquire) == seen {
                place.dead = true;
                return Ok(());
            }
        }
    }

    /// The removal failed: the name lives on.
    pub(super) fn revive(&self) {
        self.place.lock().dead = false;
    }

    /// Moves this dentry to another place after a rename. The caller moves it between the directories' maps.
    pub(super) fn relocate(&self, parent: Arc<Dentry>, name: Arc<[u8]>) {
        let old = {
            let mut place = self.place.lock();
            place.name = name;
            place.parent.replace(parent)
        };
        drop(old);
    }

    /// Forgets every cached child, and theirs: for a removed directory, and for a file system that goes.
    pub fn forget_children(&self) {
        let mut left: Vec<Arc<Dentry>> = Vec::new();
        let take = |dentry: &Dentry, left: &mut Vec<Arc<Dentry>>| {
            if let Some(dir) = &dentry.directory {
                let children = mem::take(&mut *dir.children.lock());
                left.extend(children.into_values());
            }
        };
        take(self, &mut left);
        while let Some(dentry) = left.pop() {
            take(&dentry, &mut left);
        }
    }

    /// True while something is mounted on this dentry, in any namespace.
    pub fn is_mountpoint(&self) -> bool {
        self.mounts.load(Ordering::Acquire) > 0
    }

    /// Notes a mount on this dentry, and keeps it findable: `ENOENT` if it was removed meanwhile.
    pub(super) fn add_mount(self: &Arc<Self>) -> Result<()> {
        {
            let place = self.place.lock();
            if place.dead {
                return Err(Errno::ENOENT.into());
            }
            self.mounts.fetch_add(1, Ordering::AcqRel);
        }
        if !self.tree.volatile {
            return Ok(());
        }
        let mut at = Some(self.clone());
        while let Some(dentry) = at {
            let first = dentry.pins.fetch_add(1, Ordering::AcqRel) == 0;
            at = dentry.parent();
            if let (true, Some(parent)) = (first, &at) {
                parent.insert(dentry);
            }
        }
        Ok(())
    }

    /// Undoes one [`Dentry::add_mount`].
    pub(super) fn remove_mount(self: &Arc<Self>) {
        self.mounts.fetch_sub(1, Ordering::AcqRel);
        if !self.tree.volatile {
            return;
        }
        let mut at = Some(self.clone());
        while let Some(dentry) = at {
            dentry.pins.fetch_sub(1, Ordering::AcqRel);
            at = dentry.parent();
        }
    }
}

impl Drop for Dentry {
    /// Lets go of the ancestors in a loop: a chain of directories may be longer than the kernel stack.
    fn drop(&mut self) {
        let mut parent = self.place.get_mut().parent.take();
        while let Some(dentry) = parent {
            parent = Arc::into_inner(dentry).and_then(|mut dentry| dentry.place.get_mut().parent.take());
        }
    }
}
