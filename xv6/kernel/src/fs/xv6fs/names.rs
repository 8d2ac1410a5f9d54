//! Names in an xv6fs directory: lookup, create, link, unlink, rename, listing.
//!
//! Each call does the library's, then refreshes the inodes in use that it changed, all under the volume's lock.

use super::failed;
use super::inode::{XvInode, kind, now};
use crate::error::{Errno, Result};
use crate::vfs::inode::{DirEntry, InodeRef, Kind, NewNode, RenameMode};
use alloc::vec::Vec;
use xv6fs::{Ino, RenameFlags};

/// Entries taken from the volume at once, before they are shown.
const BATCH: usize = 64;

/// Another inode of the same instance.
fn same_fs<'a>(this: &XvInode, other: &'a InodeRef) -> Result<&'a XvInode> {
    let other = other.as_any().downcast_ref::<XvInode>().ok_or(Errno::EXDEV)?;
    if alloc::sync::Arc::ptr_eq(&this.fs, &other.fs) { Ok(other) } else { Err(Errno::EXDEV.into()) }
}

fn disk_kind(kind: Kind) -> xv6fs::Kind {
    match kind {
        Kind::Fifo => xv6fs::Kind::Fifo,
        Kind::CharDevice => xv6fs::Kind::CharDev,
        Kind::Directory => xv6fs::Kind::Dir,
        Kind::BlockDevice => xv6fs::Kind::BlockDev,
        Kind::File => xv6fs::Kind::File,
        Kind::Symlink => xv6fs::Kind::Symlink,
        Kind::Socket => xv6fs::Kind::Socket,
    }
}

/// An entry taken out of the volume.
struct Taken {
    ino: Ino,
    kind: Kind,
    name: Vec<u8>,
    next: u64,
}

impl XvInode {
    pub(super) fn look_up(&self, name: &[u8]) -> Result<InodeRef> {
        let mut volume = self.fs.lock();
        let ino = volume.lookup(self.ino, name).map_err(failed)?;
        Ok(self.fs.inode(&mut volume, ino)?)
    }

    pub(super) fn make(&self, name: &[u8], node: &NewNode<'_>) -> Result<InodeRef> {
        let node = xv6fs::NewNode {
            kind: disk_kind(node.kind),
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            rdev: node.rdev,
            target: node.target,
        };
        self.fs.change(|volume| {
            let ino = volume.create(self.ino, name, &node, now()).map_err(failed)?;
            self.refresh(volume)?;
            let inode: InodeRef = self.fs.inode(volume, ino)?;
            Ok(inode)
        })
    }

    pub(super) fn add_name(&self, name: &[u8], target: &InodeRef) -> Result<()> {
        let target = same_fs(self, target)?;
        self.fs.change(|volume| {
            volume.link(target.ino, self.ino, name, now()).map_err(failed)?;
            target.refresh(volume)?;
            self.refresh(volume)
        })
    }

    /// Removes `name` by the library's `call`, which gives the inode that had it.
    pub(super) fn remove(
        &self,
        name: &[u8],
        call: impl FnOnce(&mut super::Volume, i64) -> xv6fs::Result<Ino>,
    ) -> Result<()> {
        debug_assert!(!name.is_empty());
        let gone = self.fs.change(|volume| {
            let ino = call(volume, now()).map_err(failed)?;
            self.refresh(volume)?;
            let gone = self.fs.cached(ino);
            if let Some(gone) = &gone {
                gone.refresh(volume)?;
            }
            Ok(gone)
        })?;
        drop(gone);
        Ok(())
    }

    pub(super) fn move_name(&self, name: &[u8], new_dir: &InodeRef, new_name: &[u8], mode: RenameMode) -> Result<()> {
        let to = same_fs(self, new_dir)?;
        let flags = match mode {
            RenameMode::Replace => RenameFlags::Replace,
            RenameMode::NoReplace => RenameFlags::NoReplace,
            RenameMode::Exchange => RenameFlags::Exchange,
        };
        let changed = self.fs.change(|volume| {
            let ends = [(self.ino, name), (to.ino, new_name)].map(|(dir, name)| volume.lookup(dir, name).ok());
            volume.rename(self.ino, name, to.ino, new_name, flags, now()).map_err(failed)?;
            let changed: Vec<_> = ends.into_iter().flatten().filter_map(|ino| self.fs.cached(ino)).collect();
            for inode in &changed {
                inode.refresh(volume)?;
            }
            to.refresh(volume)?;
            self.refresh(volume)?;
            Ok(changed)
        })?;
        drop(changed);
        Ok(())
    }

    /// Entries go to `sink` with no lock held: it may fault on user memory.
    pub(super) fn list(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        // The library's first two are the dots, which the VFS shows itself.
        let mut cursor = cursor.max(2);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let mut take = |e: xv6fs::DirEntry<'_>| {
                let more = batch.len() < BATCH;
                if more {
                    batch.push(Taken { ino: e.ino, kind: kind(e.kind), name: e.name.to_vec(), next: e.next });
                }
                more
            };
            self.fs.lock().read_dir(self.ino, cursor, &mut take).map_err(failed)?;
            let Some(last) = batch.last() else { return Ok(()) };
            cursor = last.next;
            for e in batch.drain(..) {
                if !sink(DirEntry { ino: u64::from(e.ino), kind: e.kind, name: &e.name, next: e.next }) {
                    return Ok(());
                }
            }
        }
    }
}
