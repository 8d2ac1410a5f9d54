//! [`TmpInode`]: a file, directory, symlink, device node, FIFO or socket in memory.
//!
//! An inode is charged to its file system while it lives. It knows the file system weakly, since that owns the tree.
//!
//! Locks: `meta` and a directory's `entries` are spin locks; `meta` is taken alone or inside `entries`.

use super::TmpFs;
use super::dir::Entries;
use super::pages::allocate;
use crate::error::{Errno, Result};
use crate::mm::PageCache;
use crate::vfs::census::{self, Counted};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, NewNode, Owner, RenameMode, SetAttr, Time};
use crate::vfs::text::Usage;
use crate::vfs::{anon, now};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use hal::frame::SIZE;
use hal::sync::{Rank, SpinLock};

/// Bytes of extended attributes that one inode may have.
const MAX_XATTRS: usize = 65_536;

/// What changes about an inode.
struct Meta {
    mode: u16,
    uid: u32,
    gid: u32,
    nlink: u32,
    atime: Time,
    mtime: Time,
    ctime: Time,
    xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// What an inode holds, by its kind.
enum Body {
    File(Arc<PageCache>),
    Directory(SpinLock<Entries>),
    Symlink(Box<[u8]>),
    Node { rdev: u64 },
}

/// An inode in memory.
pub struct TmpInode {
    _counted: Counted,
    usage: Usage,
    fs: Weak<TmpFs>,
    ino: u64,
    dev: u64,
    kind: Kind,
    meta: SpinLock<Meta>,
    body: Body,
}

impl TmpInode {
    /// A new inode; the caller has charged it.
    pub(super) fn new(fs: &Arc<TmpFs>, node: &NewNode<'_>, ino: u64) -> Arc<TmpInode> {
        let time = now();
        let directory = node.kind == Kind::Directory;
        let meta = Meta {
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            nlink: if directory { 2 } else { 1 },
            atime: time,
            mtime: time,
            ctime: time,
            xattrs: BTreeMap::new(),
        };
        Arc::new_cyclic(|this: &Weak<TmpInode>| TmpInode {
            _counted: census::INODES.count(),
            usage: Usage::new(),
            fs: Arc::downgrade(fs),
            ino,
            dev: fs.dev(),
            kind: node.kind,
            meta: SpinLock::new(Rank::Inode, "tmpfs inode", meta),
            body: match node.kind {
                Kind::File => Body::File(PageCache::memory(Some(this.clone()), 0)),
                Kind::Directory => Body::Directory(SpinLock::new(Rank::Inode, "tmpfs directory", Entries::default())),
                Kind::Symlink => Body::Symlink(Box::from(node.target)),
                _ => Body::Node { rdev: node.rdev },
            },
        })
    }

    /// A regular file without a name (memfd_create(2)): `ENOSPC` at the limit.
    pub fn unnamed(fs: &Arc<TmpFs>, mode: u16, uid: u32, gid: u32) -> Result<Arc<TmpInode>> {
        fs.charge_inode()?;
        let inode =
            TmpInode::new(fs, &NewNode { kind: Kind::File, mode, uid, gid, rdev: 0, target: b"" }, fs.next_ino());
        inode.meta.lock().nlink = 0;
        Ok(inode)
    }

    fn entries(&self) -> Result<&SpinLock<Entries>> {
        match &self.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR.into()),
        }
    }

    /// Takes a directory's children out, for taking the tree apart.
    pub(super) fn take_children(&self) -> Vec<Arc<TmpInode>> {
        match &self.body {
            Body::Directory(entries) => entries.lock().take_all(),
            _ => Vec::new(),
        }
    }

    /// Notes a change of what it holds; `subdirs`: by so many its subdirectories have become more.
    pub(super) fn touched(&self, subdirs: i32) {
        let time = now();
        let mut meta = self.meta.lock();
        meta.mtime = time;
        meta.ctime = time;
        meta.nlink = meta.nlink.saturating_add_signed(subdirs);
    }

    /// Adjusts the number of names.
    fn add_links(&self, by: i32) {
        let time = now();
        let mut meta = self.meta.lock();
        meta.nlink = meta.nlink.saturating_add_signed(by);
        meta.ctime = time;
    }

    /// One name is gone; a directory then has none.
    fn unlinked(&self) {
        self.add_links(if self.kind == Kind::Directory { -2 } else { -1 });
    }

    pub(super) fn fs_arc(&self) -> Result<Arc<TmpFs>> {
        self.fs.upgrade().ok_or(Errno::ESTALE.into())
    }

    fn is_empty_dir(&self) -> bool {
        self.entries().is_ok_and(|entries| entries.lock().is_empty())
    }
}

/// Another inode of the same file system type.
fn same_type(inode: &InodeRef) -> Result<&TmpInode> {
    inode.as_any().downcast_ref::<TmpInode>().ok_or(Errno::EXDEV.into())
}

impl Inode for TmpInode {
    fn attr(&self) -> Result<Attr> {
        let (size, pages) = match &self.body {
            Body::File(pages) => (pages.size(), pages.pages()),
            Body::Directory(entries) => (entries.lock().len() as u64 * 20, 0),
            Body::Symlink(target) => (target.len() as u64, 0),
            Body::Node { .. } => (0, 0),
        };
        let rdev = if let Body::Node { rdev } = self.body { rdev } else { 0 };
        let meta = self.meta.lock();
        Ok(Attr {
            ino: self.ino,
            dev: self.dev,
            kind: self.kind,
            mode: meta.mode,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            rdev,
            size,
            blocks: (pages * (SIZE / 512)) as u64,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
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
            match &self.body {
                Body::File(pages) => pages.truncate(size, || Ok(()))?,
                Body::Directory(_) => return Err(Errno::EISDIR.into()),
                _ => return Err(Errno::EINVAL.into()),
            }
        }
        let time = now();
        let mut meta = self.meta.lock();
        meta.mode = change.mode.unwrap_or(meta.mode);
        meta.uid = change.uid.unwrap_or(meta.uid);
        meta.gid = change.gid.unwrap_or(meta.gid);
        meta.atime = change.atime.unwrap_or(meta.atime);
        meta.mtime = change.mtime.or(change.size.map(|_| time)).unwrap_or(meta.mtime);
        meta.ctime = time;
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<u64> {
        let Body::File(pages) = &self.body else { return Err(Errno::EINVAL.into()) };
        allocate(&*self.fs_arc()?, pages, offset, len)
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        let found = self.entries()?.lock().get(name).ok_or(Errno::ENOENT)?;
        Ok(found)
    }

    fn create(&self, name: &[u8], node: &NewNode<'_>) -> Result<InodeRef> {
        let fs = self.fs_arc()?;
        let entries = self.entries()?;
        if entries.lock().get(name).is_some() {
            return Err(Errno::EEXIST.into());
        }
        fs.charge_inode()?;
        let inode = TmpInode::new(&fs, node, fs.next_ino());
        entries.lock().insert(name, inode.clone());
        self.touched(i32::from(node.kind == Kind::Directory));
        Ok(inode)
    }

    fn link(&self, name: &[u8], target: &InodeRef) -> Result<()> {
        let target = target.clone();
        let entries = self.entries()?;
        let linked = same_type(&target)?;
        if entries.lock().get(name).is_some() {
            return Err(Errno::EEXIST.into());
        }
        let shared = entries.lock().insert_link(name, &target)?;
        drop(shared);
        linked.add_links(1);
        self.touched(0);
        Ok(())
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        let gone = self.entries()?.lock().remove(name).ok_or(Errno::ENOENT)?;
        gone.unlinked();
        self.touched(0);
        Ok(())
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let entries = self.entries()?;
        let victim = entries.lock().get(name).ok_or(Errno::ENOENT)?;
        if !victim.is_empty_dir() {
            return Err(if victim.kind == Kind::Directory { Errno::ENOTEMPTY } else { Errno::ENOTDIR }.into());
        }
        let gone = entries.lock().remove(name);
        drop(gone);
        victim.unlinked();
        self.touched(-1);
        Ok(())
    }

    fn rename(&self, name: &[u8], new_dir: &InodeRef, new_name: &[u8], mode: RenameMode) -> Result<()> {
        let to_dir = same_type(new_dir)?;
        let (from, to) = (self.entries()?, to_dir.entries()?);
        let moving = from.lock().get(name).ok_or(Errno::ENOENT)?;
        let old = to.lock().get(new_name);
        let moving_dirs = i32::from(moving.kind == Kind::Directory);
        match (&old, mode) {
            (Some(_), RenameMode::NoReplace) => return Err(Errno::EEXIST.into()),
            (None, RenameMode::Exchange) => return Err(Errno::ENOENT.into()),
            (Some(old), RenameMode::Exchange) => {
                let old_dirs = i32::from(old.kind == Kind::Directory);
                drop(from.lock().insert(name, old.clone()));
                drop(to.lock().insert(new_name, moving.clone()));
                self.touched(old_dirs - moving_dirs);
                to_dir.touched(moving_dirs - old_dirs);
                old.add_links(0);
                moving.add_links(0);
                return Ok(());
            }
            (Some(old), RenameMode::Replace) if old.kind == Kind::Directory && !old.is_empty_dir() => {
                return Err(Errno::ENOTEMPTY.into());
            }
            _ => {}
        }
        let taken = from.lock().remove(name);
        drop(taken);
        let replaced = to.lock().insert(new_name, moving.clone());
        let replaced_dirs = replaced.as_ref().map_or(0, |old| i32::from(old.kind == Kind::Directory));
        if let Some(old) = replaced {
            old.unlinked();
        }
        self.touched(-moving_dirs);
        to_dir.touched(moving_dirs - replaced_dirs);
        moving.add_links(0);
        Ok(())
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let entries = self.entries()?;
        let mut cursor = cursor;
        // The lock is taken anew for each entry, since the sink may do anything.
        loop {
            let Some((next, name, inode)) = entries.lock().after(cursor) else { return Ok(()) };
            if !sink(DirEntry { ino: inode.ino, kind: inode.kind, name: &name, next }) {
                return Ok(());
            }
            cursor = next;
        }
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        match &self.body {
            Body::Symlink(target) => Ok(target.to_vec()),
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        match &self.body {
            Body::File(pages) => Some(pages.clone()),
            _ => None,
        }
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.meta.lock().xattrs.get(name).map(|value| value.to_vec()).ok_or(Errno::ENODATA.into())
    }

    fn set_xattr(&self, name: &[u8], value: &[u8]) -> Result<()> {
        let mut meta = self.meta.lock();
        let used: usize = meta.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if used + name.len() + value.len() > MAX_XATTRS {
            return Err(Errno::ENOSPC.into());
        }
        meta.xattrs.insert(Box::from(name), Box::from(value));
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.meta.lock().xattrs.remove(name).map(drop).ok_or(Errno::ENODATA.into())
    }

    fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        Ok(self.meta.lock().xattrs.keys().map(|name| name.to_vec()).collect())
    }

    fn usage(&self) -> Option<&Usage> {
        Some(&self.usage)
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        match self.fs.upgrade() {
            Some(fs) => fs,
            // The instance is gone with its last mount; what is still open belongs nowhere.
            None => anon::fs(),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for TmpInode {
    fn drop(&mut self) {
        if let Some(fs) = self.fs.upgrade() {
            fs.uncharge_inode();
            // The cache's own drop comes after this one, when its link to this inode is dead already.
            if let Body::File(pages) = &self.body {
                fs.uncharge_pages(pages.pages());
            }
        }
    }
}
