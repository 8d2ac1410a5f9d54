//! rename(2): a name moves, replaces another, or changes places with it, in one operation.

use crate::dir::{Plan, Spot};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::MAX_LINKS;
use crate::namei::check_name;
use crate::types::{Ino, Kind, ROOT_INO, RenameFlags};

/// One end of a rename.
#[derive(Clone, Copy)]
struct End<'a> {
    dir: Ino,
    name: &'a [u8],
}

impl<D: Disk> Fs<D> {
    /// rename(2). The caller has checked permissions.
    ///
    /// Fails with [`Error::Invalid`] if a directory would come to lie below itself, and with [`Error::Exists`],
    /// [`Error::NotFound`], [`Error::NotEmpty`], [`Error::IsDir`], [`Error::NotDir`], [`Error::TooManyLinks`] and
    /// [`Error::NoSpace`] as rename(2) says.
    pub fn rename(
        &mut self,
        from_dir: Ino,
        from: &[u8],
        to_dir: Ino,
        to: &[u8],
        flags: RenameFlags,
        now: i64,
    ) -> Result<()> {
        check_name(from)?;
        check_name(to)?;
        let (from, to) = (End { dir: from_dir, name: from }, End { dir: to_dir, name: to });
        let dropped = self.op(|fs| fs.rename_op(from, to, flags, now))?;
        dropped.map_or(Ok(()), |ino| self.reap(ino))
    }

    fn spot(&mut self, end: End<'_>) -> Result<Spot> {
        let dir = self.dir(end.dir)?;
        self.dir_find(&dir, end.name)
    }

    /// Gives the inode that is left to be reaped, if any.
    fn rename_op(&mut self, from: End<'_>, to: End<'_>, flags: RenameFlags, now: i64) -> Result<Option<Ino>> {
        let (ino, kind, _) = self.spot(from)?.found.ok_or(Error::NotFound)?;
        let to_parent = self.live_dir(to.dir)?;
        let target = self.dir_find(&to_parent, to.name)?;
        if kind == Kind::Dir && from.dir != to.dir {
            self.check_not_below(to.dir, ino)?;
        }
        match (target.found, flags) {
            (Some(_), RenameFlags::NoReplace) => Err(Error::Exists),
            (None, RenameFlags::Exchange) => Err(Error::NotFound),
            (Some((other, ..)), _) if other == ino => Ok(None),
            (Some((other, other_kind, _)), RenameFlags::Exchange) => {
                if other_kind == Kind::Dir && from.dir != to.dir {
                    self.check_not_below(from.dir, other)?;
                }
                self.exchange(from, (ino, kind), to, (other, other_kind), now)?;
                Ok(None)
            }
            (Some((other, other_kind, _)), _) => self.replace(from, (ino, kind), to, (other, other_kind), now),
            (None, _) => {
                if kind == Kind::Dir && from.dir != to.dir && to_parent.nlink >= MAX_LINKS {
                    return Err(Error::TooManyLinks);
                }
                let plan = self.dir_plan(&to_parent, &target, to.name)?;
                if plan.blocks() > 0 {
                    self.need(plan.blocks())?;
                }
                self.add_name(to, &plan, (ino, kind), now)?;
                self.remove_name(from, now)?;
                self.moved(ino, kind, from.dir, to.dir, now)?;
                Ok(None)
            }
        }
    }

    /// [`Error::Invalid`] if `dir` is `top` or lies below it.
    fn check_not_below(&mut self, mut dir: Ino, top: Ino) -> Result<()> {
        for _ in 0..self.sb.inodes {
            if dir == top {
                return Err(Error::Invalid);
            }
            if dir == ROOT_INO {
                return Ok(());
            }
            dir = self.dir(dir)?.parent;
        }
        Err(Error::Corrupt)
    }

    fn replace(
        &mut self,
        from: End<'_>,
        it: (Ino, Kind),
        to: End<'_>,
        old: (Ino, Kind),
        now: i64,
    ) -> Result<Option<Ino>> {
        let mut inode = match (it.1, old.1) {
            (Kind::Dir, Kind::Dir) => self.empty_dir(old.0, now)?,
            (Kind::Dir, _) => return Err(Error::NotDir),
            (_, Kind::Dir) => return Err(Error::IsDir),
            _ => {
                let mut inode = self.inode(old.0)?;
                inode.nlink = inode.nlink.checked_sub(1).ok_or(Error::Corrupt)?;
                inode
            }
        };
        inode.ctime = now;
        let target = self.spot(to)?;
        self.dir_replace(&target, it.0, it.1)?;
        let mut parent = self.dir(to.dir)?;
        if old.1 == Kind::Dir {
            parent.nlink = parent.nlink.checked_sub(1).ok_or(Error::Corrupt)?;
        }
        parent.mtime = now;
        parent.ctime = now;
        self.put_inode(&parent)?;
        self.remove_name(from, now)?;
        self.moved(it.0, it.1, from.dir, to.dir, now)?;
        Ok(self.put_or_drop(inode)?.then_some(old.0))
    }

    fn exchange(&mut self, from: End<'_>, it: (Ino, Kind), to: End<'_>, other: (Ino, Kind), now: i64) -> Result<()> {
        let (a, b) = (self.spot(from)?, self.spot(to)?);
        self.dir_replace(&a, other.0, other.1)?;
        self.dir_replace(&b, it.0, it.1)?;
        for dir in [from.dir, to.dir] {
            let mut inode = self.dir(dir)?;
            inode.mtime = now;
            inode.ctime = now;
            self.put_inode(&inode)?;
        }
        self.moved(it.0, it.1, from.dir, to.dir, now)?;
        self.moved(other.0, other.1, to.dir, from.dir, now)
    }

    fn add_name(&mut self, end: End<'_>, plan: &Plan, it: (Ino, Kind), now: i64) -> Result<()> {
        let mut dir = self.dir(end.dir)?;
        self.dir_insert(&mut dir, plan, end.name, it.0, it.1)?;
        dir.mtime = now;
        dir.ctime = now;
        self.put_inode(&dir)
    }

    fn remove_name(&mut self, end: End<'_>, now: i64) -> Result<()> {
        let mut dir = self.dir(end.dir)?;
        // Looked up again: adding the new name may have split the bucket.
        let spot = self.dir_find(&dir, end.name)?;
        self.dir_remove(&mut dir, &spot)?;
        dir.mtime = now;
        dir.ctime = now;
        self.put_inode(&dir)
    }

    /// What changes in a moved inode, and, for a directory, in its old and new parent.
    fn moved(&mut self, ino: Ino, kind: Kind, from: Ino, to: Ino, now: i64) -> Result<()> {
        let mut inode = self.inode(ino)?;
        inode.ctime = now;
        if kind == Kind::Dir && from != to {
            inode.parent = to;
            let mut old = self.dir(from)?;
            old.nlink = old.nlink.checked_sub(1).ok_or(Error::Corrupt)?;
            self.put_inode(&old)?;
            let mut new = self.dir(to)?;
            new.nlink = new.nlink.checked_add(1).ok_or(Error::Corrupt)?;
            self.put_inode(&new)?;
        }
        self.put_inode(&inode)
    }
}
