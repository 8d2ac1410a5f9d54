//! The check of one inode's block map, attributes and size: every block is marked, none may be met twice.

use alloc::format;
use alloc::vec::Vec;

use crate::bytes::get_u32;
use crate::check::Checker;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::inode::{Inode, SHORT_LINK};
use crate::types::{Ino, Kind};

impl Checker<'_> {
    /// Marks a run as in use. At the first block that is somebody's already it says so and stops.
    fn mark(&mut self, ino: Ino, start: u32, len: u32) -> bool {
        for block in start..start + len {
            let word = &mut self.used[block as usize / 64];
            if *word & (1 << (block % 64)) != 0 {
                self.problem(format!("inode {ino}: block {block} is in use twice"));
                return false;
            }
            *word |= 1 << (block % 64);
        }
        true
    }

    /// Checks what hangs on an inode.
    pub(super) fn walk_map(&mut self, inode: &Inode) -> Result<()> {
        let ino = inode.ino;
        let mut blocks = 0;
        if inode.flags & SHORT_LINK == 0 {
            blocks = self.walk_node(inode, 0, usize::from(inode.depth), 0, u32::MAX)?;
        }
        if inode.xattr != 0 {
            let sound = self.fs.attributes_sound(inode);
            match self.noted(sound, || format!("inode {ino}: its attributes are not readable"))? {
                Some(sound) => {
                    if !sound {
                        self.problem(format!("inode {ino}: its attributes are damaged"));
                    }
                    self.mark(ino, inode.xattr, 1);
                    blocks += 1;
                }
                None => return Ok(()),
            }
        }
        if blocks != u64::from(inode.blocks) {
            self.problem(format!("inode {ino}: has {blocks} blocks, its count says {}", inode.blocks));
        }
        if inode.kind == Kind::Symlink {
            let target = self.fs.read_link(ino);
            self.noted(target, || format!("symlink {ino}: its target is not readable"))?;
        }
        Ok(())
    }

    /// Checks a node of the map whose keys must lie in `[low, high)`; gives the blocks below it, map blocks included.
    fn walk_node(&mut self, inode: &Inode, node: u32, level: usize, low: u32, high: u32) -> Result<u64> {
        let ino = inode.ino;
        let list = self.fs.node(inode, node, level).map(|(bytes, count)| {
            let field = |i: usize| get_u32(bytes, i * 4);
            (0..count)
                .map(|i| Extent { key: field(3 * i), start: field(3 * i + 1), len: field(3 * i + 2) })
                .collect::<Vec<_>>()
        });
        let Some(list) = self.noted(list, || format!("inode {ino}: map block {node} is damaged"))? else {
            return Ok(0);
        };
        let mut blocks = 0;
        let mut from = low;
        for (i, e) in list.iter().enumerate() {
            let to = list.get(i + 1).map_or(high, |next| next.key);
            if level > 0 {
                if e.key < from || to > high || e.key >= to || !self.fs.sb.in_data(e.start, 1) {
                    self.problem(format!("inode {ino}: map block {node}, entry {i} is out of order"));
                    continue;
                }
                if self.mark(ino, e.start, 1) {
                    blocks += 1 + self.walk_node(inode, e.start, level - 1, e.key, to)?;
                }
                from = to;
                continue;
            }
            let end = e.key.checked_add(e.len);
            if e.key < from || end.is_none_or(|end| end > to) || !self.fs.sb.in_data(e.start, e.len) {
                self.problem(format!("inode {ino}: the extent at {} is out of order or of range", e.key));
                continue;
            }
            if inode.kind != Kind::File && e.len != 1 {
                self.problem(format!("inode {ino}: the extent at {} is too long", e.key));
            }
            self.mark(ino, e.start, e.len);
            blocks += u64::from(e.len);
            from = e.key + e.len;
        }
        Ok(blocks)
    }

    /// All extents of a sound map, in order.
    pub(super) fn extents(&mut self, inode: &Inode) -> Result<Vec<Extent>> {
        let mut list = Vec::new();
        let mut key = 0;
        while key < u32::MAX {
            let found = self.fs.map_find(inode, key)?;
            if let Some((e, _)) = found.floor
                && list.last().is_none_or(|last: &Extent| last.key < e.key)
            {
                list.push(e);
            }
            if found.next <= key {
                return Err(Error::Corrupt);
            }
            key = found.next;
        }
        Ok(list)
    }
}
