//! Full disks: `ENOSPC` leaves nothing half made, everything can be removed, the counts return, promises are kept.

mod common;

use common::{DIR, FILE, Rng, mount, mounted, read_all, unmount_clean, volume};
use xv6fs::{Error, FormatOptions, Fs, MemDisk, ROOT_INO, RenameFlags, StatFs};

fn counts(fs: &mut Fs<MemDisk>) -> StatFs {
    fs.commit().expect("commit");
    fs.statfs()
}

fn name(i: usize) -> Vec<u8> {
    format!("a-rather-long-name-so-that-buckets-fill-{i}").into_bytes()
}

#[test]
fn out_of_inodes() {
    let mut fs = mount(volume(2048, &FormatOptions { inodes: 256, ..FormatOptions::default() }));
    fs.create(ROOT_INO, b"seed", &FILE, 0).expect("create");
    fs.unlink(ROOT_INO, b"seed", 0).expect("unlink");
    let before = counts(&mut fs);
    for i in 0..254 {
        fs.create(ROOT_INO, &name(i), &FILE, 0).expect("create");
    }
    assert_eq!(fs.create(ROOT_INO, b"more", &DIR, 0), Err(Error::NoSpace));
    assert_eq!(fs.lookup(ROOT_INO, b"more"), Err(Error::NotFound));
    assert!(!fs.is_read_only(), "a full table is no damage");
    fs.unlink(ROOT_INO, &name(5), 0).expect("unlink");
    fs.create(ROOT_INO, &name(5), &DIR, 0).expect("room for one again");
    fs.rmdir(ROOT_INO, &name(5), 0).expect("rmdir");
    for i in (0..254).filter(|&i| i != 5) {
        fs.unlink(ROOT_INO, &name(i), 0).expect("unlink");
    }
    assert_eq!(counts(&mut fs), before);
    unmount_clean(fs);
}

#[test]
fn kept_space_is_there_when_the_disk_is_full() {
    let mut fs = mounted(2048);
    let [kept, small, fill] =
        [&b"kept"[..], b"small", b"fill"].map(|name| fs.create(ROOT_INO, name, &FILE, 0).expect("create"));
    fs.write_at(small, 0, b"text", 0).expect("write");
    fs.allocate(kept, 5000, 300_000, true).expect("space behind the end");
    fs.allocate(kept, 0, 10_000, false).expect("space");
    let st = fs.stat(kept).expect("stat");
    assert_eq!((st.size, st.blocks), (10_000, 75));
    assert!(read_all(&mut fs, kept).iter().all(|&b| b == 0));
    // Told before anything is done: neither the size nor a part of it.
    let before = counts(&mut fs);
    for keep_size in [false, true] {
        assert_eq!(fs.allocate(small, 0, before.available * 4096 + 1, keep_size), Err(Error::NoSpace));
    }
    assert_eq!((counts(&mut fs), fs.stat(small).expect("stat").size), (before, 4));
    let mut end = 0;
    while fs.write_at(fill, end, &[1; 8192], 0).is_ok() {
        end += 8192;
    }
    let full = counts(&mut fs);
    for keep_size in [false, true] {
        assert_eq!(fs.allocate(small, 0, 1 << 20, keep_size), Err(Error::NoSpace));
        assert_eq!(fs.allocate(kept, 300_000, 1 << 20, keep_size), Err(Error::NoSpace));
    }
    assert_eq!((counts(&mut fs), fs.stat(small).expect("stat").size), (full, 4));
    fs.allocate(kept, 0, 305_000, false).expect("what is kept already takes no room");
    let data: Vec<u8> = (0..305_000u32).map(|i| (i / 7) as u8).collect();
    fs.write_at(kept, 0, &data, 0).expect("the space was kept");
    assert_eq!(read_all(&mut fs, kept), data);
    assert_eq!(counts(&mut fs), full);
    unmount_clean(fs);
}

#[test]
fn a_disk_filled_by_one_file() {
    let mut fs = mounted(2048);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    let before = counts(&mut fs);
    let chunk = vec![0x5a; 100_000];
    let mut written = 0;
    let error = loop {
        match fs.write_at(f, written, &chunk, 0) {
            Ok(()) => written += chunk.len() as u64,
            Err(e) => break e,
        }
    };
    assert_eq!(error, Error::NoSpace);
    assert!(!fs.is_read_only());
    let size = fs.stat(f).expect("stat").size;
    assert!(size >= written && size < written + 100_000, "what was written before stays");
    assert!(read_all(&mut fs, f).iter().all(|&b| b == 0x5a));
    assert!(counts(&mut fs).available < 3, "the disk is truly full");
    assert_eq!(fs.write_at(f, size + 8192, b"x", 0), Err(Error::NoSpace));
    assert_eq!(fs.stat(f).expect("stat").size, size);
    fs.write_at(f, 10, b"over what is there", 0).expect("an overwrite needs no room");
    // Space that is freed can be used at once.
    fs.truncate(f, 50_000).expect("truncate");
    fs.write_at(f, 50_000, &chunk, 0).expect("room again");
    fs.truncate(f, 0).expect("truncate");
    assert_eq!(counts(&mut fs), before);
    unmount_clean(fs);
}

#[test]
fn a_disk_filled_by_directories() {
    let mut fs = mount(volume(700, &FormatOptions { inodes: 4000, ..FormatOptions::default() }));
    fs.create(ROOT_INO, b"first", &FILE, 0).expect("create");
    let before = counts(&mut fs);
    let mut made = Vec::new();
    let mut refused = 0;
    for i in 0usize.. {
        let dir = if i.is_multiple_of(3) || made.is_empty() { ROOT_INO } else { made[made.len() / 2] };
        match fs.create(dir, &name(i), &DIR, 0) {
            Ok(ino) => made.push(ino),
            Err(e) => {
                assert_eq!(e, Error::NoSpace);
                refused += 1;
                if refused == 50 {
                    break;
                }
            }
        }
    }
    assert!(!fs.is_read_only());
    common::assert_clean(&mut unmount_clean_clone(&mut fs));
    // Renaming into a full bucket is refused whole, too.
    let gone = fs.rename(ROOT_INO, b"first", made[0], &[b'n'; 255], RenameFlags::Replace, 0);
    assert!(matches!(gone, Ok(()) | Err(Error::NoSpace)));
    if gone.is_ok() {
        fs.rename(made[0], &[b'n'; 255], ROOT_INO, b"first", RenameFlags::Replace, 0).expect("back");
    }
    remove_below(&mut fs, ROOT_INO);
    fs.create(ROOT_INO, b"first", &FILE, 0).expect("create");
    assert_eq!(counts(&mut fs), before);
    unmount_clean(fs);
}

/// Commits and gives a copy of the disk.
fn unmount_clean_clone(fs: &mut Fs<MemDisk>) -> MemDisk {
    fs.commit().expect("commit");
    fs.disk().clone()
}

fn remove_below(fs: &mut Fs<MemDisk>, dir: u32) {
    for name in common::names(fs, dir) {
        let ino = fs.lookup(dir, &name).expect("lookup");
        if fs.stat(ino).expect("stat").kind == xv6fs::Kind::Dir {
            remove_below(fs, ino);
            fs.rmdir(dir, &name, 0).expect("rmdir on a full disk");
        } else {
            fs.unlink(dir, &name, 0).expect("unlink on a full disk");
        }
    }
}

/// A promise holds even for the worst that a map can be asked: single blocks, scattered, in many files, while others
/// take all the room that is left.
#[test]
fn promises_are_kept() {
    let mut fs = mounted(4096);
    let mut rng = Rng(3);
    let files: Vec<_> = (0..8).map(|i| fs.create(ROOT_INO, &name(i), &FILE, 0).expect("create")).collect();
    let before = counts(&mut fs);
    for _ in 0..3 {
        let mut promised = 0;
        while promised < 600 && fs.reserve(1).is_ok() {
            promised += 1;
        }
        let filler = fs.create(ROOT_INO, b"filler", &FILE, 0).expect("create");
        let mut end = 0;
        while fs.write_at(filler, end, &[1; 65536], 0).is_ok() {
            end += 65536;
        }
        assert_eq!(fs.reserve(1), Err(Error::NoSpace));
        for _ in 0..promised {
            let file = files[rng.below(8) as usize];
            // Every second block, so that no extent grows; some blocks are there already, and use no promise up.
            let at = rng.below(4000) * 8192;
            fs.write_at(file, at, &[2; 4096], 1).expect("a promised write");
        }
        fs.commit().expect("commit");
        assert!(!fs.is_read_only());
        fs.unlink(ROOT_INO, b"filler", 0).expect("unlink");
        fs.commit().expect("commit");
    }
    for i in 0..8 {
        fs.unlink(ROOT_INO, &name(i), 0).expect("unlink");
    }
    let after = counts(&mut fs);
    assert_eq!((after.free, after.available), (before.free, before.available), "all promises are used up");
    fs.reserve(10).expect("reserve");
    let less = counts(&mut fs).available;
    fs.unreserve(10);
    assert_eq!(counts(&mut fs).available, less + 20);
    unmount_clean(fs);
}

/// The dearest writes there are: the leaf is full, and so is the inode above it. The pool pays for both splits.
#[test]
fn promises_cover_splits_of_the_map() {
    let mut fs = mounted(12_000);
    // In order, so that leaves are filled: 340 extents each, one in the twelfth, which fills the inode.
    let extents = 11 * 340 + 1;
    let files = [b"f", b"g"].map(|name| fs.create(ROOT_INO, name, &FILE, 0).expect("create"));
    for f in files {
        for i in 0..extents {
            fs.write_at(f, i * 3 * 4096, b"x", 0).expect("write");
        }
        assert_eq!(fs.stat(f).expect("stat").blocks, extents + 12);
    }
    let filler = fs.create(ROOT_INO, b"filler", &FILE, 0).expect("create");
    fs.reserve(2).expect("reserve");
    let mut end = 0;
    while fs.write_at(filler, end, &[1; 4096], 0).is_ok() {
        end += 4096;
    }
    for f in files {
        fs.write_at(f, 1000 * 3 * 4096 + 4096, b"y", 1).expect("the promised write");
        // One block, one half of a leaf, one level.
        assert_eq!(fs.stat(f).expect("stat").blocks, extents + 12 + 3);
    }
    unmount_clean(fs);
}

/// A file of single-block extents: the map grows to three levels and shrinks away.
#[test]
fn a_scattered_file() {
    let mut fs = mounted(16384);
    let before = counts(&mut fs);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    let mut order: Vec<u64> = (0..6000).collect();
    let mut rng = Rng(11);
    for i in (1..order.len()).rev() {
        order.swap(i, rng.below(i as u64 + 1) as usize);
    }
    for &i in &order {
        fs.write_at(f, i * 8192, &i.to_le_bytes(), 0).expect("write");
    }
    let mut fs = mount(unmount_clean(fs));
    for i in 0..6000u64 {
        let mut word = [0; 8];
        fs.read_at(f, i * 8192, &mut word).expect("read");
        assert_eq!(u64::from_le_bytes(word), i);
        assert_eq!(fs.is_mapped(f, i * 8192 + 4096), Ok(false));
    }
    for &i in order.iter().take(3000) {
        fs.punch(f, i * 8192, 4096).expect("punch");
    }
    let mut fs = mount(unmount_clean(fs));
    for &i in &order[3000..] {
        let mut word = [0; 8];
        fs.read_at(f, i * 8192, &mut word).expect("read");
        assert_eq!(u64::from_le_bytes(word), i);
    }
    for &i in &order[..3000] {
        fs.write_at(f, i * 8192 + 4096, &i.to_le_bytes(), 0).expect("write");
    }
    common::assert_clean(&mut unmount_clean_clone(&mut fs));
    fs.truncate(f, 100 * 8192).expect("truncate");
    common::assert_clean(&mut unmount_clean_clone(&mut fs));
    fs.truncate(f, 0).expect("truncate");
    assert_eq!(fs.stat(f).expect("stat").blocks, 0, "the map is gone, too");
    fs.write_at(f, 0, b"again", 0).expect("write");
    fs.unlink(ROOT_INO, b"f", 0).expect("unlink");
    assert_eq!(counts(&mut fs).free + 1, before.free, "all but the root's bucket");
    unmount_clean(fs);
}
