//! [`Path`]: a place in the mount tree, and its text.
//!
//! A dentry alone does not say where it is seen: the mount does. Steps between mounts ([`Path::cross_mounts`], [`Path::up`])
//! and the way back to a name ([`Path::text`], for getcwd(2) and `/proc`) live here; permission and text parsing are `walk`'s. No locks of its own.

use super::dentry::Dentry;
use super::inode::{InodeRef, Kind};
use super::mount::{Mount, MountFlags};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A dentry as seen through a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount it is seen through.
    pub mount: Arc<Mount>,
    /// The name and inode; always positive.
    pub dentry: Arc<Dentry>,
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        Arc::ptr_eq(&self.dentry, &other.dentry) && Arc::ptr_eq(&self.mount, &other.mount)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of mount {}", alloc::string::String::from_utf8_lossy(&self.dentry.name()), self.mount.id)
    }
}

impl Path {
    /// The inode there.
    pub fn inode(&self) -> &InodeRef {
        self.dentry.inode()
    }

    /// True for a directory.
    pub fn is_dir(&self) -> bool {
        self.dentry.is_dir()
    }

    /// True where a mount shows its root.
    pub fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(&self.dentry, &self.mount.root)
    }

    /// The root of whatever is mounted here, topmost; or this place itself.
    pub fn cross_mounts(self) -> Path {
        let mut at = self;
        while let Some(mount) = at.mount.mounted_on(&at.dentry) {
            at = mount.root_path();
        }
        at
    }

    /// One step up, as `..` takes it, but never above `root`, nor above the top of the mount tree.
    pub fn up(self, root: &Path) -> Path {
        let mut at = self;
        while at != *root {
            if !at.is_mount_root() {
                if let Some(parent) = at.dentry.parent() {
                    return Path { mount: at.mount, dentry: parent }.cross_mounts();
                }
                return at;
            }
            match at.mount.point() {
                Some(point) => at = point,
                None => return at,
            }
        }
        at
    }

    /// True when `self` is `other` or lies below it, through mounts.
    pub fn is_below(&self, other: &Path) -> bool {
        let mut at = self.clone();
        loop {
            if Arc::ptr_eq(&at.mount, &other.mount) {
                return other.dentry.is_ancestor_of(&at.dentry);
            }
            match at.mount.point() {
                Some(point) => at = point,
                None => return false,
            }
        }
    }

    /// The absolute name as seen from `root`, e.g. `/bin/sh`. `None` when the place cannot be reached from `root` (another namespace, a
    /// lazily detached mount, outside a chroot).
    pub fn text_from(&self, root: &Path) -> Option<Vec<u8>> {
        let (text, reached) = self.spell(root);
        reached.then_some(text)
    }

    /// The names from `root`, or else from the top of the mount tree, down to here; and whether `root` was met.
    fn spell(&self, root: &Path) -> (Vec<u8>, bool) {
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        let mut at = self.clone();
        while at != *root {
            let above = if at.is_mount_root() {
                at.mount.point()
            } else {
                names.push(at.dentry.name());
                at.dentry.parent().map(|dentry| Path { dentry, mount: at.mount.clone() })
            };
            match above {
                Some(above) => at = above,
                None => break,
            }
        }
        let mut text = Vec::new();
        for name in names.iter().rev() {
            text.push(b'/');
            text.extend_from_slice(name);
        }
        if text.is_empty() {
            text.push(b'/');
        }
        (text, at == *root)
    }

    /// What a link of `/proc/PID` shows: the name from `root` (or from the top, if `root` is not above), ` (deleted)` after a
    /// removed one; `pipe:[7]` for what has no name.
    pub fn text(&self, root: &Path) -> Vec<u8> {
        let has_no_place = !self.is_mount_root() && self.dentry.parent().is_none();
        if super::anon::is_anonymous(self) || has_no_place {
            return self.dentry.name().to_vec();
        }
        let (mut text, _) = self.spell(root);
        if self.dentry.is_dead() {
            text.extend_from_slice(b" (deleted)");
        }
        text
    }

    /// `EACCES` unless this is a regular file that may be executed here (mount not `noexec`); modes are the caller's to check.
    pub fn check_executable(&self) -> Result<()> {
        if self.inode().kind() != Kind::File || self.mount.flags().contains(MountFlags::NOEXEC) {
            return Err(Errno::EACCES.into());
        }
        Ok(())
    }
}
