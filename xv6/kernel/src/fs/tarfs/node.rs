//! Inodes of a mounted tar file: [`TarNode`], a view of one node of the index, and [`Content`], a file's pages.
//!
//! Locks: none of its own.

use super::TarFs;
use super::index::Node;
use crate::error::{Errno, Result};
use crate::mm::{PageCache, PageSource};
use crate::vfs::census::{self, Counted};
use crate::vfs::devnum;
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind};
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use hal::frame::{Frame, SIZE};

/// One file, directory, symlink or device of an archive.
pub struct TarNode {
    _counted: Counted,
    fs: Arc<TarFs>,
    number: u32,
    content: Option<Arc<Content>>,
}

/// The content of one file, which the mounted archive owns and so does not keep alive: inodes do.
pub(super) struct Content {
    fs: Weak<TarFs>,
    number: u32,
    pages: Arc<PageCache>,
}

impl TarNode {
    /// The inode of node `number`, made if it is not in use.
    pub(super) fn get(fs: &TarFs, number: u32) -> Arc<TarNode> {
        let fs = fs.this.upgrade().expect("a borrowed file system is alive");
        if let Some(node) = fs.nodes.lock().get(&number).and_then(Weak::upgrade) {
            return node;
        }
        let content = (fs.index.nodes[number as usize].kind == Kind::File).then(|| Content::get(&fs, number));
        let made = Arc::new(TarNode { _counted: census::INODES.count(), number, content, fs: fs.clone() });
        let mut nodes = fs.nodes.lock();
        if let Some(other) = nodes.get(&number).and_then(Weak::upgrade) {
            drop(nodes);
            return other;
        }
        nodes.insert(number, Arc::downgrade(&made));
        drop(nodes);
        made
    }

    fn node(&self) -> &Node {
        &self.fs.index.nodes[self.number as usize]
    }
}

impl Drop for TarNode {
    fn drop(&mut self) {
        let mut nodes = self.fs.nodes.lock();
        if nodes.get(&self.number).is_some_and(|node| node.strong_count() == 0) {
            nodes.remove(&self.number);
        }
    }
}

impl Content {
    /// The content of file `number`, made if nobody has used it yet.
    fn get(fs: &TarFs, number: u32) -> Arc<Content> {
        if let Some(content) = fs.contents.lock().get(&number) {
            return content.clone();
        }
        let made = Arc::new_cyclic(|this: &Weak<Content>| {
            let source: Weak<dyn PageSource> = this.clone();
            let pages = PageCache::new(source, fs.index.nodes[number as usize].size);
            Content { fs: fs.this.clone(), number, pages }
        });
        // Whoever was faster counts.
        fs.contents.lock().entry(number).or_insert(made).clone()
    }
}

impl PageSource for Content {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        let fs = self.fs.upgrade().ok_or(Errno::EIO.during("reading an archive that is gone"))?;
        let node = &fs.index.nodes[self.number as usize];
        let mut page = vec![0; SIZE];
        for (index, frame) in (first..).zip(frames) {
            let offset = index.saturating_mul(SIZE as u64);
            let len = node.size.saturating_sub(offset).min(SIZE as u64) as usize;
            if len > 0 {
                fs.tar.read_at(node.data + offset, &mut page[..len])?;
            }
            page[len..].fill(0);
            frame.write(0, &page);
        }
        Ok(())
    }
}

impl Inode for TarNode {
    fn attr(&self) -> Result<Attr> {
        let node = self.node();
        Ok(Attr {
            ino: u64::from(self.number) + 1,
            dev: self.fs.dev,
            kind: node.kind,
            mode: node.mode,
            nlink: node.nlink,
            uid: node.uid,
            gid: node.gid,
            rdev: devnum::make(node.device.0, node.device.1),
            size: node.size,
            blocks: node.size.div_ceil(512),
            atime: node.mtime,
            mtime: node.mtime,
            ctime: node.mtime,
        })
    }

    fn kind(&self) -> Kind {
        self.node().kind
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        match self.node().children.get(name) {
            Some(number) => Ok(TarNode::get(&self.fs, *number)),
            None if self.kind() == Kind::Directory => Err(Errno::ENOENT.into()),
            None => Err(Errno::ENOTDIR.into()),
        }
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
        for (next, (name, number)) in (cursor.saturating_add(1)..).zip(self.node().children.iter().skip(skip)) {
            let kind = self.fs.index.nodes[*number as usize].kind;
            if !sink(DirEntry { ino: u64::from(*number) + 1, kind, name, next }) {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        match self.kind() {
            Kind::Symlink => Ok(self.node().target.to_vec()),
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        self.content.as_ref().map(|content| content.pages.clone())
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        if name == b"trusted.overlay.opaque" {
            return if self.node().opaque { Ok(b"y".to_vec()) } else { Err(Errno::ENODATA.into()) };
        }
        let found = self.node().xattrs.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value.to_vec()).ok_or(Errno::ENODATA.into())
    }

    fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        Ok(self.node().xattrs.iter().map(|(name, _)| name.to_vec()).collect())
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
