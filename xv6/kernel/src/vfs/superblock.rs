//! [`Superblock`]: a file system instance as the VFS holds it, shared by all its mounts; and device numbers for those without a disk.
//!
//! File systems on a disk or in a file (xv6fs, FAT, tarfs) exist once per source, however often they are mounted: two
//! instances would each have a cache of the same blocks. [`find`] knows them by [`SourceKey`], in a tree: a mount costs the same beside a hundred
//! containers' instances as beside none. An instance takes its entries out when it ends.
//!
//! Locks: the table's spin lock, and inside it an instance's list of its keys.

use super::census::{self, Counted};
use super::dentry::Dentry;
use super::inode::FileSystem;
use crate::error::{Errno, Result};
use crate::ns::UserNamespace;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use hal::sync::{Rank, SpinLock};

/// What a file system instance was made from: the type's name, and the device number of the disk or (device, inode) of the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SourceKey {
    /// `mount -t`.
    pub fs_type: &'static str,
    /// The disk's number, or the number of the file system that holds the file.
    pub dev: u64,
    /// The file's inode number; 0 for a disk.
    pub ino: u64,
}

/// A file system instance and its root dentry.
pub struct Superblock {
    _counted: Counted,
    /// The file system.
    pub fs: Arc<dyn FileSystem>,
    /// Its root directory.
    pub root: Arc<Dentry>,
    /// The user namespace whose root may remount it.
    pub owner: Arc<UserNamespace>,
    /// What [`find`] finds it by: its device number, and its source.
    keys: SpinLock<[Option<SourceKey>; 2]>,
    read_only: AtomicBool,
    /// Files open for writing, through all mounts.
    pub(super) writers: AtomicU32,
}

static BY_SOURCE: SpinLock<BTreeMap<SourceKey, Weak<Superblock>>> =
    SpinLock::new(Rank::Mount, "superblocks", BTreeMap::new());

impl Superblock {
    /// Wraps a fresh instance that belongs to the machine.
    pub fn new(fs: Arc<dyn FileSystem>, read_only: bool) -> Arc<Superblock> {
        Superblock::owned(fs, read_only, UserNamespace::initial().clone())
    }

    /// Wraps a fresh instance that root of `owner` mounted.
    fn owned(fs: Arc<dyn FileSystem>, read_only: bool, owner: Arc<UserNamespace>) -> Arc<Superblock> {
        let root = Dentry::root(fs.root(), fs.is_volatile());
        let (read_only, writers) = (AtomicBool::new(read_only), AtomicU32::new(0));
        let keys = SpinLock::new(Rank::Leaf, "superblock keys", [None; 2]);
        Arc::new(Superblock { _counted: census::SUPERBLOCKS.count(), fs, root, owner, keys, read_only, writers })
    }

    /// True when nothing of this instance may be written, through any mount.
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed) || self.fs.is_failed()
    }

    /// Makes the instance read-only or writable: `EBUSY` while files are open for writing, `EROFS` if it cannot be written.
    pub(super) fn set_read_only_unless_busy(&self, read_only: bool) -> Result<()> {
        if self.fs.is_failed() && !read_only {
            return Err(Errno::EROFS.during("making a file system writable that had an error"));
        }
        if read_only == self.is_read_only() {
            return Ok(());
        }
        if read_only {
            if self.writers.load(Ordering::Relaxed) > 0 {
                return Err(Errno::EBUSY.into());
            }
            self.fs.sync()?;
        }
        self.fs.set_read_only(read_only)?;
        self.read_only.store(read_only, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Superblock {
    /// The last mount is gone: the cache lets go of the tree, and what is dirty reaches the disk.
    fn drop(&mut self) {
        forget(self);
        self.root.forget_children();
        if !self.is_read_only()
            && let Err(error) = self.fs.unmounted()
        {
            let text = format_args!("{}: lost data at unmount: {error:?}", self.fs.name());
            hal::log::record(hal::log::Level::Error, text);
        }
    }
}

/// The superblock of `fs`: the one in use, if a type gives the same instance to every mount (devtmpfs, cgroup2), or a new one.
pub(super) fn of(fs: Arc<dyn FileSystem>, read_only: bool, owner: &Arc<UserNamespace>) -> Arc<Superblock> {
    let key = SourceKey { fs_type: fs.name(), dev: fs.dev(), ino: u64::MAX };
    find(&key).unwrap_or_else(|| {
        let made = Superblock::owned(fs, read_only, owner.clone());
        remember(key, &made);
        made
    })
}

/// The instance made from `key`, if it is in use.
pub(super) fn find(key: &SourceKey) -> Option<Arc<Superblock>> {
    BY_SOURCE.lock().get(key).and_then(Weak::upgrade)
}

/// Makes `instance` findable by one more key.
pub(super) fn remember(key: SourceKey, instance: &Arc<Superblock>) {
    let mut table = BY_SOURCE.lock();
    if let Some(free) = instance.keys.lock().iter_mut().find(|free| free.is_none()) {
        *free = Some(key);
        table.insert(key, Arc::downgrade(instance));
    }
}

/// Takes the entries of an instance that ends, unless a newer one has them already.
fn forget(instance: &mut Superblock) {
    let this = core::ptr::from_ref(instance);
    let mut table = BY_SOURCE.lock();
    for key in instance.keys.get_mut().iter().flatten() {
        if table.get(key).is_some_and(|entry| core::ptr::eq(entry.as_ptr(), this)) {
            table.remove(key);
        }
    }
}

/// A device number for a file system without a disk: major 0, as Linux's anonymous devices.
pub fn new_dev() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    super::devnum::make(0, NEXT.fetch_add(1, Ordering::Relaxed) as u32)
}
