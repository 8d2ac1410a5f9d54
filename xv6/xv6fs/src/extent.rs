//! Where a file's blocks are: a tree of extents, rooted in the inode.
//!
//! An extent maps `len` blocks of the file from `key` on to the disk's from `start` on. Up to 12 lie in the inode itself;
//! more go into map blocks of 340 entries each, under up to four levels. Directories use the same tree as their
//! index: a bucket is an extent of one block whose key is the smallest hash it holds (see [`crate::dir`]).
//!
//! ```text
//! entry: 0 key  4 start, or the child block  8 len, or 0
//! map block: 0 magic  4 level (u16, 0 = leaf)  6 count (u16)  8 inode  16 entries
//! ```
//! A child's entries all have keys from its index key on and below the next one; its first key may be larger.

use crate::BLOCK_SIZE;
use crate::bytes::{get_u16, get_u32, put_u16, put_u32};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::{Inode, ROOT_ENTRIES};
use crate::types::Kind;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 12;
/// Levels of map blocks: 12 * 340^3 extents are more than any disk has blocks.
pub(crate) const MAX_DEPTH: u16 = 4;

const MAGIC: u32 = 0x7874_6e74;
const ENTRIES_AT: usize = 16;
const NODE_ENTRIES: usize = (BLOCK_SIZE - ENTRIES_AT) / ENTRY;

/// `len` blocks of the file from `key` on are those of the disk from `start` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub key: u32,
    pub start: u32,
    pub len: u32,
}

impl Extent {
    /// The first key after it.
    pub(crate) fn end(&self) -> u32 {
        self.key + self.len
    }
}

/// The way from the inode to an entry: at each level the node (0 for the inode) and the index in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    nodes: [u32; MAX_DEPTH as usize + 1],
    index: [usize; MAX_DEPTH as usize + 1],
    depth: usize,
}

/// What lies at and after a key.
pub(crate) struct Found {
    /// The last extent that starts at or before the key.
    pub floor: Option<(Extent, Path)>,
    /// No extent starts after the key and before this (`u32::MAX`: none at all).
    pub next: u32,
}

fn entry(entries: &[u8], i: usize) -> Extent {
    let at = i * ENTRY;
    Extent { key: get_u32(entries, at), start: get_u32(entries, at + 4), len: get_u32(entries, at + 8) }
}

fn put_entry(entries: &mut [u8], i: usize, e: Extent) {
    put_u32(entries, i * ENTRY, e.key);
    put_u32(entries, i * ENTRY + 4, e.start);
    put_u32(entries, i * ENTRY + 8, e.len);
}

/// How many of the first `count` entries have keys at or before `key`.
fn upto(entries: &[u8], count: usize, key: u32) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let mid = low.midpoint(high);
        if get_u32(entries, mid * ENTRY) <= key { low = mid + 1 } else { high = mid }
    }
    low
}

impl<D: Disk> Fs<D> {
    /// A node's entries and how many are in use. `level` is what the node must have.
    pub(crate) fn node<'a>(&'a mut self, inode: &'a Inode, node: u32, level: usize) -> Result<(&'a [u8], usize)> {
        if node == 0 {
            return Ok((&inode.map, usize::from(inode.count)));
        }
        if !self.sb.in_data(node, 1) {
            return Err(Error::Corrupt);
        }
        let b = self.cache.get(&mut self.disk, node)?;
        let count = usize::from(get_u16(b, 6));
        let sound = get_u32(b, 0) == MAGIC
            && usize::from(get_u16(b, 4)) == level
            && get_u32(b, 8) == inode.ino
            && (1..=NODE_ENTRIES).contains(&count);
        if sound { Ok((&b[ENTRIES_AT..], count)) } else { Err(Error::Corrupt) }
    }

    /// A node's entries, to be changed.
    fn node_mut<'a>(&'a mut self, inode: &'a mut Inode, node: u32) -> Result<&'a mut [u8]> {
        if node == 0 {
            return Ok(&mut inode.map);
        }
        Ok(&mut self.cache.get_mut(&mut self.disk, node)?[ENTRIES_AT..])
    }

    fn set_count(&mut self, inode: &mut Inode, node: u32, count: usize) -> Result<()> {
        if node == 0 {
            inode.count = count as u16;
        } else {
            put_u16(self.cache.get_mut(&mut self.disk, node)?, 6, count as u16);
        }
        Ok(())
    }

    fn checked(&self, e: Extent) -> Result<Extent> {
        let sound = self.sb.in_data(e.start, e.len) && e.key.checked_add(e.len).is_some();
        if sound { Ok(e) } else { Err(Error::Corrupt) }
    }

    /// Finds what lies at `key`.
    pub(crate) fn map_find(&mut self, inode: &Inode, key: u32) -> Result<Found> {
        let depth = usize::from(inode.depth);
        let mut path = Path { nodes: [0; 5], index: [0; 5], depth };
        let mut next = u32::MAX;
        for level in 0..=depth {
            let (entries, count) = self.node(inode, path.nodes[level], depth - level)?;
            let n = upto(entries, count, key);
            if n < count {
                next = entry(entries, n).key;
                if next <= key {
                    return Err(Error::Corrupt);
                }
            }
            if n == 0 {
                // Nothing here at or before the key: the floor is the last entry of the subtree to the left.
                let floor = if level == 0 { None } else { self.last_before(inode, path, level)? };
                return Ok(Found { floor, next });
            }
            path.index[level] = n - 1;
            let e = entry(entries, n - 1);
            if level == depth {
                return Ok(Found { floor: Some((self.checked(e)?, path)), next });
            }
            path.nodes[level + 1] = e.start;
        }
        Err(Error::Corrupt)
    }

    /// The last extent before the subtree that `path` enters at `level`.
    fn last_before(&mut self, inode: &Inode, mut path: Path, level: usize) -> Result<Option<(Extent, Path)>> {
        let Some(turn) = (0..level).rev().find(|&l| path.index[l] > 0) else { return Ok(None) };
        path.index[turn] -= 1;
        for l in turn..path.depth {
            let (entries, _) = self.node(inode, path.nodes[l], path.depth - l)?;
            path.nodes[l + 1] = entry(entries, path.index[l]).start;
            let (_, count) = self.node(inode, path.nodes[l + 1], path.depth - l - 1)?;
            path.index[l + 1] = count - 1;
        }
        let (entries, _) = self.node(inode, path.nodes[path.depth], 0)?;
        let e = entry(entries, path.index[path.depth]);
        Ok(Some((self.checked(e)?, path)))
    }

    fn set_entry(&mut self, inode: &mut Inode, path: &Path, e: Extent) -> Result<()> {
        let i = path.index[path.depth];
        put_entry(self.node_mut(inode, path.nodes[path.depth])?, i, e);
        Ok(())
    }

    /// Maps blocks that were not mapped. Takes up to [`MAX_DEPTH`] + 1 blocks for the map. The caller writes the inode.
    pub(crate) fn map_insert(&mut self, inode: &mut Inode, new: Extent) -> Result<()> {
        let found = self.map_find(inode, new.key)?;
        inode.blocks = inode.blocks.checked_add(new.len).ok_or(Error::Corrupt)?;
        if let Some((e, path)) = found.floor {
            if e.key.checked_add(e.len).is_none_or(|end| end > new.key) {
                return Err(Error::Corrupt);
            }
            if inode.kind != Kind::Dir && e.end() == new.key && e.start + e.len == new.start {
                return self.set_entry(inode, &path, Extent { len: e.len + new.len, ..e });
            }
        }
        // Down to the leaf, splitting what is full, so that a parent always has room for one more.
        if usize::from(inode.count) == ROOT_ENTRIES {
            self.push_down(inode)?;
        }
        let mut node = 0;
        for level in (1..=usize::from(inode.depth)).rev() {
            let (entries, count) = self.node(inode, node, level)?;
            let i = upto(entries, count, new.key).saturating_sub(1);
            let e = entry(entries, i);
            let mut child = e.start;
            if new.key < e.key {
                put_entry(self.node_mut(inode, node)?, i, Extent { key: new.key, ..e });
            }
            let (_, child_count) = self.node(inode, child, level - 1)?;
            if child_count == NODE_ENTRIES {
                let (right_key, right) = self.split(inode, child, level - 1, new.key)?;
                self.insert_entry(inode, node, i + 1, Extent { key: right_key, start: right, len: 0 })?;
                if new.key >= right_key {
                    child = right;
                }
            }
            node = child;
        }
        let (entries, count) = self.node_or_empty(inode, node)?;
        let i = upto(entries, count, new.key);
        self.insert_entry(inode, node, i, new)
    }

    /// A leaf, which may be empty when it was just split off.
    fn node_or_empty<'a>(&'a mut self, inode: &'a Inode, node: u32) -> Result<(&'a [u8], usize)> {
        if node == 0 {
            return Ok((&inode.map, usize::from(inode.count)));
        }
        let b = self.cache.get(&mut self.disk, node)?;
        let count = usize::from(get_u16(b, 6)).min(NODE_ENTRIES);
        Ok((&b[ENTRIES_AT..], count))
    }

    fn insert_entry(&mut self, inode: &mut Inode, node: u32, i: usize, e: Extent) -> Result<()> {
        let (_, count) = self.node_or_empty(inode, node)?;
        let entries = self.node_mut(inode, node)?;
        if (count + 1) * ENTRY > entries.len() || i > count {
            return Err(Error::Corrupt);
        }
        entries.copy_within(i * ENTRY..count * ENTRY, (i + 1) * ENTRY);
        put_entry(entries, i, e);
        self.set_count(inode, node, count + 1)
    }

    fn new_node(&mut self, inode: &mut Inode, level: usize) -> Result<u32> {
        let block = self.alloc_block()?;
        let ino = inode.ino;
        inode.blocks = inode.blocks.checked_add(1).ok_or(Error::Corrupt)?;
        let b = self.cache.get_new(block)?;
        put_u32(b, 0, MAGIC);
        put_u16(b, 4, level as u16);
        put_u32(b, 8, ino);
        Ok(block)
    }

    /// Moves the inode's entries into a block of their own: the tree grows by a level.
    fn push_down(&mut self, inode: &mut Inode) -> Result<()> {
        if inode.depth == MAX_DEPTH {
            return Err(Error::TooBig);
        }
        let block = self.new_node(inode, usize::from(inode.depth))?;
        let b = self.cache.get_mut(&mut self.disk, block)?;
        b[ENTRIES_AT..][..inode.map.len()].copy_from_slice(&inode.map);
        put_u16(b, 6, inode.count);
        let key = entry(&inode.map, 0).key;
        inode.map.fill(0);
        put_entry(&mut inode.map, 0, Extent { key, start: block, len: 0 });
        inode.count = 1;
        inode.depth += 1;
        Ok(())
    }

    /// Moves the upper half of a full node into a new one; nothing at all when `key` goes behind its end, so that
    /// what grows in order fills its nodes. Gives the new node and its first key.
    fn split(&mut self, inode: &mut Inode, node: u32, level: usize, key: u32) -> Result<(u32, u32)> {
        let right = self.new_node(inode, level)?;
        let (entries, count) = self.node(inode, node, level)?;
        let at_end = upto(entries, count, key) == count && level == 0;
        let keep = if at_end { count } else { count / 2 };
        let right_key = if at_end { key } else { entry(entries, keep).key };
        let moved = entries[keep * ENTRY..count * ENTRY].to_vec();
        self.set_count(inode, node, keep)?;
        let b = self.cache.get_mut(&mut self.disk, right)?;
        b[ENTRIES_AT..][..moved.len()].copy_from_slice(&moved);
        put_u16(b, 6, (count - keep) as u16);
        Ok((right_key, right))
    }

    /// Unmaps the last piece of the file in `[from, to)`, at most `most` blocks of it, and gives its place on the disk;
    /// `None` when nothing is mapped there. A piece out of an extent's middle may take map blocks as
    /// [`Fs::map_insert`] does. The caller frees the piece and writes the inode.
    pub(crate) fn map_remove(
        &mut self,
        inode: &mut Inode,
        from: u32,
        to: u32,
        most: u32,
    ) -> Result<Option<(u32, u32)>> {
        if from >= to {
            return Ok(None);
        }
        let Some((e, path)) = self.map_find(inode, to - 1)?.floor else { return Ok(None) };
        let (low, high) = (e.key.max(from), e.end().min(to));
        if low >= high {
            return Ok(None);
        }
        let low = low.max(high.saturating_sub(most));
        let piece = (e.start + (low - e.key), high - low);
        let head = Extent { len: low - e.key, ..e };
        let tail = Extent { key: high, start: e.start + (high - e.key), len: e.end() - high };
        inode.blocks = inode.blocks.checked_sub(piece.1).ok_or(Error::Corrupt)?;
        match (head.len > 0, tail.len > 0) {
            (false, false) => self.remove_entry(inode, &path)?,
            (true, false) => self.set_entry(inode, &path, head)?,
            (false, true) => self.set_entry(inode, &path, tail)?,
            (true, true) => {
                self.set_entry(inode, &path, head)?;
                inode.blocks = inode.blocks.checked_sub(tail.len).ok_or(Error::Corrupt)?;
                self.map_insert(inode, tail)?;
            }
        }
        Ok(Some(piece))
    }

    /// Takes an entry out, and every map block that thereby becomes empty.
    fn remove_entry(&mut self, inode: &mut Inode, path: &Path) -> Result<()> {
        for level in (0..=path.depth).rev() {
            let (node, i) = (path.nodes[level], path.index[level]);
            let (_, count) = self.node(inode, node, path.depth - level)?;
            if i >= count {
                return Err(Error::Corrupt);
            }
            if count > 1 || level == 0 {
                let entries = self.node_mut(inode, node)?;
                entries.copy_within((i + 1) * ENTRY..count * ENTRY, i * ENTRY);
                self.set_count(inode, node, count - 1)?;
                if level == 0 && count == 1 {
                    inode.depth = 0;
                }
                return Ok(());
            }
            self.free_run(node, 1, true)?;
            inode.blocks = inode.blocks.checked_sub(1).ok_or(Error::Corrupt)?;
        }
        Ok(())
    }
}
