//! [`XvInode`]: an inode of the volume while it is in use, with a copy of its attributes that stat(2) reads without the volume.
//!
//! The copy is refreshed from the volume after each change, under the volume's lock. Only a file's times can be newer here than
//! there (a write(2) touches the page cache alone): they go along with the pages.

use super::{Released, Volume, XvFs, failed};
use crate::error::{Errno, Result};
use crate::mm::PageCache;
use crate::vfs::census::{self, Counted};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, NewNode, Owner, RenameMode, SetAttr, Time};
use crate::vfs::text::Usage;
use alloc::collections::BTreeSet;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use hal::sync::{Rank, SpinLock};
use xv6fs::{Ino, Stat};

/// 512-byte units in a block, for `st_blocks`.
const UNITS: u64 = 8;
const SECOND: i64 = 1_000_000_000;

/// What changes about an inode. Times in nanoseconds since 1970.
struct Meta {
    mode: u16,
    uid: u32,
    gid: u32,
    nlink: u32,
    /// Of what is no file; a file's size is its page cache's.
    size: u64,
    blocks: u64,
    atime: i64,
    mtime: i64,
    ctime: i64,
    /// `mtime` and `ctime` are newer than the volume's.
    stale: bool,
}

/// An inode in use.
pub struct XvInode {
    _counted: Counted,
    usage: Usage,
    pub(super) fs: Arc<XvFs>,
    pub(super) ino: Ino,
    kind: Kind,
    rdev: u64,
    meta: SpinLock<Meta>,
    pub(super) pages: Option<Arc<PageCache>>,
    /// Pages for which the volume promised a block.
    pub(super) promised: SpinLock<BTreeSet<u64>>,
}

pub(super) fn kind(kind: xv6fs::Kind) -> Kind {
    match kind {
        xv6fs::Kind::Fifo => Kind::Fifo,
        xv6fs::Kind::CharDev => Kind::CharDevice,
        xv6fs::Kind::Dir => Kind::Directory,
        xv6fs::Kind::BlockDev => Kind::BlockDevice,
        xv6fs::Kind::File => Kind::File,
        xv6fs::Kind::Symlink => Kind::Symlink,
        xv6fs::Kind::Socket => Kind::Socket,
    }
}

fn time(ns: i64) -> Time {
    Time { sec: ns.div_euclid(SECOND), nsec: ns.rem_euclid(SECOND) as u32 }
}

/// Nanoseconds since 1970; a time outside 1677 to 2262 becomes the nearest one within.
fn nanoseconds(time: Time) -> i64 {
    time.sec.saturating_mul(SECOND).saturating_add(i64::from(time.nsec))
}

/// The time of day.
pub(super) fn now() -> i64 {
    nanoseconds(crate::vfs::now())
}

impl XvInode {
    /// The inode that `stat` describes.
    pub(super) fn new(fs: Arc<XvFs>, stat: &Stat) -> Arc<XvInode> {
        Arc::new_cyclic(|this: &Weak<XvInode>| XvInode {
            _counted: census::INODES.count(),
            usage: Usage::new(),
            fs,
            ino: stat.ino,
            kind: kind(stat.kind),
            rdev: stat.rdev,
            meta: SpinLock::new(Rank::Inode, "xv6fs inode", Meta::of(stat)),
            pages: (stat.kind == xv6fs::Kind::File).then(|| PageCache::new(this.clone(), stat.size)),
            promised: SpinLock::new(Rank::Inode, "xv6fs promises", BTreeSet::new()),
        })
    }

    /// Stands for a directory that the disk does not give.
    pub(super) fn lost(fs: Arc<XvFs>, ino: Ino) -> Arc<XvInode> {
        let stat = Stat {
            ino,
            generation: 0,
            kind: xv6fs::Kind::Dir,
            mode: 0,
            nlink: 0,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: 0,
            mtime: 0,
            ctime: 0,
            btime: 0,
        };
        XvInode::new(fs, &stat)
    }

    /// Takes over what the volume has; called with its lock held.
    pub(super) fn refresh(&self, volume: &mut Volume) -> Result<()> {
        let stat = volume.stat(self.ino).map_err(failed)?;
        let mut meta = self.meta.lock();
        let fresh = Meta::of(&stat);
        let last_name_gone = meta.nlink > 0 && fresh.nlink == 0;
        *meta = if meta.stale {
            Meta { mtime: meta.mtime, ctime: meta.ctime.max(fresh.ctime), stale: true, ..fresh }
        } else {
            fresh
        };
        drop(meta);
        if last_name_gone && let Some(pages) = &self.pages {
            pages.mark_unlinked();
        }
        Ok(())
    }

    /// The contents changed now.
    pub(super) fn touch(&self) {
        let time = now();
        let mut meta = self.meta.lock();
        meta.mtime = time;
        meta.ctime = time;
        meta.stale = true;
    }

    /// The times that the volume lacks, which count as told from now on.
    fn take_times(&self) -> Option<xv6fs::SetAttr> {
        self.meta.lock().take_times()
    }

    /// Tells the volume the times it lacks.
    pub(super) fn save_times(&self, volume: &mut Volume) -> Result<()> {
        match self.take_times() {
            Some(times) => volume.set_attr(self.ino, &times).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes dirty pages and times into the volume, without a commit.
    pub(super) fn write_back(&self) -> Result<()> {
        if let Some(pages) = &self.pages {
            pages.write_back(0..u64::MAX)?;
        }
        if self.meta.lock().stale { self.save_times(&mut self.fs.lock()) } else { Ok(()) }
    }
}

impl Meta {
    fn of(stat: &Stat) -> Meta {
        Meta {
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            nlink: stat.nlink,
            size: stat.size,
            blocks: stat.blocks,
            atime: stat.atime,
            mtime: stat.mtime,
            ctime: stat.ctime,
            stale: false,
        }
    }

    fn take_times(&mut self) -> Option<xv6fs::SetAttr> {
        let times = xv6fs::SetAttr { mtime: Some(self.mtime), ctime: Some(self.ctime), ..xv6fs::SetAttr::default() };
        core::mem::take(&mut self.stale).then_some(times)
    }
}

/// Bytes for which space is kept under one hold of the volume's lock: they are written as zeros.
const ALLOCATED_AT_ONCE: u64 = 1 << 20;

impl Inode for XvInode {
    fn attr(&self) -> Result<Attr> {
        let size = self.pages.as_ref().map(|pages| pages.size());
        // What is promised will be there soon: count it, so that a file just written does not look empty.
        let promised = if size.is_some() { self.promised.lock().len() as u64 } else { 0 };
        let meta = self.meta.lock();
        Ok(Attr {
            ino: u64::from(self.ino),
            dev: self.fs.dev,
            kind: self.kind,
            mode: meta.mode,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            rdev: self.rdev,
            size: size.unwrap_or(meta.size),
            blocks: (meta.blocks + promised) * UNITS,
            atime: time(meta.atime),
            mtime: time(meta.mtime),
            ctime: time(meta.ctime),
        })
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn owner(&self) -> Result<Owner> {
        let meta = self.meta.lock();
        Ok(Owner { mode: meta.mode, uid: meta.uid, gid: meta.gid })
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        if let Some(size) = change.size {
            let pages = match (&self.pages, self.kind) {
                (Some(pages), _) => pages,
                (None, Kind::Directory) => return Err(Errno::EISDIR.into()),
                (None, _) => return Err(Errno::EINVAL.into()),
            };
            // Known before the pages go.
            if self.fs.is_failed() {
                return Err(Errno::EROFS.during("truncating on a failed xv6fs"));
            }
            pages.truncate(size, || self.fs.change(|volume| volume.truncate(self.ino, size).map_err(failed)))?;
        }
        let ctime = now();
        self.fs.change(|volume| {
            self.save_times(volume)?;
            let attr = xv6fs::SetAttr {
                mode: change.mode,
                uid: change.uid,
                gid: change.gid,
                atime: change.atime.map(nanoseconds),
                mtime: change.mtime.map(nanoseconds).or(change.size.map(|_| ctime)),
                ctime: Some(ctime),
            };
            volume.set_attr(self.ino, &attr).map_err(failed)?;
            self.refresh(volume)
        })
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<u64> {
        let pages = self.pages.as_ref().ok_or(Errno::EINVAL)?;
        let step = len.min(ALLOCATED_AT_ONCE);
        // What waits to be written gets its place first: until then more is set aside for it than it takes.
        pages.write_back(
            offset / hal::frame::SIZE as u64..offset.saturating_add(step).div_ceil(hal::frame::SIZE as u64),
        )?;
        self.fs.change(|volume| {
            volume.room_for(self.ino, offset, len).map_err(failed)?;
            volume.allocate(self.ino, offset, step, true).map_err(failed)?;
            self.refresh(volume)
        })?;
        Ok(step)
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        self.look_up(name)
    }

    fn create(&self, name: &[u8], node: &NewNode<'_>) -> Result<InodeRef> {
        self.make(name, node)
    }

    fn link(&self, name: &[u8], target: &InodeRef) -> Result<()> {
        self.add_name(name, target)
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        self.remove(name, |volume, now| volume.unlink(self.ino, name, now))
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        self.remove(name, |volume, now| volume.rmdir(self.ino, name, now))
    }

    fn rename(&self, name: &[u8], new_dir: &InodeRef, new_name: &[u8], mode: RenameMode) -> Result<()> {
        self.move_name(name, new_dir, new_name, mode)
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        self.list(cursor, sink)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        self.fs.lock().read_link(self.ino).map_err(failed)
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        self.pages.clone()
    }

    fn sync(&self) -> Result<()> {
        let written = self.pages.as_ref().map_or(Ok(()), |pages| pages.sync());
        written.and(self.write_back())?;
        self.fs.commit()
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.fs.lock().get_xattr(self.ino, name).map_err(failed)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8]) -> Result<()> {
        self.change_xattr(name, Some(value))
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.change_xattr(name, None)
    }

    fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        self.fs.lock().list_xattr(self.ino, &mut |name| names.push(name.to_vec())).map_err(failed)?;
        Ok(names)
    }

    fn usage(&self) -> Option<&Usage> {
        Some(&self.usage)
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl XvInode {
    fn change_xattr(&self, name: &[u8], value: Option<&[u8]>) -> Result<()> {
        let ctime = Some(now());
        self.fs.change(|volume| {
            volume.set_xattr(self.ino, name, value).map_err(failed)?;
            volume.set_attr(self.ino, &xv6fs::SetAttr { ctime, ..xv6fs::SetAttr::default() }).map_err(failed)?;
            self.refresh(volume)
        })
    }
}

impl Drop for XvInode {
    fn drop(&mut self) {
        let promised = self.promised.get_mut().len() as u64;
        let meta = self.meta.get_mut();
        let (times, unlinked) = (meta.take_times(), meta.nlink == 0);
        self.fs.ended(self, Released { ino: self.ino, promised, times });
        if unlinked {
            // Its space is to be free soon, also if nothing else happens.
            crate::mm::expect_flush();
        }
    }
}
