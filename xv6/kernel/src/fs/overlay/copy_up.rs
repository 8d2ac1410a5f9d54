//! Copy-up: before its first change, what is only in a lower layer is made anew in the upper one.
//!
//! The copy is made whole in the work directory (content, owner, mode, attributes, times) and then renamed to its
//! place, so that a crash leaves the old file or the new one. The directories above come first. A file about to be
//! truncated is copied only as far as it stays.
//!
//! Locks: `OverlayNode::copying` of the one inode being copied; the layers' own inside it.

use super::ORIGIN;
use super::node::OverlayNode;
use crate::error::{Errno, Result};
use crate::mm::WriteBuf;
use crate::sync::{breathe, stacked};
use crate::vfs::Dentry;
use crate::vfs::inode::{Attr, InodeRef, Kind, NewNode, RenameMode, SetAttr};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use hal::frame::SIZE;

/// Pages copied between two looks at what else the CPU should do.
const BREATH: u64 = 64;

impl OverlayNode {
    /// The upper inode, made first if need be; of a file only the first `limit` bytes, if given. `EROFS` without an
    /// upper layer.
    pub(super) fn copy_up(&self, limit: Option<u64>) -> Result<Arc<Dentry>> {
        if let Some(upper) = self.upper() {
            return Ok(upper);
        }
        let mut missing = vec![self.shared()];
        while let Some(last) = missing.last() {
            let parent = last.state.lock().parent.clone();
            match parent {
                Some(parent) if parent.upper().is_none() => missing.push(parent),
                _ => break,
            }
        }
        while let Some(node) = missing.pop() {
            node.copy_up_one(if missing.is_empty() { limit } else { None })?;
        }
        self.upper().ok_or(Errno::EROFS.into())
    }

    /// Copies this one up; its directory is there already.
    fn copy_up_one(&self, limit: Option<u64>) -> Result<()> {
        let upper = self.fs.upper()?;
        let _one = self.copying.lock();
        if self.upper().is_some() {
            return Ok(());
        }
        let (parent, name, unlinked) = {
            let state = self.state.lock();
            (state.parent.clone(), state.name.clone(), state.unlinked)
        };
        let dir = parent.and_then(|parent| parent.upper()).ok_or(Errno::EROFS)?;
        let from = &self.lowers[0].inode;
        stacked(|| {
            let temporary = self.fs.temporary();
            let attr = from.attr()?;
            let target = if attr.kind == Kind::Symlink { from.read_link()? } else { Vec::new() };
            let node = NewNode {
                kind: attr.kind,
                mode: attr.mode,
                uid: attr.uid,
                gid: attr.gid,
                rdev: attr.rdev,
                target: &target,
            };
            let made = upper.work.create(temporary.as_bytes(), &node)?;
            let placed = self.fill(from, &attr, made.inode(), limit).and_then(|()| {
                if unlinked {
                    return upper.work.unlink(temporary.as_bytes());
                }
                // The directory has not changed for whoever looks at the overlay: its times stay.
                let before = dir.inode().attr()?;
                upper.work.rename(temporary.as_bytes(), &dir, &name, RenameMode::NoReplace)?;
                let times = SetAttr { atime: Some(before.atime), mtime: Some(before.mtime), ..SetAttr::default() };
                let _ = dir.inode().set_attr(&times);
                Ok(())
            });
            if let Err(error) = placed {
                self.fs.discard(temporary.as_bytes());
                return Err(error);
            }
            let ino = made.inode().attr()?.ino;
            self.set_upper(made, ino);
            Ok(())
        })
    }

    /// Gives the copy `to` all that `from` has.
    fn fill(&self, from: &InodeRef, attr: &Attr, to: &InodeRef, limit: Option<u64>) -> Result<()> {
        if attr.kind == Kind::File {
            copy_content(from, to, limit.map_or(attr.size, |limit| limit.min(attr.size)))?;
        }
        for name in from.list_xattrs()? {
            if !name.starts_with(b"trusted.overlay.") {
                to.set_xattr(&name, &from.get_xattr(&name)?)?;
            }
        }
        // A name of several loses its number with the link that the copy breaks.
        if attr.kind == Kind::Directory || attr.nlink <= 1 {
            match to.set_xattr(ORIGIN, &self.ino.to_le_bytes()) {
                Err(error) if ![Errno::EOPNOTSUPP, Errno::EPERM].contains(&error.errno) => return Err(error),
                _ => {}
            }
        }
        to.set_attr(&SetAttr {
            mode: (attr.kind != Kind::Symlink).then_some(attr.mode),
            uid: Some(attr.uid),
            gid: Some(attr.gid),
            size: None,
            atime: Some(attr.atime),
            mtime: Some(attr.mtime),
        })
    }
}

/// Copies the first `size` bytes, page by page; pages of zeros stay holes.
fn copy_content(from: &InodeRef, to: &InodeRef, size: u64) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let no_pages = Errno::EOPNOTSUPP.during("copying up a file without pages");
    let (source, sink) = (from.pages().ok_or(no_pages)?, to.pages().ok_or(no_pages)?);
    let mut page = vec![0; SIZE];
    for index in 0..size.div_ceil(SIZE as u64) {
        if index % BREATH == BREATH - 1 {
            breathe();
        }
        let offset = index * SIZE as u64;
        let len = (size - offset).min(SIZE as u64) as usize;
        source.get(index)?.read(0, &mut page);
        if page[..len].iter().any(|byte| *byte != 0) {
            let mut buf = WriteBuf::kernel(&page[..len]);
            while buf.remaining() > 0 {
                let done = buf.done() as u64;
                sink.write(&mut buf, offset + done)?;
            }
        }
    }
    if sink.size() != size {
        to.set_attr(&SetAttr { size: Some(size), ..SetAttr::default() })?;
    }
    Ok(())
}
