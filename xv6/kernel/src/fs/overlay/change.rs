//! Changes of one directory: create, link, unlink, rmdir. The VFS holds the directory's lock.

use super::lookup::UpperEntry;
use super::node::OverlayNode;
use super::work::set_opaque;
use crate::error::{Errno, Result};
use crate::sync::stacked;
use crate::vfs::Dentry;
use crate::vfs::inode::{Inode, Kind, NewNode, RenameMode};
use alloc::sync::Arc;
use alloc::vec::Vec;

impl OverlayNode {
    /// A new entry.
    pub(super) fn create_entry(&self, name: &[u8], node: &NewNode<'_>) -> Result<Arc<OverlayNode>> {
        // A device 0:0 would be a whiteout and vanish.
        if node.kind == Kind::CharDevice && node.rdev == 0 {
            return Err(Errno::EPERM.during("making a device 0:0 on an overlay"));
        }
        let dir = self.copy_up(None)?;
        let made = stacked(|| {
            if let UpperEntry::Nothing = self.upper_entry(name)? {
                return dir.create(name, node);
            }
            self.replace_whiteout(&dir, name, |work, temporary| {
                let made = work.create(temporary, node)?;
                if node.kind == Kind::Directory {
                    set_opaque(&**made.inode())?;
                }
                Ok(made)
            })
        })?;
        self.fs.node(node.kind, Some(made), Vec::new(), Some(&self.shared()), name)
    }

    /// A new hard link to `target`, which is no directory.
    pub(super) fn link_entry(&self, name: &[u8], target: &OverlayNode) -> Result<()> {
        let target = target.copy_up(None)?;
        let dir = self.copy_up(None)?;
        stacked(|| {
            if let UpperEntry::Nothing = self.upper_entry(name)? {
                return dir.link(name, &target);
            }
            self.replace_whiteout(&dir, name, |work, temporary| {
                work.link(temporary, &target)?;
                work.lookup(temporary)
            })
            .map(drop)
        })
    }

    /// Puts what `make` makes in the work directory in the place of the whiteout `name`, at once.
    fn replace_whiteout(
        &self,
        dir: &Arc<Dentry>,
        name: &[u8],
        make: impl FnOnce(&Arc<Dentry>, &[u8]) -> Result<Arc<Dentry>>,
    ) -> Result<Arc<Dentry>> {
        let work = &self.fs.upper()?.work;
        let temporary = self.fs.temporary();
        let made = make(work, temporary.as_bytes()).and_then(|made| {
            let mode = if made.is_dir() { RenameMode::Exchange } else { RenameMode::Replace };
            work.rename(temporary.as_bytes(), dir, name, mode)?;
            Ok(made)
        });
        // After an exchange the whiteout is left there; after a failure, whatever was made.
        if made.as_ref().is_ok_and(|made| made.is_dir()) || made.is_err() {
            self.fs.discard(temporary.as_bytes());
        }
        made
    }

    /// Removes an entry; a directory must be empty. What lower layers still have is hidden.
    pub(super) fn remove_entry(&self, name: &[u8]) -> Result<()> {
        let child = self.find(name)?;
        let is_dir = child.kind() == Kind::Directory;
        if is_dir && !child.is_empty()? {
            return Err(Errno::ENOTEMPTY.into());
        }
        let dir = self.copy_up(None)?;
        let below = !self.lower_entries(name, false)?.is_empty();
        // A copy-up that comes after this must not bring the name back.
        let _still = child.copying.lock();
        stacked(|| match self.upper_entry(name)? {
            UpperEntry::Whiteout => Err(Errno::ENOENT.into()),
            UpperEntry::Nothing => self.fs.whiteout(&dir, name),
            UpperEntry::Inode(_) if below => self.fs.whiteout_over(&dir, name, is_dir),
            UpperEntry::Inode(_) if !is_dir => dir.unlink(name),
            UpperEntry::Inode(entry) => {
                // Whiteouts may be left in it from the time when it was merged.
                super::work::empty(&entry)?;
                drop(entry);
                dir.rmdir(name)
            }
        })?;
        child.state.lock().unlinked = true;
        Ok(())
    }

    /// True for a directory without entries.
    pub(super) fn is_empty(&self) -> Result<bool> {
        let mut empty = true;
        self.list(0, &mut |_| {
            empty = false;
            false
        })?;
        Ok(empty)
    }
}
