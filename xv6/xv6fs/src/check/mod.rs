//! fsck: [`check`] examines a whole volume and writes nothing.
//!
//! It trusts the geometry (which has a checksum) and nothing else: every inode's map is walked ([`map`]), every
//! directory from the root down ([`tree`]), and what they use is held against the bitmaps and the counts. However a
//! volume is damaged, this ends: a block that is met a second time is reported and not entered again.

mod map;
mod tree;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::ORPHAN;
use crate::layout::BITS;
use crate::types::{Ino, Kind, MountOptions, Report};

/// Problems listed at most.
const MOST_PROBLEMS: usize = 200;

/// What the scan of the inode table says about an inode in use.
#[derive(Clone, Copy)]
struct Node {
    kind: Kind,
    nlink: u32,
    parent: Ino,
    entries: u32,
    listed: bool,
    /// Names found for it; for a directory, subdirectories found in it.
    names: u32,
    subdirs: u32,
}

struct Checker<'a> {
    fs: Fs<&'a mut dyn Disk>,
    report: Report,
    /// One bit per block: met as someone's.
    used: Vec<u64>,
    /// By inode number; `None` for those not in use.
    nodes: Vec<Option<Node>>,
}

/// fsck: examines the whole volume, writes nothing; a committed log is replayed in memory.
///
/// Damage is no error but a line in the report. Fails with [`Error::Io`] only when the device does. (A `dyn` disk, so that the code is
/// compiled once, in this crate and optimised.)
pub fn check(disk: &mut dyn Disk) -> Result<Report> {
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    match Fs::load(disk, &options) {
        Ok((fs, needs_replay)) => {
            let used = vec![0; (fs.sb.blocks as usize).div_ceil(64)];
            let nodes = vec![None; fs.sb.inodes as usize];
            let report = Report { needs_replay, ..Report::default() };
            let mut checker = Checker { fs, report, used, nodes };
            checker.run()?;
            Ok(checker.report)
        }
        Err(Error::Corrupt) => {
            let problem = String::from("the super block or the state block is damaged, or this is no xv6fs volume");
            Ok(Report { problems: vec![problem], ..Report::default() })
        }
        Err(e) => Err(e),
    }
}

impl Checker<'_> {
    fn run(&mut self) -> Result<()> {
        self.scan_inodes()?;
        self.walk_tree()?;
        self.walk_orphans()?;
        self.compare_links();
        self.compare_blocks()
    }

    fn problem(&mut self, text: String) {
        match self.report.problems.len() {
            MOST_PROBLEMS => self.report.problems.push(String::from("... and more problems, not listed")),
            n if n < MOST_PROBLEMS => self.report.problems.push(text),
            _ => {}
        }
    }

    /// Turns damage into a problem and lets device errors through.
    fn noted<T>(&mut self, result: Result<T>, text: impl FnOnce() -> String) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Corrupt) => {
                self.problem(text());
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn node(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(ino as usize)?.as_ref()
    }

    fn node_mut(&mut self, ino: Ino) -> Option<&mut Node> {
        self.nodes.get_mut(ino as usize)?.as_mut()
    }

    fn scan_inodes(&mut self) -> Result<()> {
        let mut in_use = 0;
        for ino in 0..self.fs.sb.inodes {
            let bytes = self.fs.cache.get(&mut self.fs.disk, self.fs.sb.imap_start + ino / BITS)?;
            if bytes[(ino % BITS) as usize / 8] & (1 << (ino % 8)) == 0 {
                continue;
            }
            in_use += 1;
            if ino != 0 {
                self.scan_inode(ino)?;
            }
        }
        let free = self.fs.sb.inodes - in_use;
        if free != self.fs.state.free_inodes {
            let says = self.fs.state.free_inodes;
            self.problem(format!("{free} inodes are free, the count says {says}"));
        }
        Ok(())
    }

    fn scan_inode(&mut self, ino: Ino) -> Result<()> {
        let inode = self.fs.inode(ino);
        let Some(inode) = self.noted(inode, || format!("inode {ino}: not readable"))? else { return Ok(()) };
        self.walk_map(&inode)?;
        self.nodes[ino as usize] = Some(Node {
            kind: inode.kind,
            nlink: inode.nlink,
            parent: inode.parent,
            entries: inode.entries,
            listed: inode.flags & ORPHAN != 0,
            names: 0,
            subdirs: 0,
        });
        Ok(())
    }

    fn compare_links(&mut self) {
        for ino in 1..self.fs.sb.inodes {
            let Some(&node) = self.node(ino) else { continue };
            if node.kind != Kind::Dir && node.names != node.nlink {
                self.problem(format!("inode {ino}: has {} names, its link count says {}", node.names, node.nlink));
            }
            if node.kind == Kind::Dir && node.nlink > 0 {
                if node.names == 0 {
                    self.problem(format!("directory {ino}: not reached from the root"));
                } else if node.nlink != node.subdirs + 2 {
                    let (subdirs, nlink) = (node.subdirs, node.nlink);
                    self.problem(format!("directory {ino}: has {subdirs} subdirectories, its link count is {nlink}"));
                }
            }
            if node.kind == Kind::Dir && node.nlink == 0 && node.names > 0 {
                self.problem(format!("directory {ino}: removed, but has a name"));
            }
        }
    }

    fn compare_blocks(&mut self) -> Result<()> {
        let (start, end) = (self.fs.sb.data_start, self.fs.sb.blocks);
        let mut free = 0;
        for block in 0..end {
            let bytes = self.fs.cache.get(&mut self.fs.disk, self.fs.sb.bmap_start + block / BITS)?;
            let bit = bytes[(block % BITS) as usize / 8] & (1 << (block % 8)) != 0;
            let used = block < start || self.used[block as usize / 64] & (1 << (block % 64)) != 0;
            match (bit, used) {
                (false, false) => free += 1,
                (true, false) => self.problem(format!("block {block}: nobody's, but marked as in use")),
                (false, true) => self.problem(format!("block {block}: in use, but marked as free")),
                (true, true) => self.report.used_blocks += u64::from(block >= start),
            }
        }
        if free != self.fs.state.free_blocks {
            let says = self.fs.state.free_blocks;
            self.problem(format!("{free} blocks are free, the count says {says}"));
        }
        Ok(())
    }
}
