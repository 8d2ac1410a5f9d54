//! Host tests: archives that the `tar` crate wrote are read back, OCI whiteouts are translated, damage does no harm.

use super::TarFs;
use super::index::{Index, MAX_NODES};
use crate::error::Errno;
use crate::fs::bytes::Bounded;
use crate::vfs::inode::{FileSystem, InodeRef, Kind};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use hal::frame::{Frame, SIZE};
use proptest::prelude::any;
use tar::{Builder, EntryType, Header};

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o640);
    header.set_uid(1000);
    header.set_gid(3_000_000);
    header.set_mtime(1_700_000_000);
    header
}

struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Archive {
        Archive(Builder::new(Vec::new()))
    }

    fn file(&mut self, path: &str, data: &[u8]) -> &mut Archive {
        self.0.append_data(&mut header(EntryType::Regular, data.len() as u64), path, data).expect("appending");
        self
    }

    fn dir(&mut self, path: &str) -> &mut Archive {
        self.0.append_data(&mut header(EntryType::Directory, 0), path, &[][..]).expect("appending");
        self
    }

    fn link(&mut self, kind: EntryType, path: &str, target: &str) -> &mut Archive {
        self.0.append_link(&mut header(kind, 0), path, target).expect("appending");
        self
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.0.finish().expect("finishing");
        self.0.get_ref().clone()
    }

    fn mount(&mut self) -> Arc<TarFs> {
        TarFs::mount(Arc::new(self.bytes()), 9).expect("a sound archive")
    }
}

fn find(fs: &Arc<TarFs>, path: &str) -> Result<InodeRef, Errno> {
    path.split('/').try_fold(fs.root(), |dir, name| dir.lookup(name.as_bytes())).map_err(|error| error.errno)
}

fn content(file: &InodeRef) -> Vec<u8> {
    let pages = file.pages().expect("a file has pages");
    let size = file.attr().expect("attributes").size as usize;
    let frames: Vec<Frame> = (0..size.div_ceil(SIZE)).map(|index| pages.get(index as u64).expect("reading")).collect();
    let mut bytes = vec![0; frames.len() * SIZE];
    for (frame, page) in frames.iter().zip(bytes.chunks_mut(SIZE)) {
        frame.read(0, page);
    }
    assert!(bytes[size..].iter().all(|byte| *byte == 0));
    bytes.truncate(size);
    bytes
}

#[test]
fn a_files_pages_outlive_its_inode_and_do_not_keep_the_archive() {
    let fs = Archive::new().file("bin/sh", b"text").mount();
    let pages = || find(&fs, "bin/sh").expect("the file").pages().expect("its pages");
    assert_eq!(content(&find(&fs, "bin/sh").expect("the file")), b"text");
    assert_eq!((pages().pages(), fs.nodes.lock().len()), (1, 0));
    assert!(Arc::ptr_eq(&pages(), &pages()));
    let gone = Arc::downgrade(&fs);
    drop(fs);
    assert!(gone.upgrade().is_none());
}

#[test]
fn members_of_every_kind_are_found() {
    let long = format!("{}/{}", "d".repeat(200), "n".repeat(200));
    let big: Vec<u8> = (0..10_000_u32).map(|index| (index * 7) as u8).collect();
    let mut archive = Archive::new();
    archive.dir("bin").file("bin/sh", &big).link(EntryType::Symlink, "bin/ash", "sh").link(
        EntryType::Link,
        "usr/sh2",
        "bin/sh",
    );
    archive.file(&long, b"long").file("./etc//passwd", b"root").file("bin/sh3", b"");
    let fs = archive.mount();
    let sh = find(&fs, "bin/sh").expect("found");
    let attr = sh.attr().expect("attributes");
    assert_eq!((attr.mode, attr.uid, attr.gid, attr.mtime.sec, attr.nlink), (0o640, 1000, 3_000_000, 1_700_000_000, 2));
    assert!(content(&sh) == big);
    assert!(Arc::ptr_eq(&sh, &find(&fs, "usr/sh2").expect("a hard link")));
    assert_eq!(find(&fs, "bin/ash").expect("found").read_link().expect("a symlink"), b"sh");
    assert_eq!(content(&find(&fs, &long).expect("a long name")), b"long");
    assert_eq!(content(&find(&fs, "etc/passwd").expect("found")), b"root");
    assert_eq!(find(&fs, "bin/nothing").err(), Some(Errno::ENOENT));
    assert_eq!(find(&fs, "bin/sh/x").err(), Some(Errno::ENOTDIR));
    let mut names: Vec<String> = Vec::new();
    let bin = find(&fs, "bin").expect("found");
    let mut cursor = 0;
    // One entry at a time: the cursor must carry on.
    while names.len() < 3 {
        bin.read_dir(cursor, &mut |entry| {
            names.push(String::from_utf8_lossy(entry.name).to_string());
            cursor = entry.next;
            false
        })
        .expect("reading a directory");
    }
    assert_eq!(names, ["ash", "sh", "sh3"]);
}

#[test]
fn pax_records_override_the_header() {
    let mut archive = Archive::new();
    archive
        .0
        .append_pax_extensions([("path", &b"etc/\xc3\xa4"[..]), ("mtime", b"12.5"), ("SCHILY.xattr.user.x", b"value")])
        .expect("appending");
    archive.file("ignored", b"text");
    let fs = archive.mount();
    let node = find(&fs, "etc/ä").expect("the pax path counts");
    let attr = node.attr().expect("attributes");
    assert_eq!((attr.mtime.sec, attr.mtime.nsec), (12, 500_000_000));
    assert_eq!(node.get_xattr(b"user.x").expect("an attribute"), b"value");
    assert_eq!(find(&fs, "ignored").err(), Some(Errno::ENOENT));
}

#[test]
fn whiteouts_become_the_overlays() {
    let mut archive = Archive::new();
    archive.file("etc/.wh.gone", b"").file("opaque/.wh..wh..opq", b"").file(".wh..wh.plnk", b"");
    archive.file(".wh.both", b"").file("both/inner", b"x").dir("also").file(".wh.also", b"");
    let fs = archive.mount();
    let gone = find(&fs, "etc/gone").expect("a whiteout");
    assert_eq!((gone.kind(), gone.attr().expect("attributes").rdev), (Kind::CharDevice, 0));
    for dir in ["opaque", "both", "also"] {
        let dir = find(&fs, dir).expect("a directory");
        assert_eq!(dir.kind(), Kind::Directory);
        assert_eq!(dir.get_xattr(b"trusted.overlay.opaque").expect("opaque"), b"y");
    }
    assert_eq!(
        find(&fs, "etc").expect("found").get_xattr(b"trusted.overlay.opaque").err().map(|e| e.errno),
        Some(Errno::ENODATA)
    );
    assert_eq!(find(&fs, ".wh..wh.plnk").err(), Some(Errno::ENOENT));
}

#[test]
fn hostile_archives_are_refused() {
    let errno = |bytes: Vec<u8>| Index::build(&bytes).err().map(|error| error.errno);
    assert_eq!(errno(vec![1; 2048]), Some(Errno::EINVAL));
    assert_eq!(errno(Archive::new().link(EntryType::Link, "a", "missing").bytes()), Some(Errno::EUCLEAN));
    assert_eq!(errno(Archive::new().file(&"d/".repeat(200), b"").bytes()), Some(Errno::EUCLEAN));
    let mut cut = Archive::new().file("a", &[1; 4000]).bytes();
    cut.truncate(1024);
    assert_eq!(errno(cut), Some(Errno::EUCLEAN));
    assert_eq!(errno(Vec::new()), None, "an empty archive is an empty directory");
    let mut raw = header(EntryType::Regular, 0);
    raw.as_gnu_mut().expect("gnu").name[..8].copy_from_slice(b"a/../../");
    raw.set_cksum();
    assert_eq!(errno(raw.as_bytes().to_vec()), Some(Errno::EUCLEAN));
    // A few kilobytes of header must not make more than so many nodes.
    let mut many = Archive::new();
    for index in 0..3000 {
        many.file(&format!("{index}/{}x", "d/".repeat(120)), b"");
    }
    assert_eq!(errno(many.bytes()), Some(Errno::EUCLEAN));
    const { assert!(MAX_NODES < 3000 * 120) };
}

proptest::proptest! {
    #[test]
    fn a_damaged_archive_does_no_harm(damage in proptest::collection::vec((any::<u32>(), any::<u8>()), 0..12), fix in any::<bool>()) {
        let mut archive = Archive::new();
        archive.dir("a").file("a/b", &[7; 5000]).link(EntryType::Symlink, "a/c", "b").link(EntryType::Link, "a/d", "a/b");
        archive.file(&format!("{}/x", "long".repeat(60)), b"tail");
        archive.0.append_pax_extensions([("path", &b"pax/path"[..]), ("mtime", b"1.5")]).expect("appending");
        let mut bytes = archive.file("pax", b"text").bytes();
        for (at, byte) in damage {
            let at = at as usize % bytes.len();
            bytes[at] = byte;
            if fix {
                // Make the checksum right again, so that the damage reaches the parser.
                let start = at / 512 * 512;
                let mut block = Header::new_old();
                block.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
                block.set_cksum();
                bytes[start..start + 512].copy_from_slice(block.as_bytes());
            }
        }
        // A header is read at most twice, and there are about twenty blocks.
        let len = bytes.len() as u64;
        if let Ok(index) = Index::build(&Bounded::new(bytes, 1000)) {
            for node in &index.nodes {
                assert!(node.kind != Kind::File || node.data + node.size <= len);
            }
        }
    }
}
