//! The check of names: directories from the root down, and the orphan list.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::check::Checker;
use crate::dir::{entries, key};
use crate::error::Result;
use crate::extent::Extent;
use crate::namei::check_name;
use crate::types::{Ino, Kind, ROOT_INO};

impl Checker<'_> {
    pub(super) fn walk_tree(&mut self) -> Result<()> {
        match self.node_mut(ROOT_INO) {
            Some(root) if root.kind == Kind::Dir => root.names = 1,
            _ => {
                self.problem(String::from("the root directory is missing"));
                return Ok(());
            }
        }
        let mut todo = vec![ROOT_INO];
        while let Some(dir) = todo.pop() {
            self.report.dirs += 1;
            self.walk_dir(dir, &mut todo)?;
        }
        let counted = self.nodes.iter().flatten().filter(|n| n.kind != Kind::Dir && n.names > 0).count();
        self.report.files = counted as u32;
        Ok(())
    }

    fn walk_dir(&mut self, dir: Ino, todo: &mut Vec<Ino>) -> Result<()> {
        let inode = self.fs.inode(dir);
        let Some(inode) = self.noted(inode, || format!("directory {dir}: not readable"))? else { return Ok(()) };
        let buckets = self.extents(&inode);
        let Some(buckets) = self.noted(buckets, || format!("directory {dir}: its index is damaged"))? else {
            return Ok(());
        };
        if inode.size != buckets.len() as u64 * crate::BLOCK_SIZE as u64 {
            self.problem(format!("directory {dir}: has {} blocks, its size is {}", buckets.len(), inode.size));
        }
        let mut found = 0;
        for (i, &bucket) in buckets.iter().enumerate() {
            let high = buckets.get(i + 1).map_or(u32::MAX, |next| next.key);
            if i == 0 && bucket.key != 0 {
                self.problem(format!("directory {dir}: its first bucket is missing"));
            }
            found += self.walk_bucket(dir, bucket, high, todo)?;
        }
        if let Some(node) = self.node(dir)
            && node.entries != found
        {
            let says = node.entries;
            self.problem(format!("directory {dir}: has {found} entries, its count says {says}"));
        }
        Ok(())
    }

    /// Checks one bucket whose hashes must lie in `[bucket.key, high)`; gives the number of its entries.
    fn walk_bucket(&mut self, dir: Ino, bucket: Extent, high: u32, todo: &mut Vec<Ino>) -> Result<u32> {
        let block = bucket.start;
        let bytes = *self.fs.cache.get(&mut self.fs.disk, block)?;
        let list = entries(&bytes, dir);
        let Some(list) = self.noted(list, || format!("directory {dir}: bucket {block} is damaged"))? else {
            return Ok(0);
        };
        let (mut count, mut end) = (0, 16);
        let mut names = BTreeSet::new();
        for e in list {
            count += 1;
            end = e.at + 14 + e.name.len();
            let name = String::from_utf8_lossy(e.name);
            let in_range = (bucket.key..high).contains(&key(e.hash));
            if check_name(e.name).is_err() || e.hash != self.fs.name_hash(e.name) || !in_range {
                self.problem(format!("directory {dir}: entry {name:?} is damaged or in the wrong place"));
            }
            if !names.insert(e.name) {
                self.problem(format!("directory {dir}: has {name:?} twice"));
            }
            let Some(node) = self.node_mut(e.ino) else {
                self.problem(format!("directory {dir}: {name:?} stands for inode {}, which is free", e.ino));
                continue;
            };
            node.names += 1;
            let node = *node;
            if e.kind != Some(node.kind) {
                self.problem(format!("directory {dir}: {name:?} has another kind than its inode"));
            }
            if node.kind == Kind::Dir {
                if let Some(parent) = self.node_mut(dir) {
                    parent.subdirs += 1;
                }
                if node.names > 1 {
                    self.problem(format!("directory {}: has more than one name", e.ino));
                } else {
                    todo.push(e.ino);
                }
                if node.parent != dir {
                    self.problem(format!("directory {}: its parent is not {dir}", e.ino));
                }
            }
        }
        let used = usize::from(crate::bytes::get_u16(&bytes, 4));
        if end != used || count != u32::from(crate::bytes::get_u16(&bytes, 6)) {
            self.problem(format!("directory {dir}: bucket {block} has a wrong length or count"));
        }
        Ok(count)
    }

    pub(super) fn walk_orphans(&mut self) -> Result<()> {
        let mut ino = self.fs.state.orphan_head;
        let mut prev = 0;
        let mut met = BTreeSet::new();
        while ino != 0 {
            let inode = self.fs.inode(ino);
            let Some(inode) = self.noted(inode, || format!("orphan {ino}: not readable"))? else { break };
            if !met.insert(ino) || inode.orphan_prev != prev || self.node(ino).is_none_or(|n| !n.listed) {
                self.problem(format!("orphan {ino}: the list is damaged here"));
                break;
            }
            (prev, ino) = (ino, inode.orphan_next);
        }
        for ino in 1..self.fs.sb.inodes {
            let Some(node) = self.node(ino) else { continue };
            let (listed, nlink) = (node.listed, node.nlink);
            if (listed || nlink == 0) && !met.contains(&ino) {
                self.problem(format!("inode {ino}: without names, but not in the orphan list"));
            }
        }
        self.report.orphans = met.len() as u32;
        Ok(())
    }
}
