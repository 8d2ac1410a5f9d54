//! Shared by the tests: short ways to make volumes and nodes, and a recording disk for power cuts.
#![expect(dead_code, reason = "each test file uses some of it")]

pub mod model;

use std::cell::RefCell;
use std::rc::Rc;

use xv6fs::{BLOCK_SIZE, Disk, Error, FormatOptions, Fs, Ino, Kind, MemDisk, MountOptions, NewNode, Result};

pub const DIR: NewNode<'static> = NewNode { kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: b"" };
pub const FILE: NewNode<'static> = NewNode { kind: Kind::File, mode: 0o644, uid: 1, gid: 2, rdev: 0, target: b"" };

pub fn symlink(target: &[u8]) -> NewNode<'_> {
    NewNode { kind: Kind::Symlink, mode: 0o777, target, ..FILE }
}

/// A formatted disk.
pub fn volume(blocks: usize, options: &FormatOptions) -> MemDisk {
    let mut disk = MemDisk::new(blocks);
    Fs::format(&mut disk, options).expect("format");
    disk
}

pub fn mounted(blocks: usize) -> Fs<MemDisk> {
    mount(volume(blocks, &FormatOptions::default()))
}

pub fn mount<D: Disk>(disk: D) -> Fs<D> {
    Fs::mount(disk, &MountOptions::default()).expect("mount")
}

/// Unmounts, demands a clean check, and gives the disk.
pub fn unmount_clean<D: Disk>(fs: Fs<D>) -> D {
    let mut disk = fs.unmount().expect("unmount");
    assert_clean(&mut disk);
    disk
}

pub fn assert_clean<D: Disk>(disk: &mut D) {
    let report = xv6fs::check(disk).expect("check reads the disk");
    assert!(report.problems.is_empty(), "check: {:#?}", report.problems);
}

pub fn read_all<D: Disk>(fs: &mut Fs<D>, ino: Ino) -> Vec<u8> {
    let size = usize::try_from(fs.stat(ino).expect("stat").size).expect("a small file");
    let mut data = vec![0xee; size + 10];
    let n = fs.read_at(ino, 0, &mut data).expect("read");
    assert_eq!(n, size, "a read to the end gives the size");
    data.truncate(n);
    data
}

/// The names in a directory without the dots, sorted.
pub fn names<D: Disk>(fs: &mut Fs<D>, dir: Ino) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    fs.read_dir(dir, 0, &mut |e| {
        list.push(e.name.to_vec());
        true
    })
    .expect("read_dir");
    assert_eq!(list[..2], [b".".to_vec(), b"..".to_vec()]);
    let mut list = list.split_off(2);
    list.sort();
    list
}

/// A small generator (SplitMix64): the same seed gives the same run.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// What happened to a recorded disk.
#[derive(Clone)]
pub enum Event {
    Write(u64, Vec<u8>),
    Flush,
}

/// A disk that remembers its writes and flushes; clones share them. It can be told to fail.
#[derive(Clone)]
pub struct Recorder {
    pub disk: MemDisk,
    pub events: Rc<RefCell<Vec<Event>>>,
    pub fail_writes: Rc<RefCell<bool>>,
}

impl Recorder {
    pub fn new(disk: MemDisk) -> Recorder {
        Recorder { disk, events: Rc::default(), fail_writes: Rc::default() }
    }
}

impl Disk for Recorder {
    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> Result<()> {
        self.disk.read(block, buf)
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> Result<()> {
        if *self.fail_writes.borrow() {
            return Err(Error::Io);
        }
        self.events.borrow_mut().push(Event::Write(block, buf.to_vec()));
        self.disk.write(block, buf)
    }
    fn flush(&mut self) -> Result<()> {
        self.events.borrow_mut().push(Event::Flush);
        Ok(())
    }
}

/// Sector of the power cut: what a device writes whole or not at all.
pub const SECTOR: usize = 512;

/// The disk after a cut behind `events[..at]`: what was flushed is there, of the rest each sector by the toss of a coin
/// (`keep` of 4).
pub fn after_cut(base: &MemDisk, events: &[Event], at: usize, keep: u64, rng: &mut Rng) -> MemDisk {
    let mut disk = base.clone();
    let flushed = events[..at].iter().rposition(|e| matches!(e, Event::Flush)).unwrap_or(0);
    for (i, event) in events[..at].iter().enumerate() {
        let Event::Write(block, data) = event else { continue };
        let start = *block as usize * BLOCK_SIZE;
        for (n, sector) in data.chunks(SECTOR).enumerate() {
            if i < flushed || rng.below(4) < keep {
                disk.bytes_mut()[start + n * SECTOR..][..SECTOR].copy_from_slice(sector);
            }
        }
    }
    disk
}
