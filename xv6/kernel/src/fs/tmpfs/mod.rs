//! tmpfs (tmpfs(5)): files in memory, within a limit on bytes (`size=`) and inodes (`nr_inodes=`).
//!
//! [`TmpFs`] counts pages and inodes; [`inode::TmpInode`] is a file, directory, link or node. Content is a page cache without a
//! source, which asks the file system for each page before it takes it (`pages`). devtmpfs and memfd_create(2) use the same code.
//!
//! Locks: the counters are atomics; each inode has its own spin locks (`inode`).

mod dir;
pub mod inode;
mod pages;

use crate::error::{Errno, Result};
use crate::mm;
use crate::vfs::fstype::{self, FsType, MountArgs, Source};
use crate::vfs::inode::{FileSystem, InodeRef, Kind, NewNode, StatFs};
use crate::vfs::new_dev;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use hal::frame;
use hal::sync::Once;
use inode::TmpInode;

/// statfs(2)'s magic number.
const MAGIC: u64 = 0x0102_1994;

/// The type `tmpfs`.
pub static TYPE: FsType =
    FsType { name: "tmpfs", source: Source::Any, mount: |args| mount("tmpfs", args), in_user_ns: true };

/// The type `ramfs`: the same, limits included.
pub static RAMFS: FsType =
    FsType { name: "ramfs", source: Source::Any, mount: |args| mount("ramfs", args), in_user_ns: false };

/// One instance.
pub struct TmpFs {
    name: &'static str,
    dev: u64,
    root: Once<Arc<TmpInode>>,
    next_ino: AtomicU64,
    /// Pages taken, and how many may be.
    pages: AtomicUsize,
    max_pages: usize,
    /// Inodes in being, and how many may be.
    inodes: AtomicUsize,
    max_inodes: usize,
}

/// What an instance is limited to and how its root looks.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of content.
    pub size: u64,
    /// Inodes.
    pub inodes: usize,
    /// The root's permission bits.
    pub mode: u16,
    /// The root's owner.
    pub uid: u32,
    /// The root's group.
    pub gid: u32,
}

impl Default for Options {
    /// tmpfs(5): half of memory, an inode for every two pages; root's, sticky and open to all.
    fn default() -> Options {
        let total = frame::total();
        Options { size: (total / 2 * frame::SIZE) as u64, inodes: (total / 2).max(64), mode: 0o1777, uid: 0, gid: 0 }
    }
}

impl Options {
    /// From mount(2)'s `data`: `size`, `nr_blocks`, `nr_inodes`, `mode`, `uid`, `gid`; `EINVAL` for anything else.
    fn parse(args: &MountArgs<'_>) -> Result<Options> {
        let mut options = Options::default();
        for (key, value) in args.options() {
            match key {
                b"size" => {
                    options.size = match value.strip_suffix(b"%") {
                        Some(percent) => {
                            (frame::total() * frame::SIZE) as u64 / 100 * fstype::parse_size(percent)?.min(100)
                        }
                        None => fstype::parse_size(value)?,
                    }
                }
                b"nr_blocks" => options.size = fstype::parse_size(value)?.saturating_mul(frame::SIZE as u64),
                b"nr_inodes" => options.inodes = fstype::parse_size(value)? as usize,
                b"mode" => options.mode = fstype::parse_octal(value)? as u16 & 0o7777,
                b"uid" => options.uid = fstype::parse_size(value)? as u32,
                b"gid" => options.gid = fstype::parse_size(value)? as u32,
                // What mount programs pass along and what has no meaning here.
                b"huge" | b"mpol" | b"inode64" | b"inode32" | b"noswap" | b"source" => {}
                _ => return Err(Errno::EINVAL.during("parsing tmpfs options")),
            }
        }
        // No limit, as Linux reads 0, would let one mount take all memory: the default holds then.
        let default = Options::default();
        options.size = if options.size == 0 { default.size } else { options.size };
        options.inodes = if options.inodes == 0 { default.inodes } else { options.inodes };
        Ok(options)
    }
}

fn mount(name: &'static str, args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    Ok(TmpFs::new(name, &Options::parse(args)?))
}

impl TmpFs {
    /// A new instance with an empty root directory.
    pub fn new(name: &'static str, options: &Options) -> Arc<TmpFs> {
        let fs = Arc::new(TmpFs {
            name,
            dev: new_dev(),
            root: Once::new(),
            next_ino: AtomicU64::new(1),
            pages: AtomicUsize::new(0),
            max_pages: (options.size.div_ceil(frame::SIZE as u64)) as usize,
            // The root is one; a limit of none leaves room for it alone.
            inodes: AtomicUsize::new(1),
            max_inodes: options.inodes,
        });
        let node = NewNode {
            kind: Kind::Directory,
            mode: options.mode,
            uid: options.uid,
            gid: options.gid,
            rdev: 0,
            target: b"",
        };
        fs.root.call_once(|| TmpInode::new(&fs, &node, fs.next_ino()));
        fs
    }

    /// The root directory's inode.
    pub fn root_inode(&self) -> &Arc<TmpInode> {
        self.root.get().expect("an instance is made with its root")
    }

    fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts one more inode: `ENOSPC` at the limit.
    fn charge_inode(&self) -> Result<()> {
        if self.inodes.fetch_add(1, Ordering::Relaxed) >= self.max_inodes {
            self.inodes.fetch_sub(1, Ordering::Relaxed);
            return Err(Errno::ENOSPC.during("tmpfs: no more inodes"));
        }
        Ok(())
    }

    fn uncharge_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes room for pages: `ENOSPC` at the limit, or at that of all instances together.
    fn charge_pages(&self, pages: usize) -> Result<()> {
        let over = self.pages.fetch_add(pages, Ordering::Relaxed) + pages > self.max_pages;
        if over || !mm::room_for_memory_files(pages) {
            self.pages.fetch_sub(pages, Ordering::Relaxed);
            return Err(Errno::ENOSPC.into());
        }
        Ok(())
    }

    fn uncharge_pages(&self, pages: usize) {
        self.pages.fetch_sub(pages, Ordering::Relaxed);
    }
}

impl FileSystem for TmpFs {
    fn name(&self) -> &'static str {
        self.name
    }
    fn dev(&self) -> u64 {
        self.dev
    }
    fn root(&self) -> InodeRef {
        self.root_inode().clone()
    }
    fn statfs(&self) -> Result<StatFs> {
        let (pages, inodes) = (self.pages.load(Ordering::Relaxed), self.inodes.load(Ordering::Relaxed));
        Ok(StatFs {
            magic: MAGIC,
            block_size: frame::SIZE as u64,
            blocks: self.max_pages as u64,
            free: self.max_pages.saturating_sub(pages) as u64,
            files: self.max_inodes as u64,
            files_free: self.max_inodes.saturating_sub(inodes) as u64,
            name_max: 255,
        })
    }
    fn options(&self) -> Vec<u8> {
        let text = format!("size={}k,nr_inodes={}", self.max_pages * (frame::SIZE / 1024), self.max_inodes);
        text.into_bytes()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for TmpFs {
    /// Takes the tree apart in a loop: it may be deeper than the kernel stack.
    fn drop(&mut self) {
        if let Some(root) = self.root.get() {
            let mut left = root.take_children();
            while let Some(inode) = left.pop() {
                left.append(&mut inode.take_children());
            }
        }
    }
}
