//! Finding a name: the upper layer first, then the lower ones downwards, until something hides what is below.

use super::node::{Lower, OverlayNode};
use super::{is_opaque, is_whiteout};
use crate::error::{Errno, Result};
use crate::sync::stacked;
use crate::vfs::Dentry;
use crate::vfs::inode::{Inode, Kind};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What the upper layer has under a name.
pub(super) enum UpperEntry {
    /// Nothing.
    Nothing,
    /// A whiteout.
    Whiteout,
    /// An inode.
    Inode(Arc<Dentry>),
}

impl OverlayNode {
    /// What the upper layer has as `name`.
    pub(super) fn upper_entry(&self, name: &[u8]) -> Result<UpperEntry> {
        let Some(dir) = self.upper() else { return Ok(UpperEntry::Nothing) };
        match dir.lookup(name) {
            Ok(entry) if is_whiteout(&**entry.inode())? => Ok(UpperEntry::Whiteout),
            Ok(entry) => Ok(UpperEntry::Inode(entry)),
            Err(error) if error.errno == Errno::ENOENT => Ok(UpperEntry::Nothing),
            Err(error) => Err(error),
        }
    }

    /// What the lower layers have as `name`: a file, or the directories to merge (with `only_dirs`: directories or
    /// nothing).
    pub(super) fn lower_entries(&self, name: &[u8], only_dirs: bool) -> Result<Vec<Lower>> {
        let mut found: Vec<Lower> = Vec::new();
        for lower in &self.lowers {
            let inode = match lower.inode.lookup(name) {
                Ok(inode) => inode,
                Err(error) if error.errno == Errno::ENOENT => continue,
                Err(error) => return Err(error),
            };
            let is_dir = inode.kind() == Kind::Directory;
            if is_whiteout(&*inode)? || (!is_dir && (only_dirs || !found.is_empty())) {
                break;
            }
            let last = !is_dir || is_opaque(&*inode);
            found.push(Lower { layer: lower.layer, inode });
            if last {
                break;
            }
        }
        Ok(found)
    }

    /// The entry `name` of this directory, or `ENOENT`.
    pub(super) fn find(&self, name: &[u8]) -> Result<Arc<OverlayNode>> {
        if self.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR.into());
        }
        loop {
            let found = self.find_once(name)?;
            if found.upper().is_some() {
                return Ok(found);
            }
            // A copy-up holds no directory lock: one that ended between the look at the upper layer and here, and whose
            // inode is gone already, is seen now; a later one starts from the inode found.
            let _still = found.copying.lock();
            if found.upper().is_some() || !stacked(|| self.is_in_upper(name))? {
                return Ok(found.clone());
            }
        }
    }

    fn is_in_upper(&self, name: &[u8]) -> Result<bool> {
        Ok(matches!(self.upper_entry(name)?, UpperEntry::Inode(_)))
    }

    fn find_once(&self, name: &[u8]) -> Result<Arc<OverlayNode>> {
        let (upper, lowers) = match self.upper_entry(name)? {
            UpperEntry::Whiteout => return Err(Errno::ENOENT.into()),
            UpperEntry::Nothing => (None, self.lower_entries(name, false)?),
            UpperEntry::Inode(entry) => {
                let inode = entry.inode();
                let merges = inode.kind() == Kind::Directory && self.has_lower() && !is_opaque(&**inode);
                let lowers = if merges { self.lower_entries(name, true)? } else { Vec::new() };
                (Some(entry), lowers)
            }
        };
        let kind = match (&upper, lowers.first()) {
            (Some(upper), _) => upper.inode().kind(),
            (None, Some(lower)) => lower.inode.kind(),
            (None, None) => return Err(Errno::ENOENT.into()),
        };
        self.fs.node(kind, upper, lowers, Some(&self.shared()), name)
    }
}
