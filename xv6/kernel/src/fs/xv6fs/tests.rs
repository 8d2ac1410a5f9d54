//! Tests of the kernel's part of xv6fs on the host, over a disk in memory: pages, delayed allocation, inodes in use.

use super::disk::Storage;
use super::{XvFs, failed};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, sweep_orphans};
use crate::vfs::inode::{FileSystem, InodeRef, Kind, NewNode, RenameMode, SetAttr, Time};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::frame::{Frame, SIZE};
use hal::sync::{Rank, SpinLock};
use xv6fs::{Disk, FormatOptions, Fs, MemDisk};

/// Tests one at a time: dirty pages are listed for the whole kernel, and a full disk writes all of them back.
pub(super) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A disk in memory that counts writes, and may be asked only so often.
pub(super) struct Memory {
    disk: SpinLock<MemDisk>,
    writes: AtomicUsize,
    left: AtomicUsize,
}

impl Memory {
    fn new(disk: MemDisk) -> Arc<Memory> {
        Memory::bounded(disk, usize::MAX)
    }

    /// A disk that fails the test at more than so many `requests`.
    pub(super) fn bounded(disk: MemDisk, requests: usize) -> Arc<Memory> {
        let disk = SpinLock::new(Rank::Leaf, "test disk", disk);
        Arc::new(Memory { disk, writes: AtomicUsize::new(0), left: requests.into() })
    }

    fn count(&self) {
        assert_ne!(self.left.fetch_sub(1, Ordering::Relaxed), 0, "a damaged volume is used for ever");
    }

    fn formatted(blocks: usize) -> Arc<Memory> {
        let mut disk = MemDisk::new(blocks);
        Fs::format(&mut disk, &FormatOptions::default()).expect("format");
        Memory::new(disk)
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    /// What a power cut leaves when the device kept everything written.
    fn cut(&self) -> Arc<Memory> {
        let mut disk = self.disk.lock().clone();
        let report = xv6fs::check(&mut disk).expect("check");
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        Memory::new(disk)
    }
}

impl Storage for Memory {
    fn blocks(&self) -> u64 {
        self.disk.lock().blocks()
    }
    fn read(&self, block: u64, buf: &mut [u8]) -> Result<()> {
        self.count();
        self.disk.lock().read(block, buf).map_err(failed)
    }
    fn write(&self, block: u64, buf: &[u8]) -> Result<()> {
        self.count();
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.disk.lock().write(block, buf).map_err(failed)
    }
    fn read_frames(&self, block: u64, frames: &[Frame]) -> Result<()> {
        let mut bytes = vec![0; SIZE];
        for (at, frame) in (block..).zip(frames) {
            self.read(at, &mut bytes)?;
            frame.write(0, &bytes);
        }
        Ok(())
    }
    fn write_frames(&self, block: u64, frames: &[Frame]) -> Result<()> {
        let mut bytes = vec![0; SIZE];
        for (at, frame) in (block..).zip(frames) {
            frame.read(0, &mut bytes);
            self.write(at, &bytes)?;
        }
        Ok(())
    }
    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

fn open(disk: &Arc<Memory>) -> Arc<XvFs> {
    XvFs::open(disk.clone(), 7, false).expect("mount")
}

fn node(kind: Kind) -> NewNode<'static> {
    NewNode { kind, mode: 0o644, uid: 3, gid: 4, rdev: 0, target: b"" }
}

fn create(dir: &InodeRef, name: &[u8]) -> InodeRef {
    dir.create(name, &node(Kind::File)).expect("create")
}

fn write(file: &InodeRef, at: u64, bytes: &[u8]) -> Result<usize> {
    file.pages().expect("a file").write(&mut WriteBuf::kernel(bytes), at)
}

fn read(file: &InodeRef) -> Vec<u8> {
    let pages = file.pages().expect("a file");
    let mut bytes = vec![0xee; pages.size() as usize + 3];
    let n = pages.read(&mut ReadBuf::kernel(&mut bytes), 0).expect("read");
    assert_eq!(n as u64, pages.size());
    bytes.truncate(n);
    bytes
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 + i / 4096) as u8).collect()
}

#[test]
fn what_was_synced_survives() {
    let _alone = alone();
    let disk = Memory::formatted(2048);
    let fs = open(&disk);
    let root = fs.root();
    let file = create(&root, b"file");
    let data = pattern(300_000);
    assert_eq!(write(&file, 0, &data), Ok(data.len()));
    assert!(file.attr().expect("attr").blocks >= 74 * 8, "promised blocks count");
    assert_eq!(fs.lock().stat(2).expect("stat").blocks, 0, "nothing is allocated before it is written");
    file.sync().expect("fsync");
    let flushed = create(&root, b"flushed");
    write(&flushed, 0, b"by the flusher").expect("write");
    let mtime = flushed.attr().expect("attr").mtime;
    crate::mm::sync_all().expect("the flusher's round");
    super::commit_all();
    create(&root, b"not synced");
    let after = open(&disk.cut());
    let root = after.root();
    assert_eq!(root.lookup(b"not synced").err().map(|e| e.errno), Some(Errno::ENOENT));
    let found = root.lookup(b"flushed").expect("lookup");
    assert_eq!((read(&found), found.attr().expect("attr").mtime), (b"by the flusher".to_vec(), mtime));
    let found = root.lookup(b"file").expect("lookup");
    assert!(read(&found) == data);
    let attr = found.attr().expect("attr");
    assert_eq!((attr.size, attr.mode, attr.uid, attr.gid, attr.nlink, attr.dev), (300_000, 0o644, 3, 4, 1, 7));
    assert_eq!(attr.mtime, file.attr().expect("attr").mtime, "the time of the write, not of the write-back");
}

#[test]
fn a_file_that_lives_briefly_never_reaches_the_disk() {
    let _alone = alone();
    let disk = Memory::formatted(1024);
    let fs = open(&disk);
    let root = fs.root();
    create(&root, b"seed");
    fs.sync().expect("sync");
    let (writes, free) = (disk.writes(), fs.statfs().expect("statfs"));
    for _ in 0..300 {
        let file = create(&root, b"temp");
        write(&file, 0, &[5; 512]).expect("write");
        root.unlink(b"temp").expect("unlink");
        assert_eq!(file.attr().expect("attr").nlink, 0);
        assert_eq!(read(&file), [5; 512], "still readable");
        drop(file);
        sweep_orphans();
    }
    assert_eq!(disk.writes(), writes);
    let now = fs.statfs().expect("statfs");
    assert_eq!((now.free, now.files_free), (free.free, free.files_free));
}

#[test]
fn a_full_disk_is_enospc_and_comes_back() {
    let _alone = alone();
    let disk = Memory::formatted(600);
    let fs = open(&disk);
    let root = fs.root();
    let keep = create(&root, b"keep");
    write(&keep, 0, &pattern(50_000)).expect("write");
    fs.sync().expect("sync");
    let before = fs.statfs().expect("statfs");
    let file = create(&root, b"big");
    let mut size = 0;
    let error = loop {
        match write(&file, size, &[1; 65536]) {
            Ok(n) => size += n as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error.errno, Errno::ENOSPC);
    assert!(size / 4096 + 3 >= before.free, "{size} bytes fit {} blocks", before.free);
    fs.sync().expect("all that was accepted can be written");
    assert!(read(&file).iter().all(|&b| b == 1));
    write(&keep, 100, &[9; 100]).expect("an overwrite needs no room");
    drop(file);
    root.unlink(b"big").expect("unlink");
    fs.sync().expect("sync");
    assert_eq!(fs.statfs().expect("statfs").free, before.free);
    disk.cut();
}

#[test]
fn pages_come_back_from_the_disk() {
    let _alone = alone();
    let disk = Memory::formatted(1024);
    let fs = open(&disk);
    let root = fs.root();
    let file = create(&root, b"f");
    write(&file, 0, &pattern(20_000)).expect("write");
    // A hole, and then the last page.
    write(&file, 100_000, b"end").expect("write");
    let mut want = pattern(20_000);
    want.resize(100_000, 0);
    want.extend_from_slice(b"end");
    file.sync().expect("sync");
    drop(file);
    let file = root.lookup(b"f").expect("lookup");
    assert_eq!(file.pages().expect("pages").pages(), 0, "a new cache");
    assert!(read(&file) == want);
    let shrink = |size| file.set_attr(&SetAttr { size: Some(size), ..SetAttr::default() }).expect("truncate");
    shrink(10_001);
    shrink(30_000);
    want.truncate(10_001);
    want.resize(30_000, 0);
    assert!(read(&file) == want);
    fs.sync().expect("sync");
    drop(file);
    let file = root.lookup(b"f").expect("lookup");
    assert!(read(&file) == want);
    // Bytes behind the end, which the library leaves on the disk, show in no page.
    let raw = create(&root, b"raw");
    let ino = raw.attr().expect("attr").ino as u32;
    drop(raw);
    {
        let mut volume = fs.lock();
        volume.write_at(ino, 0, &[7; 4096], 0).expect("write");
        volume.truncate(ino, 5).expect("truncate");
    }
    let page = root.lookup(b"raw").expect("lookup").pages().expect("pages").get(0).expect("read");
    let mut bytes = [1; 8];
    page.read(0, &mut bytes);
    assert_eq!(bytes, [7, 7, 7, 7, 7, 0, 0, 0]);
    drop((file, root, fs));
    let fs = open(&disk.cut());
    assert!(read(&fs.root().lookup(b"f").expect("lookup")) == want);
}

#[test]
fn names_move_and_inodes_follow() {
    let _alone = alone();
    let disk = Memory::formatted(1024);
    let fs = open(&disk);
    let root = fs.root();
    let dir = root.create(b"d", &node(Kind::Directory)).expect("mkdir");
    assert_eq!(root.attr().expect("attr").nlink, 3);
    let a = create(&root, b"a");
    let b = create(&dir, b"b");
    dir.link(b"a2", &a).expect("link");
    assert_eq!(a.attr().expect("attr").nlink, 2);
    root.rename(b"a", &dir, b"b", RenameMode::Replace).expect("rename");
    assert_eq!((a.attr().expect("attr").nlink, b.attr().expect("attr").nlink), (2, 0));
    assert!(Arc::ptr_eq(&dir.lookup(b"b").expect("lookup"), &a), "one inode, one object");
    assert_eq!(root.rmdir(b"d").map_err(|e| e.errno), Err(Errno::ENOTEMPTY));
    dir.unlink(b"b").expect("unlink");
    dir.unlink(b"a2").expect("unlink");
    root.rmdir(b"d").expect("rmdir");
    assert_eq!(root.attr().expect("attr").nlink, 2);
    let link = NewNode { target: b"over there", ..node(Kind::Symlink) };
    let link = root.create(b"l", &link).expect("symlink");
    assert_eq!(link.read_link().as_deref(), Ok(&b"over there"[..]));
    let past = Time { sec: -3, nsec: 999_999_999 };
    link.set_attr(&SetAttr { mtime: Some(past), mode: Some(0o600), ..SetAttr::default() }).expect("set_attr");
    link.set_xattr(b"trusted.overlay.opaque", b"y").expect("set_xattr");
    drop((link, a, b, dir));
    fs.sync().expect("sync");
    let link = root.lookup(b"l").expect("lookup");
    let attr = link.attr().expect("attr");
    assert_eq!((attr.mtime, attr.mode, attr.kind), (past, 0o600, Kind::Symlink));
    assert_eq!(link.get_xattr(b"trusted.overlay.opaque").as_deref(), Ok(&b"y"[..]));
    disk.cut();
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let _alone = alone();
    let fs = open(&Memory::formatted(4096));
    let root = fs.root();
    let mut want = Vec::new();
    for i in 0..500 {
        let name = alloc::format!("file{i:03}").into_bytes();
        create(&root, &name);
        want.push(name);
    }
    let (mut seen, mut cursor) = (Vec::new(), 0);
    loop {
        let mut left = 7;
        let mut next = cursor;
        let mut sink = |entry: crate::vfs::inode::DirEntry<'_>| {
            if left == 0 {
                return false;
            }
            left -= 1;
            next = entry.next;
            seen.push(entry.name.to_vec());
            true
        };
        root.read_dir(cursor, &mut sink).expect("read_dir");
        if next == cursor {
            break;
        }
        cursor = next;
    }
    seen.sort();
    assert!(seen == want);
}

#[test]
fn read_only_means_no_write() {
    let _alone = alone();
    let disk = Memory::formatted(1024);
    create(&open(&disk).root(), b"f");
    let writes = disk.writes();
    let fs = XvFs::open(disk.clone(), 7, true).expect("mount");
    let file = fs.root().lookup(b"f").expect("the last drop committed");
    assert_eq!(write(&file, 0, b"x").map_err(|e| e.errno), Err(Errno::EROFS));
    assert_eq!(fs.root().unlink(b"f").map_err(|e| e.errno), Err(Errno::EROFS));
    drop((file, fs));
    assert_eq!(disk.writes(), writes);
    let empty = Memory::new(MemDisk::new(1024));
    assert_eq!(XvFs::open(empty, 7, false).err().map(|e| e.errno), Some(Errno::EINVAL));
}

/// A page cut short by a truncation is not written with zeros before the shorter size is: a power cut in between would leave neither
/// the old content nor the new.
#[test]
fn a_truncation_leaves_no_page_to_be_written() {
    let _alone = alone();
    let disk = Memory::formatted(1024);
    let fs = open(&disk);
    let file = create(&fs.root(), b"f");
    write(&file, 0, &pattern(9000)).expect("write");
    file.sync().expect("sync");
    file.set_attr(&SetAttr { size: Some(5000), ..SetAttr::default() }).expect("truncate");
    assert_eq!(file.pages().expect("a file").dirty(), 0);
    file.set_attr(&SetAttr { size: Some(9000), ..SetAttr::default() }).expect("truncate");
    let mut want = pattern(5000);
    want.resize(9000, 0);
    assert!(read(&file) == want);
    file.sync().expect("sync");
    drop((file, fs));
    assert!(read(&open(&disk.cut()).root().lookup(b"f").expect("lookup")) == want);
}
