//! Large directories: 10,000 entries stay fast, cursors stay true, an unlucky hash is refused cleanly.

mod common;

use std::collections::BTreeSet;

use common::{FILE, Recorder, Rng, mount, mounted, names, unmount_clean, volume};
use xv6fs::{DirEntry, FormatOptions, Fs, Ino, MemDisk, ROOT_INO};

const MANY: usize = 10_000;

fn name(i: usize) -> Vec<u8> {
    format!("entry-{i:05}").into_bytes()
}

fn fill(fs: &mut Fs<MemDisk>) -> Ino {
    let dir = fs.create(ROOT_INO, b"many", &common::DIR, 0).expect("mkdir");
    let file = fs.create(ROOT_INO, b"file", &FILE, 0).expect("create");
    for i in 0..MANY {
        fs.link(file, dir, &name(i), 0).expect("link");
    }
    dir
}

#[test]
fn ten_thousand_entries() {
    let mut fs = mounted(4096);
    let dir = fill(&mut fs);
    let blocks = fs.stat(dir).expect("stat").blocks;
    assert!(blocks < 160, "24 bytes an entry, buckets two thirds full: {blocks} blocks");
    let mut fs = mount(unmount_clean(fs));
    let file = fs.lookup(ROOT_INO, b"file").expect("lookup");
    for i in (0..MANY).rev() {
        assert_eq!(fs.lookup(dir, &name(i)), Ok(file));
    }
    assert!(fs.lookup(dir, b"entry-10000").is_err());
    assert!(names(&mut fs, dir) == (0..MANY).map(name).collect::<Vec<_>>());
    for i in 0..MANY {
        fs.unlink(dir, &name(i), 0).expect("unlink");
    }
    assert!(fs.stat(dir).expect("stat").blocks <= 2, "only the first bucket and its map block stay");
    fs.rmdir(ROOT_INO, b"many", 0).expect("rmdir");
    unmount_clean(fs);
}

/// One more entry in a large directory reads and writes as little as in a small one.
#[test]
fn a_large_directory_costs_no_more_io() {
    let mut fs = mounted(4096);
    let dir = fill(&mut fs);
    let recorder = Recorder::new(fs.unmount().expect("unmount"));
    let events = recorder.events.clone();
    let mut fs = mount(recorder);
    let file = fs.lookup(ROOT_INO, b"file").expect("lookup");
    fs.link(file, dir, b"one more", 0).expect("link");
    fs.commit().expect("commit");
    let written: usize = events
        .borrow()
        .iter()
        .map(|e| match e {
            common::Event::Write(_, data) => data.len() / 4096,
            common::Event::Flush => 0,
        })
        .sum();
    assert!(written <= 11, "inode block, bucket, state, each to the log and home, one header: {written}");
}

#[test]
fn cursors_stay_true_while_entries_come_and_go() {
    let mut fs = mounted(4096);
    let dir = fill(&mut fs);
    let file = fs.lookup(ROOT_INO, b"file").expect("lookup");
    let mut rng = Rng(1);
    let (mut seen, mut cursor, mut fresh) = (Vec::new(), 0, 0);
    let mut gone = BTreeSet::new();
    loop {
        let before = seen.len();
        // A call takes 100 entries; between calls names come and go, so buckets split and vanish.
        let mut left = 100;
        let from = cursor;
        let mut take = |e: DirEntry<'_>| {
            if left == 0 {
                return false;
            }
            left -= 1;
            cursor = e.next;
            seen.push(e.name.to_vec());
            true
        };
        fs.read_dir(dir, from, &mut take).expect("read_dir");
        if seen.len() == before {
            break;
        }
        for _ in 0..40 {
            let i = rng.below(MANY as u64) as usize;
            if i.is_multiple_of(2) && gone.insert(i) {
                fs.unlink(dir, &name(i), 0).expect("unlink");
            }
            fs.link(file, dir, format!("fresh-{fresh}").as_bytes(), 0).expect("link");
            fresh += 1;
        }
    }
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "nothing twice");
    for i in (1..MANY).step_by(2) {
        assert!(unique.contains(&name(i)), "{i} was there all the time and must be shown");
    }
    assert!(i64::try_from(cursor).is_ok(), "a cursor is an off_t");
    unmount_clean(fs);
}

/// Long names: few fit a bucket, and their sizes make uneven halves.
#[test]
fn long_and_short_names_mix() {
    let mut fs = mount(volume(10_000, &FormatOptions { fsid: 99, ..FormatOptions::default() }));
    let mut rng = Rng(7);
    let mut all = BTreeSet::new();
    let file = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    all.insert(b"f".to_vec());
    for i in 0..12_000 {
        let len = if rng.below(2) == 0 { 240 + rng.below(12) } else { rng.below(5) };
        let name = [format!("{i}").as_bytes(), &vec![b'x'; len as usize][..]].concat();
        let name = &name[..name.len().min(255)];
        fs.link(file, ROOT_INO, name, 0).expect("link");
        all.insert(name.to_vec());
        if rng.below(9) == 0 {
            let pick = rng.below(all.len() as u64) as usize;
            let victim = all.iter().nth(pick % 50).expect("picked").clone();
            if victim != b"f" {
                fs.unlink(ROOT_INO, &victim, 0).expect("unlink");
                all.remove(&victim);
            }
        }
    }
    assert!(names(&mut fs, ROOT_INO) == all.iter().cloned().collect::<Vec<_>>());
    assert!(fs.stat(ROOT_INO).expect("stat").blocks > 400, "more buckets than one map block has entries");
    // Buckets vanish, also the first ones of their map blocks; what was theirs goes to the one before.
    for (i, name) in all.iter().enumerate().filter(|(i, _)| i % 500 != 0) {
        fs.unlink(ROOT_INO, name, 0).unwrap_or_else(|e| panic!("unlink {i}: {e}"));
    }
    let left: BTreeSet<_> = all.iter().step_by(500).cloned().collect();
    for name in &all {
        assert_eq!(fs.lookup(ROOT_INO, name).is_ok(), left.contains(name));
    }
    for name in &all {
        assert_eq!(fs.link(file, ROOT_INO, name, 0).is_ok(), !left.contains(name));
    }
    assert!(names(&mut fs, ROOT_INO) == all.iter().cloned().collect::<Vec<_>>());
    unmount_clean(fs);
}
