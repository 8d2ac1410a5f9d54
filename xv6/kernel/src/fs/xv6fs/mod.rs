//! xv6fs in the kernel: mounts a volume of the `xv6fs` library and keeps its inodes and pages.
//!
//! The library does names, metadata, space and the log; here are the inode cache ([`XvFs`]), the VFS's calls on an inode
//! ([`inode`], [`names`]), and file contents through the page cache with delayed allocation ([`pages`]). Changes
//! stay in memory until fsync(2), sync(2), or the flusher some seconds later; a file made and removed before
//! that never reaches the disk. A write that the disk fails makes the instance read-only: what the disk holds stays sound, what is in memory
//! can still be read.
//!
//! Locks: `volume`, the file system's big lock, is a sleeping mutex of rank `FsLog`: held across each call of the library,
//! never across a copy to user memory. `inodes` and `released` are spin locks, taken alone; an inode's own spin locks
//! are taken alone, too. The end of an inode takes spin locks only and leaves the rest to the next holder of `volume`.

pub mod disk;
mod inode;
mod names;
mod pages;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

use crate::drivers::chr;
use crate::error::{Errno, Result};
use crate::mm;
use crate::sync::{self, Mutex, MutexGuard};
use crate::vfs::devnum;
use crate::vfs::fstype::{FsType, MountArgs, Source};
use crate::vfs::inode::{FileSystem, InodeRef, StatFs};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};
use disk::{Storage, VolumeDisk};
use hal::sync::{Rank, SpinLock};
use inode::XvInode;
use xv6fs::{BLOCK_SIZE, Fs, Ino, MountOptions, ROOT_INO, SetAttr};

/// statfs(2)'s magic number, "xv6f".
const MAGIC: u64 = 0x7876_3666;
/// Metadata blocks kept in memory: 2 MiB.
const CACHE_BLOCKS: usize = 512;

/// The type `xv6fs`.
pub static TYPE: FsType = FsType { name: "xv6fs", source: Source::Disk, mount, in_user_ns: false };

/// A mounted volume of the library.
type Volume = Fs<VolumeDisk>;

/// The instances, for the flusher.
static INSTANCES: SpinLock<Vec<Weak<XvFs>>> = SpinLock::new(Rank::Inode, "xv6fs instances", Vec::new());

/// One instance.
pub struct XvFs {
    this: Weak<XvFs>,
    dev: u64,
    storage: Arc<dyn Storage>,
    volume: Mutex<Volume>,
    /// An error made the volume read-only.
    failed: AtomicBool,
    /// The inodes in use.
    inodes: SpinLock<BTreeMap<Ino, Weak<XvInode>>>,
    /// Inodes whose end the volume has not heard of yet.
    released: SpinLock<Vec<Released>>,
    /// Whether there are any: spares most changes the lock. Who does not see the newest will do it next time.
    any_released: AtomicBool,
}

/// The locked volume. When it is let go after an error made it read-only, the instance notes that.
struct Locked<'a> {
    fs: &'a XvFs,
    volume: MutexGuard<'a, Volume>,
}

impl Deref for Locked<'_> {
    type Target = Volume;

    fn deref(&self) -> &Volume {
        &self.volume
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Volume {
        &mut self.volume
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(error) = self.volume.failure()
            && !self.fs.failed.swap(true, Ordering::AcqRel)
        {
            let (major, minor) = (devnum::major(self.fs.dev), devnum::minor(self.fs.dev));
            let text = format_args!("xv6fs (disk {major}:{minor}): {error}; the file system is read-only from now on");
            hal::log::record(hal::log::Level::Critical, text);
        }
    }
}

/// What an ended inode leaves to be told to the volume.
struct Released {
    ino: Ino,
    /// Promised blocks that were not written.
    promised: u64,
    /// Times that the volume has not got yet.
    times: Option<SetAttr>,
}

/// The library's error as the kernel's.
fn failed(error: xv6fs::Error) -> crate::error::Error {
    let errno = match error {
        xv6fs::Error::NotFound => Errno::ENOENT,
        xv6fs::Error::Io => Errno::EIO,
        xv6fs::Error::NoMemory => Errno::ENOMEM,
        xv6fs::Error::Exists => Errno::EEXIST,
        xv6fs::Error::NotDir => Errno::ENOTDIR,
        xv6fs::Error::IsDir => Errno::EISDIR,
        xv6fs::Error::Invalid => Errno::EINVAL,
        xv6fs::Error::TooBig => Errno::EFBIG,
        xv6fs::Error::NoSpace => Errno::ENOSPC,
        xv6fs::Error::ReadOnly => Errno::EROFS,
        xv6fs::Error::TooManyLinks => Errno::EMLINK,
        xv6fs::Error::NameTooLong => Errno::ENAMETOOLONG,
        xv6fs::Error::NotEmpty => Errno::ENOTEMPTY,
        xv6fs::Error::NoAttr => Errno::ENODATA,
        xv6fs::Error::Corrupt => Errno::EUCLEAN,
    };
    errno.during("xv6fs")
}

fn mount(args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    if args.options().next().is_some() {
        return Err(Errno::EINVAL.during("xv6fs takes no mount options"));
    }
    let disk = args.disk.clone().ok_or(Errno::ENOTBLK)?;
    let dev = chr::disk_number(disk.index());
    Ok(XvFs::open(disk, dev, args.read_only)?)
}

impl XvFs {
    /// Mounts the volume on `storage`, replaying its log; `EINVAL` if there is none or it is too damaged.
    pub fn open(storage: Arc<dyn Storage>, dev: u64, read_only: bool) -> Result<Arc<XvFs>> {
        let options = MountOptions { read_only, cache_blocks: CACHE_BLOCKS };
        let mut volume = Fs::mount(VolumeDisk(storage.clone()), &options).map_err(|error| match error {
            xv6fs::Error::Corrupt => Errno::EINVAL.during("mounting what is no xv6fs, or a damaged one"),
            other => failed(other),
        })?;
        let root = volume.stat(ROOT_INO).map_err(failed)?;
        if root.kind != xv6fs::Kind::Dir {
            return Err(Errno::EUCLEAN.during("mounting an xv6fs without a root directory"));
        }
        let fs = Arc::new_cyclic(|this| XvFs {
            this: this.clone(),
            dev,
            storage,
            volume: Mutex::new(sync::Rank::FsLog, "xv6fs", volume),
            failed: AtomicBool::new(false),
            inodes: SpinLock::new(Rank::Inode, "xv6fs inodes", BTreeMap::new()),
            released: SpinLock::new(Rank::Inode, "xv6fs released", Vec::new()),
            any_released: AtomicBool::new(false),
        });
        let mut instances = INSTANCES.lock();
        instances.retain(|fs| fs.strong_count() > 0);
        instances.push(Arc::downgrade(&fs));
        drop(instances);
        mm::flush_with(commit_all);
        Ok(fs)
    }

    /// The volume, told of the inodes that ended.
    fn lock(&self) -> Locked<'_> {
        let mut volume = Locked { fs: self, volume: self.volume.lock() };
        self.settle(&mut volume);
        volume
    }

    fn settle(&self, volume: &mut Volume) {
        while self.any_released.load(Ordering::Relaxed) {
            let list = {
                let mut released = self.released.lock();
                self.any_released.store(false, Ordering::Relaxed);
                core::mem::take(&mut *released)
            };
            for ended in list {
                volume.unreserve(ended.promised);
                let times = ended.times.map_or(Ok(()), |times| volume.set_attr(ended.ino, &times));
                // On a volume that takes no writes any more nothing of this matters.
                if let Err(error) = times.and(volume.release(ended.ino))
                    && !volume.is_read_only()
                {
                    let text = format_args!("xv6fs: freeing inode {}: {error}", ended.ino);
                    hal::log::record(hal::log::Level::Error, text);
                }
            }
        }
    }

    /// Runs a change of the volume and makes sure that it reaches the disk in time.
    fn change<R>(&self, f: impl FnOnce(&mut Volume) -> Result<R>) -> Result<R> {
        let result = f(&mut self.lock());
        mm::expect_flush();
        result
    }

    /// The inode `ino` if it is in use.
    fn cached(&self, ino: Ino) -> Option<Arc<XvInode>> {
        self.inodes.lock().get(&ino).and_then(Weak::upgrade)
    }

    /// The inode `ino`, which the volume is to keep while it is in use.
    fn inode(&self, volume: &mut Volume, ino: Ino) -> Result<Arc<XvInode>> {
        if let Some(inode) = self.cached(ino) {
            return Ok(inode);
        }
        let this = self.this.upgrade().ok_or(Errno::ESTALE)?;
        let stat = volume.stat(ino).map_err(failed)?;
        let inode = XvInode::new(this, &stat);
        volume.hold(ino);
        self.inodes.lock().insert(ino, Arc::downgrade(&inode));
        Ok(inode)
    }

    /// An inode ends. Takes spin locks only.
    fn ended(&self, inode: &XvInode, ended: Released) {
        let mut inodes = self.inodes.lock();
        // A newer one may have its place already.
        if inodes.get(&ended.ino).is_some_and(|weak| core::ptr::eq(weak.as_ptr(), inode)) {
            inodes.remove(&ended.ino);
        }
        drop(inodes);
        let mut released = self.released.lock();
        released.push(ended);
        self.any_released.store(true, Ordering::Relaxed);
    }

    fn commit(&self) -> Result<()> {
        self.lock().commit().map_err(failed)
    }
}

/// The flusher's part: what is not yet on the disk goes there.
fn commit_all() {
    let instances: Vec<_> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
    for fs in instances.iter().filter(|fs| !fs.is_failed()) {
        if let Err(error) = fs.commit() {
            hal::log::record(hal::log::Level::Error, format_args!("xv6fs: committing: {error:?}"));
        }
    }
}

/// Gives up the metadata that volumes only cache.
pub fn drop_caches() {
    let instances: Vec<_> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
    for fs in instances {
        fs.lock().shed_cache();
    }
}

impl FileSystem for XvFs {
    fn name(&self) -> &'static str {
        "xv6fs"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        let root = self.inode(&mut self.lock(), ROOT_INO);
        // It was read at mount; should the disk fail now, the root shows as an empty directory that nobody may enter.
        root.unwrap_or_else(|_| XvInode::lost(self.this.upgrade().expect("an instance in use"), ROOT_INO))
    }

    fn statfs(&self) -> Result<StatFs> {
        let stat = self.lock().statfs();
        Ok(StatFs {
            magic: MAGIC,
            block_size: BLOCK_SIZE as u64,
            blocks: stat.blocks,
            free: stat.available,
            files: stat.inodes,
            files_free: stat.free_inodes,
            name_max: 255,
        })
    }

    fn sync(&self) -> Result<()> {
        let inodes: Vec<_> = self.inodes.lock().values().filter_map(Weak::upgrade).collect();
        let mut outcome = Ok(());
        for inode in inodes {
            outcome = outcome.and(inode.write_back());
        }
        outcome.and(self.commit())
    }

    fn set_read_only(&self, read_only: bool) -> Result<()> {
        if read_only {
            return Ok(());
        }
        if self.storage.read_only() {
            return Err(Errno::EACCES.during("making a file system writable whose disk is not"));
        }
        self.lock().make_writable().map_err(failed)
    }

    fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for XvFs {
    /// The last file is closed: what its end left to do is done. (The log stays; the next mount finds it written home.)
    fn drop(&mut self) {
        let released = core::mem::take(self.released.get_mut());
        let volume = self.volume.get_mut();
        for ended in released {
            volume.unreserve(ended.promised);
            if volume.release(ended.ino).is_err() {
                // The next mount frees it.
                break;
            }
        }
        if volume.is_dirty()
            && let Err(error) = volume.commit()
        {
            hal::log::record(hal::log::Level::Error, format_args!("xv6fs: lost data at unmount: {error}"));
        }
    }
}
