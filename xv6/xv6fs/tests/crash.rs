//! Power cuts: at every write of a random workload, with what was not flushed kept or lost sector by sector, the volume
//! mounts, checks clean, and holds exactly what some commit left: the last that returned, or the one under way.

mod common;

use common::model::{Model, Op, Snapshot, snapshot};
use common::{Event, Recorder, Rng, after_cut, assert_clean, mount, volume};
use std::collections::BTreeSet;
use xv6fs::{FormatOptions, Fs, Ino, Kind, MemDisk, MountOptions, ROOT_INO};

fn random_op(rng: &mut Rng) -> Op {
    let mut n = |below: u64| rng.below(below) as usize;
    match n(24) {
        0..=5 => Op::Create(n(12), n(40), n(256) as u8),
        6 => Op::Link(n(12), 0, n(12), n(40)),
        7 | 8 => Op::Unlink(n(12), n(40)),
        9 => Op::Rmdir(n(12), n(40)),
        10..=12 => Op::Rename(n(12), n(40), n(12), n(40), n(256) as u8),
        13..=17 => Op::Write(n(12), n(30_000) as u32, n(12_000) as u16, n(256) as u8),
        18 | 19 => Op::Truncate(n(12), n(30_000) as u32),
        20 => Op::Punch(n(12), n(30_000) as u32, n(30_000) as u32),
        21 => Op::Hold(n(12)),
        22 => Op::Release,
        _ => Op::Commit,
    }
}

/// A commit that returned: how many events there were, what the volume held, and which files were written over in
/// place before it, since the one before.
struct Committed {
    events: usize,
    began: usize,
    state: Snapshot,
    overwritten: BTreeSet<Ino>,
}

struct Run {
    base: MemDisk,
    events: Vec<Event>,
    commits: Vec<Committed>,
}

fn run(seed: u64, log_blocks: u32) -> Run {
    let base = volume(1000, &FormatOptions { log_blocks, inodes: 128, ..FormatOptions::default() });
    let recorder = Recorder::new(base.clone());
    let events = recorder.events.clone();
    let mut fs = mount(recorder);
    let mut model = Model::new();
    let mut rng = Rng(seed);
    let first = Committed { events: 0, began: 0, state: model.snapshot(), overwritten: BTreeSet::new() };
    let mut commits = vec![first];
    for i in 0..220 {
        let op = if i == 219 { Op::Commit } else { random_op(&mut rng) };
        let began = events.borrow().len();
        model.apply(&mut fs, &op);
        if matches!(op, Op::Commit) {
            let overwritten = std::mem::take(&mut model.overwritten);
            commits.push(Committed { events: events.borrow().len(), began, state: model.snapshot(), overwritten });
        }
    }
    assert!(!fs.is_read_only());
    Run { base, events: events.take(), commits }
}

/// Whether the volume holds that state; contents of files that were written over in place since may differ.
fn holds(found: &Snapshot, want: &Snapshot, overwritten: &BTreeSet<Ino>) -> bool {
    found.len() == want.len()
        && found.iter().zip(want).all(|((path, a), (want_path, b))| {
            let same_data = a.3 == b.3 || (overwritten.contains(&a.0) && a.3.len() == b.3.len());
            path == want_path && (a.0, a.1, a.2) == (b.0, b.1, b.2) && same_data
        })
}

#[test]
fn every_cut_leaves_a_commit() {
    for seed in 1..4 {
        let run = run(seed, 400);
        let mut rng = Rng(seed + 100);
        for at in 0..=run.events.len() {
            let mut disk = after_cut(&run.base, &run.events, at, rng.next() % 5, &mut rng);
            assert_clean(&mut disk);
            let mut fs = mount(disk);
            let found = snapshot(&mut fs);
            let last = run.commits.iter().rposition(|c| c.events <= at).expect("the first is at 0");
            let next = run.commits.get(last + 1);
            let none = BTreeSet::new();
            let over = next.map_or(&none, |c| &c.overwritten);
            let holds_last = holds(&found, &run.commits[last].state, over);
            // A commit under way may have become durable.
            let holds_next = next.is_some_and(|c| c.began < at && holds(&found, &c.state, &none));
            assert!(holds_last || holds_next, "seed {seed}: a cut at event {at} of {}", run.events.len());
            let mut disk = fs.unmount().expect("unmount");
            assert_clean(&mut disk);
        }
    }
}

/// With the smallest log commits happen inside long operations; then any of them may be what is found.
#[test]
fn every_cut_with_a_small_log_checks_clean() {
    let base = volume(1500, &FormatOptions { log_blocks: 96, inodes: 640, ..FormatOptions::default() });
    let recorder = Recorder::new(base.clone());
    let events = recorder.events.clone();
    // And with the smallest cache: most of it is dirty most of the time.
    let mut fs = Fs::mount(recorder, &MountOptions { cache_blocks: 0, ..MountOptions::default() }).expect("mount");
    let mut rng = Rng(42);
    let scattered = fs.create(ROOT_INO, b"scattered", &common::FILE, 0).expect("create");
    for i in 0..400 {
        fs.write_at(scattered, (i * 37 % 400) * 8192, &[i as u8], 0).expect("write");
        let dir = fs.create(ROOT_INO, format!("dir{i}").as_bytes(), &common::DIR, 0).expect("mkdir");
        if i % 3 == 0 {
            fs.create(dir, b"file", &common::FILE, 0).expect("create");
        }
    }
    fs.truncate(scattered, 100).expect("truncate");
    fs.hold(scattered);
    fs.unlink(ROOT_INO, b"scattered", 0).expect("unlink");
    fs.commit().expect("commit");
    let events = events.take();
    for at in (0..=events.len()).rev().take(60).chain((0..events.len()).step_by(17)) {
        let mut disk = after_cut(&base, &events, at, rng.next() % 5, &mut rng);
        assert_clean(&mut disk);
        let mut fs = mount(disk);
        let names = common::names(&mut fs, ROOT_INO);
        assert_clean(&mut fs.unmount().expect("unmount"));
        if at == events.len() {
            assert!(!names.contains(&b"scattered".to_vec()) && names.len() == 400);
        }
    }
}

/// An unlinked file that was open at the cut is freed by the next mount; a read-only mount leaves it alone.
#[test]
fn orphans_are_freed_by_the_next_mount() {
    let mut fs = mount(volume(1000, &FormatOptions::default()));
    let free = (fs.statfs().free, fs.statfs().free_inodes);
    for i in 0..5u8 {
        let f = fs.create(ROOT_INO, &[b'a' + i], &common::FILE, 0).expect("create");
        fs.write_at(f, 0, &[i; 20_000], 0).expect("write");
        fs.hold(f);
        fs.unlink(ROOT_INO, &[b'a' + i], 0).expect("unlink");
        if i == 1 {
            fs.commit().expect("commit");
        }
        if i == 2 {
            // Out of the list's middle.
            fs.release(f - 1).expect("release");
        }
    }
    fs.commit().expect("commit");
    let mut disk = fs.disk().clone();
    let report = xv6fs::check(&mut disk).expect("check");
    assert_eq!((report.problems.len(), report.orphans, report.needs_replay), (0, 4, true));
    let mut fs = mount(disk);
    fs.commit().expect("commit");
    assert_eq!((fs.statfs().free + 1, fs.statfs().free_inodes), free, "all but the root's bucket");
    common::unmount_clean(fs);
}

/// A commit with nothing to do costs nothing, and one file made and removed between commits never touches the disk.
#[test]
fn what_lives_between_commits_costs_no_io() {
    let recorder = Recorder::new(volume(1000, &FormatOptions::default()));
    let events = recorder.events.clone();
    let mut fs: Fs<Recorder> = mount(recorder);
    fs.create(ROOT_INO, b"seed", &common::FILE, 0).expect("create");
    fs.commit().expect("commit");
    fs.commit().expect("the first commit's homes are flushed");
    let before = events.borrow().len();
    fs.commit().expect("commit");
    assert_eq!(events.borrow().len(), before, "an idle commit does nothing");
    for i in 0..1000 {
        let f = fs.create(ROOT_INO, b"temp", &common::FILE, i).expect("create");
        fs.reserve(1).expect("reserve");
        fs.hold(f);
        assert_eq!(fs.stat(f).expect("stat").kind, Kind::File);
        fs.unlink(ROOT_INO, b"temp", i).expect("unlink");
        fs.unreserve(1);
        fs.release(f).expect("release");
    }
    assert_eq!(events.borrow().len(), before);
}
