//! Host tests: volumes that `fatfs` wrote are read back whole, and damaged ones never panic nor loop.

use super::Fat;
use super::node::Node;
use crate::error::Errno;
use crate::fs::bytes::Bounded;
use crate::mm::PageSource;
use crate::vfs::inode::{FileSystem, InodeRef, Kind};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use hal::frame::{Frame, SIZE};
use proptest::prelude::any;
use std::io::{Cursor, Write};

/// A volume of `len` bytes with a tree in it whose files are fragmented.
fn volume(len: usize, kind: fatfs::FatType, cluster: u32) -> Vec<u8> {
    let mut disk = Cursor::new(vec![0; len]);
    let options =
        fatfs::FormatVolumeOptions::new().fat_type(kind).bytes_per_cluster(cluster).volume_label(*b"XV6IMAGES  ");
    fatfs::format_volume(&mut disk, options).expect("formatting");
    {
        let fs = fatfs::FileSystem::new(&mut disk, fatfs::FsOptions::new()).expect("mounting");
        let root = fs.root_dir();
        root.create_file("hello.txt").expect("creating").write_all(b"hello\n").expect("writing");
        root.create_file("empty").expect("creating");
        let deep = root.create_dir("A Long Directory Name").expect("mkdir").create_dir("blobs").expect("mkdir");
        let mut first = deep.create_file("0123456789abcdef0123456789abcdef-déjà-vu").expect("creating");
        let mut second = deep.create_file("second.bin").expect("creating");
        for round in 0..23_u8 {
            first.write_all(&vec![round; 1500]).expect("writing");
            second.write_all(&vec![!round; 700]).expect("writing");
        }
        for index in 0..40 {
            deep.create_file(&format!("filler number {index}.dat")).expect("creating");
        }
    }
    disk.into_inner()
}

fn mount(bytes: Vec<u8>) -> Result<Arc<Fat>, Errno> {
    Fat::mount(Arc::new(bytes), 7).map_err(|error| error.errno)
}

fn names(dir: &InodeRef) -> Vec<String> {
    let mut names = Vec::new();
    dir.read_dir(0, &mut |entry| {
        names.push(String::from_utf8_lossy(entry.name).to_string());
        true
    })
    .expect("reading a directory");
    names
}

/// The whole file through its page source, `step` pages at a time.
fn content(file: &InodeRef, step: usize) -> crate::error::Result<Vec<u8>> {
    let node = file.as_any().downcast_ref::<Node>().expect("an inode of ours");
    let size = file.attr()?.size as usize;
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let mut frames: Vec<Frame> = (0..step).map(|_| Frame::alloc().expect("memory")).collect();
        node.read_pages((bytes.len() / SIZE) as u64, &mut frames)?;
        for frame in &frames {
            let mut page = [0; SIZE];
            frame.read(0, &mut page);
            bytes.extend_from_slice(&page);
        }
    }
    assert!(bytes[size..].iter().all(|byte| *byte == 0), "bytes past the end are zero");
    bytes.truncate(size);
    Ok(bytes)
}

#[test]
fn what_fatfs_writes_is_read_back() {
    use fatfs::FatType::{Fat12, Fat16, Fat32};
    for (len, kind, cluster) in
        [(1 << 20, Fat12, 512), (16 << 20, Fat16, 512), (40 << 20, Fat32, 512), (300 << 20, Fat32, 4096)]
    {
        let fs = mount(volume(len, kind, cluster)).expect("a sound volume");
        let root = fs.root();
        assert_eq!(names(&root), ["hello.txt", "empty", "A Long Directory Name"], "{kind:?}");
        assert_eq!(content(&root.lookup(b"HELLO.TXT").expect("found without case"), 1).expect("read"), b"hello\n");
        assert_eq!(content(&root.lookup(b"empty").expect("found"), 1).expect("read"), b"");
        let dir = root.lookup(b"a long directory name").expect("found").lookup(b"blobs").expect("found");
        assert_eq!((dir.kind(), names(&dir).len()), (Kind::Directory, 42));
        let first = dir.lookup("0123456789abcdef0123456789abcdef-Déjà-vu".as_bytes()).expect("found");
        let second = dir.lookup(b"second.bin").expect("found");
        for step in [1, 3, 16] {
            let want: Vec<u8> = (0..23_u8).flat_map(|round| vec![round; 1500]).collect();
            assert!(content(&first, step).expect("read") == want);
            let want: Vec<u8> = (0..23_u8).flat_map(|round| vec![!round; 700]).collect();
            assert!(content(&second, step).expect("read") == want);
        }
        assert!(Arc::ptr_eq(&first, &dir.lookup(b"012345~1").expect("the short name finds it too")));
        assert_eq!(root.lookup(b"nothing").err().map(|error| error.errno), Some(Errno::ENOENT));
    }
}

#[test]
fn what_is_no_volume_is_refused() {
    assert_eq!(mount(vec![0; 4096]).err(), Some(Errno::EINVAL));
    assert_eq!(mount(vec![0; 100]).err(), Some(Errno::EIO));
    let mut cut = volume(1 << 20, fatfs::FatType::Fat12, 512);
    cut.truncate(1 << 19);
    assert_eq!(mount(cut).err(), Some(Errno::EINVAL));
}

/// Walks everything there is, to a depth, ignoring errors.
fn walk(dir: &InodeRef, depth: usize, budget: &mut usize) {
    let mut found = Vec::new();
    let _ = dir.read_dir(0, &mut |entry| {
        found.push(entry.name.to_vec());
        true
    });
    for name in found {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        match dir.lookup(&name) {
            Ok(child) if child.kind() == Kind::Directory && depth > 0 => walk(&child, depth - 1, budget),
            Ok(child) if child.kind() == Kind::File && child.attr().is_ok_and(|attr| attr.size < 1 << 20) => {
                let _ = content(&child, 4);
            }
            _ => {}
        }
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_volume_does_no_harm(damage in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..60), wide in any::<bool>()) {
        use std::sync::OnceLock;
        static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = SOUND.get_or_init(|| volume(1 << 20, fatfs::FatType::Fat12, 512)).clone();
        // Most of what matters lies in front: boot sector, tables, root directory, first clusters.
        let reach = if wide { 1 << 20 } else { 16 << 10 };
        for (at, byte) in damage {
            bytes[at as usize % reach] = byte;
        }
        // A walk of 300 entries reads some thousand times.
        if let Ok(fs) = Fat::mount(Arc::new(Bounded::new(bytes, 100_000)), 7) {
            walk(&fs.root(), 4, &mut 300);
        }
    }
}
