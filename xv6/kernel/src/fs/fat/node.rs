//! Inodes of a FAT volume: [`Node`], a file or a directory.
//!
//! An inode's number is where its 8.3 entry lies on the volume, so it stays the same from mount to mount. A file's
//! pages are read run by run, straight into the frames of the page cache; a directory is parsed once, at its first use,
//! since nothing changes.
//!
//! Locks: none of its own; what is computed late sits in `Once`s.

use super::Fat;
use super::bpb::Root;
use super::dir::{Entry, fold, parse};
use super::table::Run;
use crate::error::{Errno, Result};
use crate::mm::{PageCache, PageSource};
use crate::vfs::census::{self, Counted};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, Time};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use hal::frame::{Frame, SIZE};
use hal::sync::Once;

/// The largest directory the format allows: 65,536 entries.
const MAX_DIRECTORY: u64 = 65_536 * 32;

/// The root's inode number; others are byte offsets of entries divided by 32, which the boot sector keeps above this.
const ROOT_INO: u64 = 1;

/// A file or directory.
pub struct Node {
    _counted: Counted,
    fs: Arc<Fat>,
    ino: u64,
    /// What its directory says; `None` for the root.
    entry: Option<Entry>,
    runs: Once<Vec<Run>>,
    listing: Once<Listing>,
    pages: Option<Arc<PageCache>>,
}

/// A parsed directory.
struct Listing {
    entries: Vec<(u64, Entry)>,
    /// Folded long and short names.
    names: BTreeMap<String, usize>,
}

impl Node {
    /// The root directory's inode.
    pub(super) fn root(fs: &Fat) -> Arc<Node> {
        Node::get(fs, ROOT_INO, None)
    }

    /// The inode `ino`, made if it is not in use.
    fn get(fs: &Fat, ino: u64, entry: Option<&Entry>) -> Arc<Node> {
        let fs = fs.this.upgrade().expect("a borrowed file system is alive");
        if let Some(node) = fs.nodes.lock().get(&ino).and_then(Weak::upgrade) {
            return node;
        }
        let node = Arc::new_cyclic(|this: &Weak<Node>| {
            let source: Weak<dyn PageSource> = this.clone();
            let file = entry.filter(|entry| !entry.is_dir);
            Node {
                _counted: census::INODES.count(),
                ino,
                entry: entry.cloned(),
                runs: Once::new(),
                listing: Once::new(),
                pages: file.map(|entry| PageCache::new(source, u64::from(entry.size))),
                fs: fs.clone(),
            }
        });
        // Another thread may have been faster; its inode counts, and ours goes after the lock is free.
        let mut nodes = fs.nodes.lock();
        if let Some(other) = nodes.get(&ino).and_then(Weak::upgrade) {
            drop(nodes);
            return other;
        }
        nodes.insert(ino, Arc::downgrade(&node));
        drop(nodes);
        node
    }

    fn size(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| u64::from(entry.size))
    }

    fn runs(&self) -> Result<&[Run]> {
        if let Some(runs) = self.runs.get() {
            return Ok(runs);
        }
        let fs = &self.fs;
        let chain = |cluster, bytes| fs.table.runs(&*fs.volume, cluster, bytes, MAX_DIRECTORY);
        let runs = match (&self.entry, fs.geometry.root) {
            (Some(entry), _) if entry.is_dir => chain(entry.cluster, None)?,
            (Some(entry), _) => chain(entry.cluster, Some(u64::from(entry.size)))?,
            (None, Root::Chain(cluster)) => chain(cluster, None)?,
            (None, Root::Area(disk, len)) => vec![Run { file: 0, disk, len }],
        };
        Ok(self.runs.call_once(|| runs))
    }

    fn listing(&self) -> Result<&Listing> {
        if let Some(listing) = self.listing.get() {
            return Ok(listing);
        }
        if self.entry.as_ref().is_some_and(|entry| !entry.is_dir) {
            return Err(Errno::ENOTDIR.into());
        }
        let runs = self.runs()?;
        let len = runs.last().map_or(0, |last| last.file + last.len);
        let mut raw = vec![0; len as usize];
        for run in runs {
            self.fs.volume.read_at(run.disk, &mut raw[run.file as usize..][..run.len as usize])?;
        }
        let mut listing = Listing { entries: Vec::new(), names: BTreeMap::new() };
        for entry in parse(&raw) {
            let at = u64::from(entry.slot) * 32;
            let run = runs.iter().rfind(|run| run.file <= at).ok_or(Errno::EUCLEAN)?;
            let name = fold(&entry.name);
            if listing.names.contains_key(&name) {
                continue;
            }
            listing.names.insert(name, listing.entries.len());
            listing.entries.push(((run.disk + at - run.file) / 32, entry));
        }
        // A short name finds a file only where no other file's long name does.
        for (index, (_, entry)) in listing.entries.iter().enumerate() {
            listing.names.entry(fold(&entry.short)).or_insert(index);
        }
        Ok(self.listing.call_once(|| listing))
    }

    /// Fills one frame whose bytes lie in several runs, or past the end.
    fn read_scattered(&self, runs: &[Run], offset: u64, frame: &Frame) -> Result<()> {
        let mut page = vec![0; SIZE];
        let end = self.size().min(offset + SIZE as u64);
        for run in runs {
            let from = run.file.max(offset);
            let to = (run.file + run.len).min(end);
            if from < to {
                let part = &mut page[(from - offset) as usize..(to - offset) as usize];
                self.fs.volume.read_at(run.disk + (from - run.file), part)?;
            }
        }
        frame.write(0, &page);
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut nodes = self.fs.nodes.lock();
        if nodes.get(&self.ino).is_some_and(|node| node.strong_count() == 0) {
            nodes.remove(&self.ino);
        }
    }
}

impl PageSource for Node {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        let runs = self.runs()?;
        let size = self.size();
        let mut done = 0;
        while done < frames.len() {
            let offset = (first + done as u64) * SIZE as u64;
            let at = runs.partition_point(|run| run.file + run.len <= offset);
            // Whole pages that are contiguous on the volume go straight into their frames.
            let whole = runs
                .get(at)
                .map_or(0, |run| (run.file + run.len).min(size).saturating_sub(offset.max(run.file)) / SIZE as u64);
            let count = (whole as usize).min(frames.len() - done);
            if count > 0 && runs[at].file <= offset {
                let disk = runs[at].disk + (offset - runs[at].file);
                self.fs.volume.read_frames(disk, &mut frames[done..done + count])?;
                done += count;
            } else {
                self.read_scattered(runs.get(at..).unwrap_or(&[]), offset, &frames[done])?;
                done += 1;
            }
        }
        Ok(())
    }
}

impl Inode for Node {
    fn attr(&self) -> Result<Attr> {
        let size = self.size();
        let cluster = self.fs.geometry.cluster;
        let (mtime, atime, ctime) =
            self.entry.as_ref().map_or((Time::default(), Time::default(), Time::default()), |entry| {
                (entry.mtime, entry.atime, entry.ctime)
            });
        Ok(Attr {
            ino: self.ino,
            dev: self.fs.dev,
            kind: self.kind(),
            mode: if self.entry.as_ref().is_some_and(|entry| entry.read_only) { 0o555 } else { 0o755 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            blocks: size.div_ceil(cluster) * (cluster / 512),
            atime,
            mtime,
            ctime,
        })
    }

    fn kind(&self) -> Kind {
        if self.pages.is_some() { Kind::File } else { Kind::Directory }
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        let listing = self.listing()?;
        let name = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        let index = *listing.names.get(&fold(name)).ok_or(Errno::ENOENT)?;
        let (ino, entry) = &listing.entries[index];
        Ok(Node::get(&self.fs, *ino, Some(entry)))
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let entries = &self.listing()?.entries;
        let start = usize::try_from(cursor).unwrap_or(usize::MAX).min(entries.len());
        for (next, (ino, entry)) in (cursor + 1..).zip(&entries[start..]) {
            let kind = if entry.is_dir { Kind::Directory } else { Kind::File };
            if !sink(DirEntry { ino: *ino, kind, name: entry.name.as_bytes(), next }) {
                break;
            }
        }
        Ok(())
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        self.pages.clone()
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
