//! Changes of a directory, kept consistent with the dentry cache: create, link, unlink, rmdir, rename on [`Dentry`].
//!
//! These know nothing of mounts, permissions or processes: `change` checks those for system calls, and the overlay calls these
//! directly on its layers. Each takes the directory's lock, asks the file system, then updates the cache.
//!
//! Locks: `Directory::change`, parent before child; between two directories first the tree's rename lock, then the ancestor,
//! or the lower address.

use super::dentry::{Dentry, Keeper};
use super::inode::{InodeRef, Kind, NewNode, RenameMode};
use crate::error::{Errno, Result};
use crate::sync::MutexGuard;
use alloc::sync::Arc;

impl Dentry {
    /// A new entry of this directory; `EEXIST` if the name is taken.
    pub fn create(self: &Arc<Self>, name: &[u8], node: &NewNode<'_>) -> Result<Arc<Dentry>> {
        let _guard = self.dir()?.change.lock();
        self.check_free(name)?;
        let inode = self.inode().create(name, node)?;
        Ok(self.enter(name, inode))
    }

    /// A new hard link to `target`'s inode.
    pub fn link(self: &Arc<Self>, name: &[u8], target: &Arc<Dentry>) -> Result<()> {
        let _guard = self.dir()?.change.lock();
        self.check_free(name)?;
        self.inode().link(name, target.inode())?;
        self.enter(name, target.inode().clone());
        Ok(())
    }

    /// Removes an entry that is no directory: `EISDIR`, `ENOENT`, `EBUSY` (mounted upon).
    pub fn unlink(self: &Arc<Self>, name: &[u8]) -> Result<()> {
        self.unlink_for(name, None).map(drop)
    }

    /// Removes an empty directory: `ENOTDIR`, `ENOENT`, `ENOTEMPTY`, `EBUSY` (mounted upon).
    pub fn rmdir(self: &Arc<Self>, name: &[u8]) -> Result<()> {
        self.rmdir_for(name, None).map(drop)
    }

    /// rename(2) from this directory to `new_dir` of the same file system instance.
    pub fn rename(self: &Arc<Self>, name: &[u8], to: &Arc<Dentry>, new_name: &[u8], mode: RenameMode) -> Result<()> {
        self.rename_for(name, to, new_name, mode, None).map(drop)
    }

    /// As [`Dentry::unlink`], where only the mounts of `keeper` keep a name. Returns what was removed, for the others to be taken off.
    pub(super) fn unlink_for(self: &Arc<Self>, name: &[u8], keeper: Keeper<'_>) -> Result<Arc<Dentry>> {
        let _guard = self.dir()?.change.lock();
        let child = self.existing(name)?;
        if child.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        child.kill(keeper)?;
        self.removed(&child, name, self.inode().unlink(name))?;
        Ok(child)
    }

    /// As [`Dentry::unlink_for`], for an empty directory.
    pub(super) fn rmdir_for(self: &Arc<Self>, name: &[u8], keeper: Keeper<'_>) -> Result<Arc<Dentry>> {
        let _guard = self.dir()?.change.lock();
        let child = self.existing(name)?;
        // Held so that nothing is created in it between the file system's look and the end.
        let inner = child.dir()?.change.lock();
        child.kill(keeper)?;
        self.removed(&child, name, self.inode().rmdir(name))?;
        drop(inner);
        Ok(child)
    }

    /// As [`Dentry::rename`], where only the mounts of `keeper` keep a name. Returns what was replaced.
    pub(super) fn rename_for(
        self: &Arc<Self>,
        name: &[u8],
        new_dir: &Arc<Dentry>,
        new_name: &[u8],
        mode: RenameMode,
        keeper: Keeper<'_>,
    ) -> Result<Option<Arc<Dentry>>> {
        let _shape = (!Arc::ptr_eq(self, new_dir)).then(|| self.tree().rename.lock());
        let _guards = lock_two(self, new_dir)?;
        let from = self.existing(name)?;
        let to = new_dir.child_locked(new_name)?;
        if from.is_ancestor_of(new_dir) {
            return Err(Errno::EINVAL.during("renaming a directory below itself"));
        }
        if !to.is_negative() && to.is_ancestor_of(self) {
            return Err(if mode == RenameMode::Exchange { Errno::EINVAL } else { Errno::ENOTEMPTY }.into());
        }
        check_kinds(&from, &to, mode)?;
        if Arc::ptr_eq(&from, &to) || (!to.is_negative() && mode == RenameMode::Replace && same_inode(&from, &to)) {
            return Ok(None);
        }
        from.check_unmounted(keeper)?;
        to.check_unmounted(keeper)?;
        let replaced = !to.is_negative() && mode != RenameMode::Exchange;
        let inner = if replaced && to.is_dir() { Some(to.dir()?.change.lock()) } else { None };
        if replaced {
            to.kill(keeper)?;
        }
        if let Err(error) = self.inode().rename(name, new_dir.inode(), new_name, mode) {
            to.revive();
            return Err(error);
        }
        let gone = self.remove(name);
        drop(gone);
        drop(inner);
        if replaced {
            to.forget_children();
        }
        from.relocate(new_dir.clone(), Arc::from(new_name));
        new_dir.insert(from);
        if mode == RenameMode::Exchange {
            to.relocate(self.clone(), Arc::from(name));
            self.insert(to.clone());
        }
        Ok(replaced.then_some(to))
    }

    /// `EEXIST` if `name` exists, `ENOENT` if this directory itself was removed. The caller holds the lock.
    fn check_free(self: &Arc<Self>, name: &[u8]) -> Result<()> {
        if self.is_dead() {
            return Err(Errno::ENOENT.into());
        }
        if self.child_locked(name)?.is_negative() { Ok(()) } else { Err(Errno::EEXIST.into()) }
    }

    /// The positive child `name`. The caller holds the lock.
    fn existing(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        let child = self.child_locked(name)?;
        if child.is_negative() { Err(Errno::ENOENT.into()) } else { Ok(child) }
    }

    /// Caches a name that has just come to be.
    fn enter(self: &Arc<Self>, name: &[u8], inode: InodeRef) -> Arc<Dentry> {
        let child = Arc::new(Dentry::new(Some(self.clone()), Arc::from(name), Some(inode), self.tree().clone()));
        self.insert(child.clone());
        child
    }

    /// Ends a removal that `kill` began.
    fn removed(&self, child: &Arc<Dentry>, name: &[u8], result: Result<()>) -> Result<()> {
        if let Err(error) = result {
            child.revive();
            return Err(error);
        }
        let gone = self.remove(name);
        drop(gone);
        child.forget_children();
        Ok(())
    }
}

/// Locks one or two directories in their order.
fn lock_two<'a>(a: &'a Arc<Dentry>, b: &'a Arc<Dentry>) -> Result<(MutexGuard<'a, ()>, Option<MutexGuard<'a, ()>>)> {
    if Arc::ptr_eq(a, b) {
        return Ok((a.dir()?.change.lock(), None));
    }
    let a_first = a.is_ancestor_of(b) || (!b.is_ancestor_of(a) && Arc::as_ptr(a) < Arc::as_ptr(b));
    let (first, second) = if a_first { (a, b) } else { (b, a) };
    let first = first.dir()?.change.lock();
    Ok((first, Some(second.dir()?.change.lock())))
}

/// rename(2)'s rules on what may replace what.
fn check_kinds(from: &Dentry, to: &Dentry, mode: RenameMode) -> Result<()> {
    match mode {
        RenameMode::NoReplace if !to.is_negative() => Err(Errno::EEXIST.into()),
        RenameMode::Exchange if to.is_negative() => Err(Errno::ENOENT.into()),
        RenameMode::Replace if to.is_negative() => Ok(()),
        RenameMode::Replace if from.is_dir() && !to.is_dir() => Err(Errno::ENOTDIR.into()),
        RenameMode::Replace if !from.is_dir() && to.is_dir() => Err(Errno::EISDIR.into()),
        _ => Ok(()),
    }
}

/// True for two names of one inode.
fn same_inode(a: &Dentry, b: &Dentry) -> bool {
    a.inode().kind() != Kind::Directory && Arc::ptr_eq(a.inode(), b.inode())
}
