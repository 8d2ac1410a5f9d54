//! The work directory: half-made things get a temporary name there and come into place by one rename; what is replaced
//! goes there to be taken apart.
//!
//! A crash leaves rubbish there at worst, which the next mount removes.

use super::{OPAQUE, Overlay};
use crate::error::{Errno, Result};
use crate::vfs::Dentry;
use crate::vfs::inode::{Inode, Kind, NewNode, RenameMode};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// What a whiteout is made as.
const WHITEOUT: NewNode<'static> = NewNode { kind: Kind::CharDevice, mode: 0, uid: 0, gid: 0, rdev: 0, target: b"" };

impl Overlay {
    /// A name that nothing in the work directory has.
    pub(super) fn temporary(&self) -> String {
        format!("#{:x}", self.next_temporary.fetch_add(1, Ordering::Relaxed))
    }

    /// A fresh whiteout in the work directory; its name there.
    pub(super) fn make_whiteout(&self) -> Result<String> {
        let name = self.temporary();
        self.upper()?.work.create(name.as_bytes(), &WHITEOUT)?;
        Ok(name)
    }

    /// Hides `name`, which the upper directory `dir` does not have.
    pub(super) fn whiteout(&self, dir: &Arc<Dentry>, name: &[u8]) -> Result<()> {
        dir.create(name, &WHITEOUT).map(drop)
    }

    /// Puts a whiteout in the place of `name` in the upper directory `dir`, at once; a directory there holds nothing
    /// but whiteouts.
    pub(super) fn whiteout_over(&self, dir: &Arc<Dentry>, name: &[u8], is_dir: bool) -> Result<()> {
        let work = &self.upper()?.work;
        let temporary = self.make_whiteout()?;
        let mode = if is_dir { RenameMode::Exchange } else { RenameMode::Replace };
        let renamed = work.rename(temporary.as_bytes(), dir, name, mode);
        if is_dir || renamed.is_err() {
            self.discard(temporary.as_bytes());
        }
        renamed
    }

    /// Removes `name` of the work directory, and what is in it. A failure is left to the next mount.
    pub(super) fn discard(&self, name: &[u8]) {
        if let Ok(upper) = self.upper() {
            let _ = remove_tree(&upper.work, name);
        }
    }
}

/// Makes an upper directory opaque.
pub(super) fn set_opaque(dir: &dyn Inode) -> Result<()> {
    dir.set_xattr(OPAQUE, b"y")
}

/// The names in a directory of the upper layer.
pub(super) fn names(dir: &dyn Inode) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    dir.read_dir(0, &mut |entry| {
        names.push(entry.name.to_vec());
        true
    })?;
    Ok(names)
}

/// Removes `name` from `dir`, with all that is below it; without recursion, since trees may be deeper than the kernel
/// stack.
pub(super) fn remove_tree(dir: &Arc<Dentry>, name: &[u8]) -> Result<()> {
    let mut path = alloc::vec![(dir.clone(), name.to_vec())];
    while let Some((parent, name)) = path.last().cloned() {
        let entry = parent.lookup(&name)?;
        if !entry.is_dir() {
            parent.unlink(&name)?;
            path.pop();
            continue;
        }
        match names(&**entry.inode())?.pop() {
            Some(inner) => path.push((entry, inner)),
            None => {
                drop(entry);
                parent.rmdir(&name)?;
                path.pop();
            }
        }
    }
    Ok(())
}

/// Empties `dir`.
pub(super) fn empty(dir: &Arc<Dentry>) -> Result<()> {
    for name in names(&**dir.inode())? {
        match remove_tree(dir, &name) {
            Err(error) if error.errno != Errno::ENOENT => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
