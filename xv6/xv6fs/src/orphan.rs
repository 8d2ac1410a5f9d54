//! Inodes that outlive their names: holds, the orphan list, and the freeing of inodes.
//!
//! An inode whose last name went while it is held, or whose blocks are too many to be freed in one operation, is an
//! orphan. In memory it is only noted; the commit links it into a list on the disk (headed in the state block, chained both
//! ways through the inodes), from which the next mount frees it. A file made and unlinked between two commits never
//! gets there.

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::file::blocks_for;
use crate::fs::Fs;
use crate::inode::{Inode, ORPHAN};
use crate::types::Ino;

impl<D: Disk> Fs<D> {
    /// Keeps an inode alive when its last name goes; counts.
    pub fn hold(&mut self, ino: Ino) {
        *self.held.entry(ino).or_insert(0) += 1;
    }

    /// Undoes one [`Fs::hold`]; the last one frees an inode without names.
    pub fn release(&mut self, ino: Ino) -> Result<()> {
        match self.held.get_mut(&ino) {
            Some(count) if *count > 1 => {
                *count -= 1;
                Ok(())
            }
            _ => {
                self.held.remove(&ino);
                if self.orphans.remove(&ino) { self.reap(ino) } else { Ok(()) }
            }
        }
    }

    /// In the operation that took the last name: frees the inode if that is little work and nobody holds it; notes it
    /// as an orphan otherwise. `true`: the caller has to [`Fs::reap`] it after the operation.
    pub(crate) fn last_name_gone(&mut self, mut inode: Inode) -> Result<bool> {
        if self.held.contains_key(&inode.ino) {
            self.orphans.insert(inode.ino);
            self.unlisted.insert(inode.ino);
            self.put_inode(&inode)?;
            return Ok(false);
        }
        if self.cut(&mut inode, 0, u32::MAX)? {
            self.free_inode(&inode)?;
            return Ok(false);
        }
        self.unlisted.insert(inode.ino);
        self.put_inode(&inode)?;
        Ok(true)
    }

    /// Finishes an orphan in as many operations as it takes: frees it, or, if it has names or is held (a truncation
    /// takes several operations, or was cut short), the blocks behind its end.
    pub(crate) fn reap(&mut self, ino: Ino) -> Result<()> {
        let mut done = false;
        while !done {
            done = self.op(|fs| {
                let mut inode = fs.inode(ino)?;
                let unused = inode.nlink == 0 && !fs.held.contains_key(&ino);
                let from = if unused { 0 } else { blocks_for(inode.size) };
                let done = fs.cut(&mut inode, from, u32::MAX)?;
                if done && (unused || inode.nlink > 0) {
                    fs.unlist(&mut inode)?;
                }
                if done && unused {
                    fs.free_inode(&inode)?;
                    return Ok(true);
                }
                fs.put_inode(&inode)?;
                Ok(done)
            })?;
        }
        Ok(())
    }

    /// Frees an inode that has no contents left.
    fn free_inode(&mut self, inode: &Inode) -> Result<()> {
        if inode.xattr != 0 {
            self.free_run(inode.xattr, 1, true)?;
        }
        self.free_ino(inode)
    }

    /// At a commit: links the noted orphans into the list on the disk.
    pub(crate) fn list_orphans(&mut self) -> Result<()> {
        for ino in core::mem::take(&mut self.unlisted) {
            let mut inode = self.inode(ino)?;
            if inode.flags & ORPHAN != 0 {
                // A held one that was listed before it was truncated.
                continue;
            }
            let head = self.state.orphan_head;
            if head != 0 {
                let mut next = self.inode(head)?;
                next.orphan_prev = ino;
                self.put_inode(&next)?;
            }
            inode.flags |= ORPHAN;
            inode.orphan_prev = 0;
            inode.orphan_next = head;
            self.put_inode(&inode)?;
            self.state.orphan_head = ino;
        }
        Ok(())
    }

    /// Takes an inode out of the list, or off the note. The caller writes the inode.
    fn unlist(&mut self, inode: &mut Inode) -> Result<()> {
        self.unlisted.remove(&inode.ino);
        if inode.flags & ORPHAN == 0 {
            return Ok(());
        }
        let (prev, next) = (inode.orphan_prev, inode.orphan_next);
        if prev == inode.ino || next == inode.ino {
            return Err(Error::Corrupt);
        }
        if prev != 0 {
            let mut other = self.inode(prev)?;
            other.orphan_next = next;
            self.put_inode(&other)?;
        } else if self.state.orphan_head == inode.ino {
            self.state.orphan_head = next;
        } else {
            return Err(Error::Corrupt);
        }
        if next != 0 {
            let mut other = self.inode(next)?;
            other.orphan_prev = prev;
            self.put_inode(&other)?;
        }
        inode.flags &= !ORPHAN;
        inode.orphan_prev = 0;
        inode.orphan_next = 0;
        Ok(())
    }

    /// At mount: finishes every orphan in the list. Each step takes the head away, so a list of any shape ends.
    pub(crate) fn reap_listed(&mut self) -> Result<()> {
        while self.state.orphan_head != 0 {
            let head = self.state.orphan_head;
            let inode = self.inode(head)?;
            if inode.flags & ORPHAN == 0 || inode.orphan_prev != 0 {
                return Err(Error::Corrupt);
            }
            self.reap(head)?;
        }
        Ok(())
    }
}
