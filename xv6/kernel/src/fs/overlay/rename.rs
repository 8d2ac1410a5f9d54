//! rename(2) on an overlay. The VFS holds the directories' locks and has checked the kinds.
//!
//! What moves is copied up and renamed in the upper layer; if a lower layer has something under the old name, a
//! whiteout follows into its place. Between the two renames a crash shows the old name again: nothing is lost. A
//! directory that a lower layer has a part in does not move (`EXDEV`).

use super::lookup::UpperEntry;
use super::node::OverlayNode;
use super::work::{empty, set_opaque};
use crate::error::{Errno, Result};
use crate::sync::stacked;
use crate::vfs::inode::{Inode, Kind, RenameMode};

impl OverlayNode {
    /// Renames `name` to `new_name` of `new_dir`.
    pub(super) fn rename_entry(
        &self,
        name: &[u8],
        new_dir: &OverlayNode,
        new_name: &[u8],
        mode: RenameMode,
    ) -> Result<()> {
        let exchange = mode == RenameMode::Exchange;
        let source = self.find(name)?;
        let target = match new_dir.find(new_name) {
            Ok(target) => Some(target),
            Err(error) if error.errno == Errno::ENOENT && !exchange => None,
            Err(error) => return Err(error),
        };
        let is_dir = |node: &OverlayNode| node.kind() == Kind::Directory;
        let moving = [Some(&source), target.as_ref().filter(|_| exchange)];
        if moving.iter().flatten().any(|node| is_dir(node) && node.has_lower()) {
            return Err(Errno::EXDEV.during("renaming a directory of a lower layer"));
        }
        if let Some(target) = &target
            && !exchange
            && is_dir(target)
            && !target.is_empty()?
        {
            return Err(Errno::ENOTEMPTY.into());
        }
        for node in moving.into_iter().flatten() {
            node.copy_up(None)?;
        }
        let (from_dir, to_dir) = (self.copy_up(None)?, new_dir.copy_up(None)?);
        let below_source = !self.lower_entries(name, false)?.is_empty();
        let below_target = !new_dir.lower_entries(new_name, false)?.is_empty();
        // A directory that comes to lie over a lower one must not merge with it.
        let cover = |node: &OverlayNode, below| match node.upper() {
            Some(upper) if below && is_dir(node) => set_opaque(&**upper.inode()),
            _ => Ok(()),
        };
        if exchange {
            return stacked(|| {
                cover(&source, below_target)?;
                target.iter().try_for_each(|target| cover(target, below_source))?;
                from_dir.rename(name, &to_dir, new_name, RenameMode::Exchange)
            });
        }
        // The target loses its name: a copy-up that comes after this must not bring it back.
        let _still = target.as_ref().map(|target| target.copying.lock());
        stacked(|| {
            cover(&source, below_target)?;
            let there = new_dir.upper_entry(new_name)?;
            if let (UpperEntry::Whiteout, true) = (&there, is_dir(&source)) {
                // Only an exchange puts a directory in a whiteout's place; the whiteout then lies where one may be
                // needed.
                from_dir.rename(name, &to_dir, new_name, RenameMode::Exchange)?;
                return if below_source { Ok(()) } else { from_dir.unlink(name) };
            }
            if let UpperEntry::Inode(old) = &there
                && old.is_dir()
            {
                // Nothing visible is in it, but whiteouts may be.
                set_opaque(&**old.inode())?;
                empty(old)?;
            }
            drop(there);
            let whiteout = if below_source { Some(self.fs.make_whiteout()?) } else { None };
            if let Err(error) = from_dir.rename(name, &to_dir, new_name, RenameMode::Replace) {
                whiteout.iter().for_each(|whiteout| self.fs.discard(whiteout.as_bytes()));
                return Err(error);
            }
            match whiteout {
                Some(whiteout) => {
                    self.fs.upper()?.work.rename(whiteout.as_bytes(), &from_dir, name, RenameMode::NoReplace)
                }
                None => Ok(()),
            }
        })?;
        if let Some(target) = &target {
            target.state.lock().unlinked = true;
        }
        Ok(())
    }
}
