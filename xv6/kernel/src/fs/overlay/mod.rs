//! overlayfs: lower layers that never change, and an upper one that takes every change (Linux's overlayfs.rst).
//!
//! Key types: [`Overlay`], one mounted overlay; [`node::OverlayNode`], its inode, which stands for an upper inode, a
//! lower one, or a directory merged of several. A file is copied up before its first change (`copy_up`): made whole in
//! the work directory, then renamed into place. What is removed but still in a lower layer is hidden by a *whiteout*, a
//! character device 0:0; a directory that hides what lies below it is *opaque* (`trusted.overlay.opaque`). An unchanged
//! file's pages are the lower file's own, so containers share them.
//!
//! A directory that a lower layer has a part in is not renamed (`EXDEV`, as Linux without `redirect_dir`; programs then
//! copy). A hard link in a lower layer is broken by a copy-up (as Linux without `index`). Inode numbers are the layers'
//! own with the layer's number on top, kept across a copy-up by `trusted.overlay.origin`.
//!
//! Neighbours: lower layers are read as inodes; the upper one is changed through its dentries, so that who looks at it
//! directly sees the same.
//! Locks: the VFS holds the overlay's directory locks around changes; `OverlayNode::copying` (sleeping) serialises
//! copy-ups of one inode; inside, the upper layer's locks form a new level of the order (`sync::stacked`). `inodes` and
//! `state` are spin locks held for a look only.

mod change;
mod copy_up;
mod listing;
mod lookup;
mod mount;
mod node;
mod options;
mod rename;
#[cfg(test)]
mod tests;
mod work;

use crate::error::Result;
use crate::vfs::inode::{FileSystem, Inode, InodeRef, Kind, StatFs};
use crate::vfs::{Dentry, Path, Superblock};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::AtomicU64;
use hal::sync::SpinLock;
pub use mount::TYPE;
use node::{Lower, OverlayNode};

/// statfs(2)'s `f_type` of overlayfs.
const MAGIC: u64 = 0x794c_7630;
/// The attribute that makes a directory opaque.
const OPAQUE: &[u8] = b"trusted.overlay.opaque";
/// The attribute that keeps the inode number of a copied-up file.
const ORIGIN: &[u8] = b"trusted.overlay.origin";
/// Overlays on overlays, at most (each level takes kernel stack; as Linux).
const MAX_DEPTH: usize = 2;

/// One mounted overlay.
pub struct Overlay {
    dev: u64,
    /// Overlays below this one.
    depth: usize,
    lower: Vec<Layer>,
    upper: Option<Upper>,
    options: Vec<u8>,
    inodes: SpinLock<BTreeMap<Key, Weak<OverlayNode>>>,
    next_temporary: AtomicU64,
    this: Weak<Overlay>,
}

/// A layer's directory. It keeps its file system, not the mount that it was found through: the overlay may hang on that, and both would keep each
/// other for ever (Linux has a private clone of the mount for each layer).
struct Layer {
    _superblock: Arc<Superblock>,
    dentry: Arc<Dentry>,
}

impl From<Path> for Layer {
    fn from(path: Path) -> Layer {
        Layer { _superblock: path.mount.superblock.clone(), dentry: path.dentry }
    }
}

/// The layer that takes changes.
struct Upper {
    root: Layer,
    /// The folder for half-made things, on the same file system.
    work: Arc<Dentry>,
    _claim: Claim,
}

/// An upper and a work directory in use: no other overlay gets them while this lives.
struct Claim {
    dentries: [Arc<Dentry>; 2],
}

/// What finds an inode in use: an inode that was copied up has two keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    /// An inode of the upper layer.
    Upper(u64),
    /// An inode of a lower layer with one name: layer and number.
    Lower(usize, u64),
    /// A name of a lower inode with several: the copy-up of one name leaves the others alone. The directory's number,
    /// and the name.
    Name(u64, Box<[u8]>),
}

impl Overlay {
    fn upper(&self) -> Result<&Upper> {
        self.upper.as_ref().ok_or(crate::error::Errno::EROFS.into())
    }
}

impl FileSystem for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        let lowers = self
            .lower
            .iter()
            .enumerate()
            .map(|(layer, lower)| Lower { layer, inode: lower.dentry.inode().clone() })
            .collect();
        let upper = self.upper.as_ref().map(|upper| upper.root.dentry.clone());
        self.this
            .upgrade()
            .expect("a borrowed file system is alive")
            .node(Kind::Directory, upper, lowers, None, b"")
            .expect("the root's attributes were read when it was mounted")
    }

    fn statfs(&self) -> Result<StatFs> {
        let top = self.upper.as_ref().map_or(&self.lower[0], |upper| &upper.root);
        Ok(StatFs { magic: MAGIC, ..top.dentry.inode().fs().statfs()? })
    }

    fn sync(&self) -> Result<()> {
        self.upper.as_ref().map_or(Ok(()), |upper| upper.root.dentry.inode().fs().sync())
    }

    /// Nothing: the upper file system outlives the overlay, and writes what it has in its own time. Else every container would end with
    /// a commit of the whole disk.
    fn unmounted(&self) -> Result<()> {
        Ok(())
    }

    fn options(&self) -> Vec<u8> {
        self.options.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// True for a whiteout.
fn is_whiteout(inode: &dyn Inode) -> Result<bool> {
    Ok(inode.kind() == Kind::CharDevice && inode.attr()?.rdev == 0)
}

/// True for a directory that hides what lies below it.
fn is_opaque(inode: &dyn Inode) -> bool {
    inode.get_xattr(OPAQUE).is_ok_and(|value| value == b"y")
}
