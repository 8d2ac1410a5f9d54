//! [`OverlayNode`]: an inode of an overlay, and what it passes on to the inode of the layer that it stands for.
//!
//! Locks: `state` is a spin lock held to look or to change a field; `copying` a sleeping one, see `copy_up`.

use super::listing::Listing;
use super::{Key, ORIGIN, Overlay};
use crate::error::{Errno, Result};
use crate::mm::PageCache;
use crate::sync::{self, Mutex};
use crate::vfs::Dentry;
use crate::vfs::census::{self, Counted};
use crate::vfs::file::{FileOps, OpenFlags};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, NewNode, Owner, RenameMode, SetAttr};
use crate::vfs::text::Usage;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use hal::sync::{Rank, SpinLock};

/// What a lower layer has in an inode.
#[derive(Clone)]
pub struct Lower {
    /// Which layer; 0 is the topmost.
    pub layer: usize,
    /// The inode there.
    pub inode: InodeRef,
}

/// An inode of an overlay.
pub struct OverlayNode {
    _counted: Counted,
    usage: Usage,
    pub(super) fs: Arc<Overlay>,
    pub(super) ino: u64,
    kind: Kind,
    /// The directories to merge, topmost first; of a file at most one. They never change.
    pub(super) lowers: Vec<Lower>,
    /// Under what it was first found.
    key: Key,
    this: Weak<OverlayNode>,
    pub(super) state: SpinLock<State>,
    /// One copy-up at a time.
    pub(super) copying: Mutex<()>,
    pub(super) listing: SpinLock<Listing>,
}

/// What changes in an inode.
pub struct State {
    /// The upper inode, if there is one yet.
    pub upper: Option<Arc<Dentry>>,
    /// Its number in the upper layer, once there was one.
    pub upper_ino: Option<u64>,
    /// The directory it was found in: where a copy-up goes (nothing is renamed before it is copied up). `None` for the
    /// root.
    pub parent: Option<Arc<OverlayNode>>,
    /// Its name there.
    pub name: Box<[u8]>,
    /// It has no name any more.
    pub unlinked: bool,
}

/// The inode number that the overlay shows for `ino` of a lower layer: the layer's own, with the layer on top.
pub(super) fn lower_ino(layer: usize, ino: u64) -> u64 {
    (layer as u64 + 1) << 48 ^ ino
}

/// The inode number that the overlay shows for an upper inode: the one it had in a lower layer, if it was copied up.
pub(super) fn upper_ino(inode: &dyn Inode, ino: u64) -> u64 {
    inode.get_xattr(ORIGIN).ok().and_then(|value| value.try_into().ok()).map_or(ino, u64::from_le_bytes)
}

impl Overlay {
    /// The inode that stands for `upper` and `lowers` (not both empty), found in `parent` as `name`; made if it is not
    /// in use.
    pub(super) fn node(
        self: &Arc<Self>,
        kind: Kind,
        upper: Option<Arc<Dentry>>,
        lowers: Vec<Lower>,
        parent: Option<&Arc<OverlayNode>>,
        name: &[u8],
    ) -> Result<Arc<OverlayNode>> {
        let (key, ino) = match (&upper, lowers.first()) {
            (Some(upper), _) => {
                let ino = upper.inode().attr()?.ino;
                (Key::Upper(ino), upper_ino(&**upper.inode(), ino))
            }
            (None, Some(lower)) => {
                let attr = lower.inode.attr()?;
                let key = match parent {
                    Some(parent) if kind != Kind::Directory && attr.nlink > 1 => Key::Name(parent.ino, name.into()),
                    _ => Key::Lower(lower.layer, attr.ino),
                };
                (key, lower_ino(lower.layer, attr.ino))
            }
            (None, None) => return Err(Errno::ENOENT.into()),
        };
        if let Some(node) = self.inodes.lock().get(&key).and_then(Weak::upgrade) {
            return Ok(node);
        }
        let upper_ino = if let Key::Upper(ino) = key { Some(ino) } else { None };
        let state = State { upper, upper_ino, parent: parent.cloned(), name: name.into(), unlinked: false };
        let made = Arc::new_cyclic(|this| OverlayNode {
            _counted: census::INODES.count(),
            usage: Usage::new(),
            this: this.clone(),
            fs: self.clone(),
            ino,
            kind,
            lowers,
            key: key.clone(),
            state: SpinLock::new(Rank::Inode, "overlay inode", state),
            copying: Mutex::new(sync::Rank::CopyUp, "copy-up", ()),
            listing: SpinLock::new(Rank::Inode, "overlay listing", Listing::default()),
        });
        let mut inodes = self.inodes.lock();
        // Whoever was faster counts; what we made goes after the lock is free.
        if let Some(other) = inodes.get(&key).and_then(Weak::upgrade) {
            drop(inodes);
            return Ok(other);
        }
        inodes.insert(key, Arc::downgrade(&made));
        drop(inodes);
        Ok(made)
    }
}

impl OverlayNode {
    /// The upper inode's dentry, if there is one yet.
    pub(super) fn upper(&self) -> Option<Arc<Dentry>> {
        self.state.lock().upper.clone()
    }

    /// The inode of a layer that this one stands for.
    pub(super) fn real(&self) -> InodeRef {
        match &self.state.lock().upper {
            Some(upper) => upper.inode().clone(),
            None => self.lowers[0].inode.clone(),
        }
    }

    /// True for a directory that several layers, or a lower one alone, have a part in.
    pub(super) fn has_lower(&self) -> bool {
        !self.lowers.is_empty()
    }

    /// The same inode, counted.
    pub(super) fn shared(&self) -> Arc<OverlayNode> {
        self.this.upgrade().expect("a borrowed inode is alive")
    }

    /// Notes that the inode now stands for `upper`.
    pub(super) fn set_upper(&self, upper: Arc<Dentry>, ino: u64) {
        {
            let mut state = self.state.lock();
            state.upper = Some(upper);
            state.upper_ino = Some(ino);
        }
        let old = self.fs.inodes.lock().insert(Key::Upper(ino), self.this.clone());
        drop(old);
    }
}

impl Drop for OverlayNode {
    /// Leaves the table, and lets go of the directories above in a loop: they may be deeper than the kernel stack.
    fn drop(&mut self) {
        let upper_key = self.state.get_mut().upper_ino.map(Key::Upper);
        let mut inodes = self.fs.inodes.lock();
        for key in [Some(self.key.clone()), upper_key].into_iter().flatten() {
            if inodes.get(&key).is_some_and(|node| node.strong_count() == 0) {
                inodes.remove(&key);
            }
        }
        drop(inodes);
        let mut parent = self.state.get_mut().parent.take();
        while let Some(node) = parent {
            parent = Arc::into_inner(node).and_then(|mut node| node.state.get_mut().parent.take());
        }
    }
}

impl Inode for OverlayNode {
    fn attr(&self) -> Result<Attr> {
        let (real, unlinked) = {
            let state = self.state.lock();
            (
                state.upper.as_ref().map_or_else(|| self.lowers[0].inode.clone(), |upper| upper.inode().clone()),
                state.unlinked,
            )
        };
        let mut attr = real.attr()?;
        attr.ino = self.ino;
        attr.dev = self.fs.dev();
        if unlinked && self.upper().is_none() {
            attr.nlink = 0;
        } else if self.kind == Kind::Directory && self.has_lower() {
            // Nobody counts the subdirectories of a merged directory; 1 tells find(1) and its like not to rely on it.
            attr.nlink = 1;
        }
        Ok(attr)
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn owner(&self) -> Result<Owner> {
        self.real().owner()
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        self.copy_up(change.size)?.inode().set_attr(change)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<u64> {
        self.copy_up(None)?.inode().allocate(offset, len)
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        let node: InodeRef = self.find(name)?;
        Ok(node)
    }

    fn create(&self, name: &[u8], node: &NewNode<'_>) -> Result<InodeRef> {
        let made: InodeRef = self.create_entry(name, node)?;
        Ok(made)
    }

    fn link(&self, name: &[u8], target: &InodeRef) -> Result<()> {
        self.link_entry(name, overlay_node(target)?)
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        self.remove_entry(name)
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        self.remove_entry(name)
    }

    fn rename(&self, name: &[u8], new_dir: &InodeRef, new_name: &[u8], mode: RenameMode) -> Result<()> {
        self.rename_entry(name, overlay_node(new_dir)?, new_name, mode)
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        self.list(cursor, sink)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        self.real().read_link()
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        self.real().pages()
    }

    fn open(&self, flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        if self.kind != Kind::File {
            return Ok(None);
        }
        if flags.intersects(OpenFlags::WRONLY | OpenFlags::RDWR | OpenFlags::TRUNC) && !flags.contains(OpenFlags::PATH)
        {
            self.copy_up(flags.contains(OpenFlags::TRUNC).then_some(0))?;
        }
        self.real().open(flags)
    }

    fn sync(&self) -> Result<()> {
        self.upper().map_or(Ok(()), |upper| upper.inode().sync())
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        if name.starts_with(b"trusted.overlay.") {
            return Err(Errno::ENODATA.into());
        }
        self.real().get_xattr(name)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8]) -> Result<()> {
        if name.starts_with(b"trusted.overlay.") {
            return Err(Errno::EPERM.into());
        }
        self.copy_up(None)?.inode().set_xattr(name, value)
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.get_xattr(name)?;
        self.copy_up(None)?.inode().remove_xattr(name)
    }

    fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        let mut names = self.real().list_xattrs()?;
        names.retain(|name| !name.starts_with(b"trusted.overlay."));
        Ok(names)
    }

    fn usage(&self) -> Option<&Usage> {
        Some(&self.usage)
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An inode of an overlay as what it is.
fn overlay_node(inode: &InodeRef) -> Result<&OverlayNode> {
    inode.as_any().downcast_ref().ok_or(Errno::EXDEV.into())
}
