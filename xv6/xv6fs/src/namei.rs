//! Names: lookup, create, link, unlink, rmdir, symlink targets. (xv6's word; here a call resolves one component, the
//! caller walks the path.)

use alloc::vec;
use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::bytes::put;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::fs::Fs;
use crate::inode::{Inode, MAP_BYTES, MAX_LINKS, SHORT_LINK};
use crate::types::{Ino, Kind, NewNode, ROOT_INO};

/// Longest name, in bytes.
const MAX_NAME: usize = 255;
/// Longest symlink target, in bytes.
const MAX_TARGET: usize = BLOCK_SIZE - 1;

/// Refuses what cannot be a new or a removed name.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" => Err(Error::NotFound),
        b"." | b".." => Err(Error::Invalid),
        _ if name.len() > MAX_NAME => Err(Error::NameTooLong),
        _ if name.contains(&b'/') || name.contains(&0) => Err(Error::Invalid),
        _ => Ok(()),
    }
}

impl<D: Disk> Fs<D> {
    /// A directory's inode.
    pub(crate) fn dir(&mut self, ino: Ino) -> Result<Inode> {
        let inode = self.inode(ino)?;
        if inode.kind == Kind::Dir { Ok(inode) } else { Err(Error::NotDir) }
    }

    /// A directory's inode, for a new name: one that was removed takes none.
    pub(crate) fn live_dir(&mut self, ino: Ino) -> Result<Inode> {
        let inode = self.dir(ino)?;
        if inode.nlink > 0 { Ok(inode) } else { Err(Error::NotFound) }
    }

    /// The inode that `name` stands for in `dir`; `.` and `..` work (`..` of the root is the root).
    pub fn lookup(&mut self, dir: Ino, name: &[u8]) -> Result<Ino> {
        let inode = self.dir(dir)?;
        match name {
            b"." => Ok(dir),
            b".." => Ok(inode.parent),
            _ if name.len() > MAX_NAME => Err(Error::NameTooLong),
            _ => self.dir_find(&inode, name)?.found.map(|(ino, ..)| ino).ok_or(Error::NotFound),
        }
    }

    /// Makes a node and its name.
    ///
    /// Fails with [`Error::Exists`], [`Error::NoSpace`] (blocks or inodes), [`Error::TooManyLinks`] (65000
    /// subdirectories), [`Error::Invalid`] (an empty target).
    pub fn create(&mut self, dir: Ino, name: &[u8], node: &NewNode<'_>, now: i64) -> Result<Ino> {
        check_name(name).map_err(|e| if matches!(name, b"." | b"..") { Error::Exists } else { e })?;
        let link = node.kind == Kind::Symlink;
        if node.target.len() > MAX_TARGET {
            return Err(Error::NameTooLong);
        }
        if link == node.target.is_empty() {
            return Err(if link { Error::NotFound } else { Error::Invalid });
        }
        let long = node.target.len() > MAP_BYTES;
        self.op(|fs| {
            let mut parent = fs.live_dir(dir)?;
            let spot = fs.dir_find(&parent, name)?;
            if spot.found.is_some() {
                return Err(Error::Exists);
            }
            if node.kind == Kind::Dir && parent.nlink >= MAX_LINKS {
                return Err(Error::TooManyLinks);
            }
            let plan = fs.dir_plan(&parent, &spot, name)?;
            let blocks = plan.blocks() + u64::from(long);
            if blocks > 0 {
                fs.need(blocks)?;
            }
            let ino = fs.alloc_ino()?;
            fs.state.generation = fs.state.generation.wrapping_add(1);
            let mut inode = Inode::blank(ino, node.kind, fs.state.generation, now);
            inode.mode = node.mode & 0o7777;
            inode.uid = node.uid;
            inode.gid = node.gid;
            inode.rdev = node.rdev;
            inode.nlink = 1;
            if node.kind == Kind::Dir {
                inode.nlink = 2;
                inode.parent = dir;
                parent.nlink += 1;
            }
            if link {
                fs.store_target(&mut inode, node.target)?;
            }
            fs.put_inode(&inode)?;
            fs.dir_insert(&mut parent, &plan, name, ino, node.kind)?;
            parent.mtime = now;
            parent.ctime = now;
            fs.put_inode(&parent)?;
            Ok(ino)
        })
    }

    fn store_target(&mut self, inode: &mut Inode, target: &[u8]) -> Result<()> {
        inode.size = target.len() as u64;
        if target.len() <= MAP_BYTES {
            inode.flags |= SHORT_LINK;
            put(&mut inode.map, 0, target);
            return Ok(());
        }
        let block = self.alloc_block()?;
        put(self.cache.get_new(block)?, 0, target);
        self.map_insert(inode, Extent { key: 0, start: block, len: 1 })
    }

    /// A symlink's target; [`Error::Invalid`] for anything else.
    pub fn read_link(&mut self, ino: Ino) -> Result<Vec<u8>> {
        let inode = self.inode(ino)?;
        if inode.kind != Kind::Symlink {
            return Err(Error::Invalid);
        }
        let len = usize::try_from(inode.size).ok().filter(|&n| n <= MAX_TARGET).ok_or(Error::Corrupt)?;
        let mut target = vec![0; len];
        if inode.flags & SHORT_LINK != 0 {
            put(&mut target, 0, inode.map.get(..len).ok_or(Error::Corrupt)?);
        } else {
            let block = self.run_at(&inode, 0)?.0.ok_or(Error::Corrupt)?;
            put(&mut target, 0, &self.cache.get(&mut self.disk, block)?[..len]);
        }
        Ok(target)
    }

    /// Gives `ino` one more name. [`Error::IsDir`] for a directory (the caller says `EPERM`), [`Error::NotFound`] for an
    /// inode whose last name is gone.
    pub fn link(&mut self, ino: Ino, dir: Ino, name: &[u8], now: i64) -> Result<()> {
        check_name(name).map_err(|e| if matches!(name, b"." | b"..") { Error::Exists } else { e })?;
        self.op(|fs| {
            let parent = fs.live_dir(dir)?;
            let spot = fs.dir_find(&parent, name)?;
            if spot.found.is_some() {
                return Err(Error::Exists);
            }
            let plan = fs.dir_plan(&parent, &spot, name)?;
            if plan.blocks() > 0 {
                fs.need(plan.blocks())?;
            }
            let (mut parent, mut inode) = (fs.live_dir(dir)?, fs.inode(ino)?);
            match (inode.kind, inode.nlink) {
                (Kind::Dir, _) => return Err(Error::IsDir),
                (_, 0) => return Err(Error::NotFound),
                (_, MAX_LINKS..) => return Err(Error::TooManyLinks),
                _ => {}
            }
            inode.nlink += 1;
            inode.ctime = now;
            fs.put_inode(&inode)?;
            fs.dir_insert(&mut parent, &plan, name, ino, inode.kind)?;
            parent.mtime = now;
            parent.ctime = now;
            fs.put_inode(&parent)
        })
    }

    /// Removes a name that is not a directory's; gives the inode it stood for. That is freed with its last name,
    /// unless it is held.
    pub fn unlink(&mut self, dir: Ino, name: &[u8], now: i64) -> Result<Ino> {
        check_name(name).map_err(|e| if matches!(name, b"." | b"..") { Error::IsDir } else { e })?;
        let (ino, late) = self.op(|fs| {
            let mut parent = fs.dir(dir)?;
            let spot = fs.dir_find(&parent, name)?;
            let (ino, kind, _) = spot.found.ok_or(Error::NotFound)?;
            if kind == Kind::Dir {
                return Err(Error::IsDir);
            }
            let mut inode = fs.inode(ino)?;
            if inode.kind != kind {
                return Err(Error::Corrupt);
            }
            inode.nlink = inode.nlink.checked_sub(1).ok_or(Error::Corrupt)?;
            inode.ctime = now;
            fs.dir_remove(&mut parent, &spot)?;
            parent.mtime = now;
            parent.ctime = now;
            fs.put_inode(&parent)?;
            Ok((ino, fs.put_or_drop(inode)?))
        })?;
        if late {
            self.reap(ino)?;
        }
        Ok(ino)
    }

    /// Writes an inode that lost a name, or drops it if that was the last one. As [`Fs::last_name_gone`].
    pub(crate) fn put_or_drop(&mut self, inode: Inode) -> Result<bool> {
        if inode.nlink == 0 { self.last_name_gone(inode) } else { self.put_inode(&inode).map(|()| false) }
    }

    /// Removes an empty directory; gives the inode it had.
    pub fn rmdir(&mut self, dir: Ino, name: &[u8], now: i64) -> Result<Ino> {
        check_name(name).map_err(|e| if name == b".." { Error::NotEmpty } else { e })?;
        let (ino, late) = self.op(|fs| {
            let mut parent = fs.dir(dir)?;
            let spot = fs.dir_find(&parent, name)?;
            let (ino, kind, _) = spot.found.ok_or(Error::NotFound)?;
            if kind != Kind::Dir {
                return Err(Error::NotDir);
            }
            let inode = fs.empty_dir(ino, now)?;
            fs.dir_remove(&mut parent, &spot)?;
            parent.nlink = parent.nlink.checked_sub(1).ok_or(Error::Corrupt)?;
            parent.mtime = now;
            parent.ctime = now;
            fs.put_inode(&parent)?;
            Ok((ino, fs.last_name_gone(inode)?))
        })?;
        if late {
            self.reap(ino)?;
        }
        Ok(ino)
    }

    /// A directory that may go: empty, and without names from now on. Changes nothing yet.
    pub(crate) fn empty_dir(&mut self, ino: Ino, now: i64) -> Result<Inode> {
        let mut inode = self.inode(ino)?;
        if inode.kind != Kind::Dir || ino == ROOT_INO {
            return Err(Error::Corrupt);
        }
        if inode.entries > 0 {
            return Err(Error::NotEmpty);
        }
        inode.nlink = 0;
        inode.ctime = now;
        Ok(inode)
    }
}
