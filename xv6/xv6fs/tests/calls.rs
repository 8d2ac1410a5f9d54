//! What each call does and refuses, on a small volume in memory.

mod common;

use common::{DIR, FILE, mount, mounted, names, read_all, symlink, unmount_clean, volume};
use xv6fs::{Disk, Error, FormatOptions, Fs, Kind, MemDisk, MountOptions, NewNode, ROOT_INO, RenameFlags, SetAttr};

#[test]
fn format_and_mount() {
    let mut disk = volume(1024, &FormatOptions::default());
    common::assert_clean(&mut disk);
    let mut fs = mount(disk);
    let root = fs.stat(ROOT_INO).expect("stat");
    assert_eq!((root.kind, root.mode, root.nlink), (Kind::Dir, 0o755, 2));
    assert_eq!(fs.lookup(ROOT_INO, b".."), Ok(ROOT_INO));
    let st = fs.statfs();
    assert_eq!(st.blocks, st.free);
    assert_eq!(st.inodes, st.free_inodes + 1);
    unmount_clean(fs);
}

#[test]
fn what_is_no_volume_is_refused() {
    assert_eq!(Fs::mount(MemDisk::new(100), &MountOptions::default()).err(), Some(Error::Corrupt));
    assert_eq!(Fs::mount(MemDisk::new(0), &MountOptions::default()).err(), Some(Error::Io));
    assert_eq!(Fs::format(&mut MemDisk::new(50), &FormatOptions::default()), Err(Error::NoSpace));
    let cut = MemDisk::from_bytes(volume(1024, &FormatOptions::default()).bytes()[..800 * 4096].to_vec());
    assert_eq!(Fs::mount(cut, &MountOptions::default()).err(), Some(Error::Corrupt));
}

#[test]
fn every_kind_survives_a_remount() {
    let mut fs = mounted(1024);
    let long = vec![b'x'; 3000];
    let made = [
        (&b"dir"[..], DIR),
        (b"file", FILE),
        (b"short", symlink(b"/etc/passwd")),
        (b"long", symlink(&long)),
        (b"tty", NewNode { kind: Kind::CharDev, rdev: 0x0501, ..FILE }),
        (b"vda", NewNode { kind: Kind::BlockDev, rdev: 0xfe00, ..FILE }),
        (b"fifo", NewNode { kind: Kind::Fifo, ..FILE }),
        (b"sock", NewNode { kind: Kind::Socket, mode: 0o4711, uid: u32::MAX, ..FILE }),
    ];
    let inos: Vec<_> = made.iter().map(|(n, node)| fs.create(ROOT_INO, n, node, 77).expect("create")).collect();
    let times = SetAttr { mtime: Some(-5), atime: Some(i64::MAX), ..SetAttr::default() };
    fs.set_attr(inos[1], &times).expect("set times");
    let mut fs = mount(unmount_clean(fs));
    for ((name, node), &ino) in made.iter().zip(&inos) {
        assert_eq!(fs.lookup(ROOT_INO, name), Ok(ino));
        let st = fs.stat(ino).expect("stat");
        let nlink = if node.kind == Kind::Dir { 2 } else { 1 };
        assert_eq!((st.kind, st.mode, st.uid, st.gid, st.rdev), (node.kind, node.mode, node.uid, node.gid, node.rdev));
        assert_eq!((st.nlink, st.btime), (nlink, 77));
        match node.kind {
            Kind::Symlink => assert_eq!(fs.read_link(ino).as_deref(), Ok(node.target)),
            _ => assert_eq!(fs.read_link(ino), Err(Error::Invalid)),
        }
    }
    let st = fs.stat(inos[1]).expect("stat");
    assert_eq!((st.mtime, st.atime, st.ctime), (-5, i64::MAX, 77));
    unmount_clean(fs);
}

#[test]
fn names_are_checked() {
    let mut fs = mounted(1024);
    let longest = [b'n'; 255];
    fs.create(ROOT_INO, &longest, &FILE, 0).expect("255 bytes are fine");
    assert!(fs.lookup(ROOT_INO, &longest).is_ok());
    assert_eq!(fs.create(ROOT_INO, &[b'n'; 256], &FILE, 0), Err(Error::NameTooLong));
    assert_eq!(fs.lookup(ROOT_INO, &[b'n'; 256]), Err(Error::NameTooLong));
    for (name, error) in [
        (&b""[..], Error::NotFound),
        (b".", Error::Exists),
        (b"..", Error::Exists),
        (b"a/b", Error::Invalid),
        (b"a\0b", Error::Invalid),
        (&longest, Error::Exists),
    ] {
        assert_eq!(fs.create(ROOT_INO, name, &FILE, 0), Err(error), "{name:?}");
    }
    assert_eq!(fs.create(ROOT_INO, b"l", &symlink(&[b't'; 4096]), 0), Err(Error::NameTooLong));
    assert_eq!(fs.create(ROOT_INO, b"l", &symlink(b""), 0), Err(Error::NotFound));
    unmount_clean(fs);
}

#[test]
fn unlink_rmdir_and_their_refusals() {
    let mut fs = mounted(1024);
    let free = (fs.statfs().free, fs.statfs().free_inodes);
    let dir = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let file = fs.create(dir, b"f", &FILE, 0).expect("create");
    assert_eq!(fs.lookup(dir, b".."), Ok(ROOT_INO));
    assert_eq!(fs.stat(ROOT_INO).expect("stat").nlink, 3);
    assert_eq!(fs.rmdir(ROOT_INO, b"d", 0), Err(Error::NotEmpty));
    assert_eq!(fs.unlink(ROOT_INO, b"d", 0), Err(Error::IsDir));
    assert_eq!(fs.rmdir(dir, b"f", 0), Err(Error::NotDir));
    assert_eq!(fs.unlink(dir, b"g", 0), Err(Error::NotFound));
    assert_eq!(fs.lookup(file, b"x"), Err(Error::NotDir));
    assert_eq!(fs.create(file, b"x", &FILE, 0), Err(Error::NotDir));
    assert_eq!(fs.unlink(dir, b"f", 9), Ok(file));
    assert_eq!(fs.stat(dir).expect("stat").mtime, 9);
    fs.hold(dir);
    assert_eq!(fs.rmdir(ROOT_INO, b"d", 0), Ok(dir));
    assert_eq!(fs.create(dir, b"x", &FILE, 0), Err(Error::NotFound), "a removed directory takes no names");
    fs.release(dir).expect("release");
    assert_eq!(fs.stat(ROOT_INO).expect("stat").nlink, 2);
    fs.commit().expect("commit");
    // The root keeps its first bucket.
    assert_eq!((fs.statfs().free + 1, fs.statfs().free_inodes), free);
    unmount_clean(fs);
}

#[test]
fn hard_links() {
    let mut fs = mounted(1024);
    let dir = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let file = fs.create(ROOT_INO, b"a", &FILE, 0).expect("create");
    fs.link(file, dir, b"b", 5).expect("link");
    assert_eq!(fs.link(file, dir, b"b", 5), Err(Error::Exists));
    assert_eq!(fs.link(dir, ROOT_INO, b"e", 5), Err(Error::IsDir));
    assert_eq!(fs.stat(file).expect("stat").nlink, 2);
    fs.write_at(file, 0, b"shared", 0).expect("write");
    fs.unlink(ROOT_INO, b"a", 6).expect("unlink");
    assert_eq!(read_all(&mut fs, file), b"shared");
    fs.hold(file);
    fs.unlink(dir, b"b", 7).expect("unlink");
    assert_eq!(fs.link(file, dir, b"b", 5), Err(Error::NotFound), "no way back from no names");
    assert_eq!(read_all(&mut fs, file), b"shared", "a held file stays readable");
    fs.release(file).expect("release");
    assert!(fs.stat(file).is_err(), "released and freed");
    unmount_clean(fs);
}

#[test]
fn rename_in_all_its_ways() {
    let mut fs = mounted(1024);
    let d = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let e = fs.create(ROOT_INO, b"e", &DIR, 0).expect("mkdir");
    let a = fs.create(ROOT_INO, b"a", &FILE, 0).expect("create");
    let b = fs.create(d, b"b", &FILE, 0).expect("create");
    let go = RenameFlags::Replace;
    assert_eq!(fs.rename(ROOT_INO, b"a", d, b"b", RenameFlags::NoReplace, 0), Err(Error::Exists));
    fs.rename(ROOT_INO, b"a", d, b"b", RenameFlags::Exchange, 0).expect("exchange");
    assert_eq!((fs.lookup(ROOT_INO, b"a"), fs.lookup(d, b"b")), (Ok(b), Ok(a)));
    assert_eq!(fs.rename(ROOT_INO, b"a", d, b"c", RenameFlags::Exchange, 0), Err(Error::NotFound));
    fs.rename(ROOT_INO, b"a", d, b"b", go, 0).expect("replace");
    assert_eq!((fs.lookup(ROOT_INO, b"a"), fs.lookup(d, b"b")), (Err(Error::NotFound), Ok(b)));
    assert!(fs.stat(a).is_err(), "the replaced file is gone");
    assert_eq!(fs.rename(ROOT_INO, b"d", e, b"x", go, 0), Ok(()), "a directory moves");
    assert_eq!(fs.lookup(d, b".."), Ok(e));
    assert_eq!((fs.stat(ROOT_INO).expect("stat").nlink, fs.stat(e).expect("stat").nlink), (3, 3));
    assert_eq!(fs.rename(ROOT_INO, b"e", d, b"x", go, 0), Err(Error::Invalid), "not below itself");
    assert_eq!(fs.rename(ROOT_INO, b"e", e, b"y", go, 0), Err(Error::Invalid));
    assert_eq!(fs.rename(e, b"x", ROOT_INO, b"e", RenameFlags::Exchange, 0), Err(Error::Invalid));
    assert_eq!(fs.rename(d, b"b", ROOT_INO, b"e", go, 0), Err(Error::IsDir));
    assert_eq!(fs.rename(ROOT_INO, b"e", d, b"b", go, 0), Err(Error::Invalid));
    fs.create(ROOT_INO, b"f", &DIR, 0).expect("mkdir");
    assert_eq!(fs.rename(ROOT_INO, b"f", ROOT_INO, b"e", go, 0), Err(Error::NotEmpty));
    assert_eq!(fs.rename(ROOT_INO, b"f", d, b"b", go, 0), Err(Error::NotDir));
    fs.rename(e, b"x", ROOT_INO, b"f", go, 0).expect("over an empty directory");
    assert_eq!((fs.lookup(d, b".."), fs.stat(ROOT_INO).expect("stat").nlink), (Ok(ROOT_INO), 4));
    fs.link(b, ROOT_INO, b"g", 0).expect("link");
    fs.rename(ROOT_INO, b"g", d, b"b", go, 0).expect("two names of one inode: nothing happens");
    assert_eq!(names(&mut fs, ROOT_INO), [b"e".to_vec(), b"f".to_vec(), b"g".to_vec()]);
    unmount_clean(fs);
}

#[test]
fn holes_tails_and_sizes() {
    let mut fs = mounted(2048);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    fs.write_at(f, 5000, b"middle", 0).expect("write");
    let mut want = vec![0; 5000];
    want.extend_from_slice(b"middle");
    assert_eq!(read_all(&mut fs, f), want);
    assert_eq!(fs.stat(f).expect("stat").blocks, 1);
    assert_eq!((fs.is_mapped(f, 0), fs.is_mapped(f, 4096)), (Ok(false), Ok(true)));
    assert_eq!(fs.next_mapped(f, 10), Ok(Some((4096, 4096))));
    assert_eq!(fs.next_mapped(f, 8192), Ok(None));
    // What a truncation cut off must not come back.
    fs.write_at(f, 5000, &[7; 3000], 0).expect("write");
    fs.truncate(f, 5001).expect("shrink");
    fs.truncate(f, 9000).expect("grow");
    want.truncate(5000);
    want.push(7);
    want.resize(9000, 0);
    assert_eq!(read_all(&mut fs, f), want);
    fs.truncate(f, 5001).expect("shrink");
    fs.write_at(f, 5003, b"x", 0).expect("write behind the end");
    want.truncate(5001);
    want.extend_from_slice(&[0, 0, b'x']);
    assert_eq!(read_all(&mut fs, f), want);
    assert_eq!(fs.read_at(f, 1 << 40, &mut [0; 10]), Ok(0));
    assert_eq!(fs.write_at(f, u64::MAX - 2, b"abcd", 0), Err(Error::TooBig));
    assert_eq!(fs.truncate(f, 1 << 50), Err(Error::TooBig));
    assert_eq!(fs.write_at(ROOT_INO, 0, b"x", 0), Err(Error::IsDir));
    unmount_clean(fs);
}

#[test]
fn allocate_and_punch() {
    let mut fs = mounted(2048);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    let data: Vec<u8> = (0..100_000u32).map(|i| i as u8 | 1).collect();
    fs.write_at(f, 0, &data, 0).expect("write");
    let blocks = fs.stat(f).expect("stat").blocks;
    fs.punch(f, 5000, 50_000).expect("punch");
    let mut want = data;
    want[5000..55_000].fill(0);
    assert_eq!(read_all(&mut fs, f), want);
    assert_eq!(fs.stat(f).expect("stat").blocks, blocks - 11);
    fs.allocate(f, 0, 200_000, false).expect("allocate");
    want.resize(200_000, 0);
    assert_eq!(read_all(&mut fs, f), want);
    assert_eq!(fs.stat(f).expect("stat").blocks, 49);
    fs.allocate(f, 200_000, 100_000, true).expect("allocate");
    let st = fs.stat(f).expect("stat");
    assert_eq!((st.size, st.blocks), (200_000, 74));
    fs.punch(f, 0, u64::MAX).expect("punch all");
    assert!(read_all(&mut fs, f).iter().all(|&b| b == 0));
    unmount_clean(fs);
}

#[test]
fn a_page_cache_writes_by_blocks() {
    let mut fs = mounted(2048);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    fs.write_at(f, 0, &[9; 4096 + 10], 0).expect("write");
    fs.truncate(f, 5).expect("leaves bytes behind the end");
    fs.reserve(4).expect("reserve");
    let pages = vec![7u8; 4 * 4096];
    let mut calls = 0;
    fs.write_blocks(f, 2, 4, 4096 * 5 + 100, 4, &mut |disk, place, range| {
        calls += 1;
        disk.write(place, &pages[range.start * 4096..range.end * 4096])
    })
    .expect("write_blocks");
    assert_eq!(calls, 1, "new blocks lie together");
    let mut want = vec![9; 5];
    want.resize(8192, 0);
    want.extend_from_slice(&pages[..4096 * 3 + 100]);
    assert!(read_all(&mut fs, f) == want);
    let mut runs = Vec::new();
    let size = fs.locate(f, 0, 8, &mut |place, n| runs.push((place.is_some(), n))).expect("locate");
    assert_eq!((size, runs), (4096 * 5 + 100, vec![(true, 1), (false, 1), (true, 4), (false, 2)]));
    fs.write_blocks(f, 1, 2, 0, 0, &mut |disk, place, range| disk.write(place, &pages[..range.len() * 4096]))
        .expect("over a hole and what is there; the file does not shrink");
    want[4096..8192].fill(7);
    assert!(read_all(&mut fs, f) == want);
    let available = fs.statfs().available;
    fs.reserve(1).expect("reserve");
    fs.unreserve(1);
    assert_eq!(fs.statfs().available, available, "the promise was used up before");
    let refused = fs.write_blocks(f, u64::from(u32::MAX) - 1, 1, 0, 0, &mut |_, _, _| Ok(()));
    assert_eq!(refused, Err(Error::TooBig));
    assert_eq!(fs.write_blocks(f, 50, 1, 0, 0, &mut |_, _, _| Err(Error::Io)), Err(Error::Io));
    assert!(fs.is_read_only(), "a failed write ends writing");
}

#[test]
fn attributes_of_the_overlay() {
    let mut fs = mounted(1024);
    let d = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let opaque = b"trusted.overlay.opaque";
    assert_eq!(fs.get_xattr(d, opaque), Err(Error::NoAttr));
    assert_eq!(fs.set_xattr(d, opaque, None), Err(Error::NoAttr));
    fs.set_xattr(d, opaque, Some(b"y")).expect("set");
    fs.set_xattr(d, b"user.note", Some(&[9; 1000])).expect("set");
    fs.set_xattr(d, b"user.note", Some(b"short")).expect("replace");
    assert_eq!(fs.set_xattr(d, b"user.big", Some(&[9; 4090])), Err(Error::NoSpace));
    let mut fs = mount(unmount_clean(fs));
    assert_eq!(fs.get_xattr(d, opaque).as_deref(), Ok(&b"y"[..]));
    assert_eq!(fs.get_xattr(d, b"user.note").as_deref(), Ok(&b"short"[..]));
    let mut list = Vec::new();
    fs.list_xattr(d, &mut |n| list.push(n.to_vec())).expect("list");
    assert_eq!(list, [opaque.to_vec(), b"user.note".to_vec()]);
    fs.set_xattr(d, opaque, None).expect("remove");
    assert_eq!(fs.get_xattr(d, opaque), Err(Error::NoAttr));
    fs.rmdir(ROOT_INO, b"d", 0).expect("rmdir frees the attributes, says the check");
    unmount_clean(fs);
}

#[test]
fn a_read_only_mount_writes_nothing() {
    let mut fs = mounted(1024);
    fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    let disk = fs.unmount().expect("unmount");
    let before = disk.bytes().to_vec();
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let mut fs = Fs::mount(disk, &options).expect("mount");
    let f = fs.lookup(ROOT_INO, b"f").expect("lookup");
    assert_eq!(fs.create(ROOT_INO, b"g", &FILE, 0), Err(Error::ReadOnly));
    assert_eq!(fs.write_at(f, 0, b"x", 0), Err(Error::ReadOnly));
    assert_eq!(fs.unlink(ROOT_INO, b"f", 0), Err(Error::ReadOnly));
    assert_eq!(fs.truncate(f, 10), Err(Error::ReadOnly));
    assert_eq!(fs.reserve(1), Err(Error::ReadOnly));
    let disk = fs.unmount().expect("unmount");
    assert!(disk.bytes() == before, "the disk changed");
}

#[test]
fn a_failed_write_turns_the_volume_read_only() {
    let disk = common::Recorder::new(volume(1024, &FormatOptions::default()));
    let fail = disk.fail_writes.clone();
    let mut fs = mount(disk);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    fs.commit().expect("commit");
    *fail.borrow_mut() = true;
    assert_eq!(fs.write_at(f, 0, b"lost", 0), Err(Error::Io));
    *fail.borrow_mut() = false;
    assert_eq!(fs.create(ROOT_INO, b"g", &FILE, 0), Err(Error::ReadOnly));
    assert_eq!(fs.commit(), Err(Error::Io), "fsync must not claim success");
    assert_eq!((fs.failure(), fs.make_writable()), (Some(Error::Io), Err(Error::ReadOnly)), "for good");
    assert_eq!(fs.lookup(ROOT_INO, b"f"), Ok(f), "reading goes on");
    let mut disk = fs.disk().disk.clone();
    common::assert_clean(&mut disk);
}

/// A volume with a log to replay and an orphan to free, mounted read-only, becomes writable as a mount would have made it.
#[test]
fn a_read_only_mount_becomes_writable() {
    let mut fs = mounted(1024);
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    fs.write_at(f, 0, b"kept", 0).expect("write");
    let orphan = fs.create(ROOT_INO, b"orphan", &FILE, 0).expect("create");
    fs.hold(orphan);
    fs.unlink(ROOT_INO, b"orphan", 0).expect("unlink");
    fs.commit().expect("commit");
    let disk = fs.disk().clone();
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let mut fs = Fs::mount(disk, &options).expect("mount");
    let inodes = fs.statfs().free_inodes;
    assert_eq!(fs.create(ROOT_INO, b"g", &FILE, 0), Err(Error::ReadOnly));
    fs.make_writable().expect("writable");
    assert_eq!(fs.statfs().free_inodes, inodes + 1, "the orphan is gone");
    fs.make_writable().expect("it is already");
    fs.create(ROOT_INO, b"g", &FILE, 0).expect("create");
    fs.write_at(f, 4, b" and more", 0).expect("write");
    let mut fs = mount(unmount_clean(fs));
    assert!(fs.lookup(ROOT_INO, b"g").is_ok());
    assert_eq!(read_all(&mut fs, f), b"kept and more");
}
