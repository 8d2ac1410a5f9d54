//! Power cuts: a guest works on a disk whose every write is logged; the disk is rebuilt as a cut at any moment may have left it.
//!
//! Beside the two `probe synced`, whose changes are promised to survive, containers start and stop and files are copied about. Each cut
//! disk must check clean, mount by the kernel's own code, and hold what was promised ([`promises`]); some are really booted, and there
//! `conductor` has cleaned up. `XV6_CRASH_POINTS` sets how many cuts lose or reorder writes (2,000), beside those after every single write.

#[path = "powercut/promises.rs"]
mod promises;

use harness::fixture::{Booted, boot, machine, root_disk};
use harness::writelog::{CutDisk, Rebuilder, SECTOR, WriteLog};
use harness::{Drive, Writes};
use promises::Promises;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use xv6fs::{BLOCK_SIZE, Disk, Error, Fs, Ino, MountOptions, ROOT_INO};

/// MiB of the root disk.
const SIZE: u64 = 80;
/// Where the promises are made.
const DIRS: [&str; 2] = ["/root/a", "/root/b"];

/// What the guest does meanwhile.
const WORK: &str = "for i in 1 2 3 4; do \
conductor run --rm sample sh -c 'mkdir /d; cp -r /etc /d; head -c 300000 /bin/sh > /d/f; rm -r /d; echo done > /log'; \
conductor run -d --name c$i sample container_init; \
cp -r /etc /root/etc$i; mv /root/etc$i /root/moved$i; conductor exec c$i touch /x /y; \
if test $i -gt 1; then conductor stop c$i; rm -r /root/moved$i; fi; \
done";

/// One run of the guest.
struct Recorded {
    before: Vec<u8>,
    log: WriteLog,
    promises: Vec<Promises>,
}

/// Runs the guest, once for all tests.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let (disk, log) = (dir.path().join("root.img"), dir.path().join("log"));
        root_disk(&disk, SIZE);
        let before = std::fs::read(&disk).expect("the disk is read");
        let mut guest = boot(&machine("powercut").root(Drive::new(&disk, Writes::Kept).logged(&log)));
        for (seed, dir) in (1..).zip(DIRS) {
            let name = dir.rsplit('/').next().expect("a name");
            guest.ok(&format!("mkdir {dir}; probe synced {dir} 60 {seed} > /run/{name} &")).expect("it starts");
        }
        guest.ok(WORK).expect("the guest works");
        let mut told = DIRS.map(|dir| {
            let name = dir.rsplit('/').next().expect("a name");
            guest.ok(&format!("wait; cat /run/{name}")).expect("the guest answers")
        });
        guest.ok("sync").expect("the guest answers");
        drop(guest);
        let log = WriteLog::read(&log).expect("a write log");
        let promises = DIRS.iter().zip(&mut told).map(|(dir, told)| Promises::read(dir, told, &log)).collect();
        Recorded { before, log, promises }
    })
}

/// A cut disk as the file system library sees it.
struct Volume<'a>(CutDisk<'a>);

const SECTORS: u64 = (BLOCK_SIZE / SECTOR) as u64;

impl Volume<'_> {
    fn check(&self, block: u64, len: usize) -> xv6fs::Result<()> {
        let inside = block.checked_add((len / BLOCK_SIZE) as u64).is_some_and(|end| end <= self.blocks());
        if inside { Ok(()) } else { Err(Error::Io) }
    }
}

impl Disk for Volume<'_> {
    fn blocks(&self) -> u64 {
        self.0.sectors() / SECTORS
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> xv6fs::Result<()> {
        self.check(block, buf.len())?;
        self.0.read(block * SECTORS, buf);
        Ok(())
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> xv6fs::Result<()> {
        self.check(block, buf.len())?;
        self.0.write(block * SECTORS, buf);
        Ok(())
    }
    fn flush(&mut self) -> xv6fs::Result<()> {
        Ok(())
    }
}

/// A small generator (SplitMix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A moment: behind how many requests, and by which seed unflushed sectors are lost (0: none is).
type Cut = (usize, u64);

fn cut<'a>(rebuilder: &'a mut Rebuilder<'_>, (at, seed): Cut) -> CutDisk<'a> {
    let mut rng = Rng(seed);
    // Some disks lose nearly all, some nearly nothing; some lose whole requests, some tear them.
    let (kept, torn) = (rng.below(5), rng.below(2) == 0);
    let (mut last, mut whole) = (usize::MAX, true);
    rebuilder.cut(at, move |number| {
        if torn || number != last {
            last = number;
            whole = rng.below(4) < kept;
        }
        seed == 0 || whole
    })
}

/// Where `path` is on the volume.
fn find(fs: &mut Fs<Volume<'_>>, path: &str) -> Option<Ino> {
    path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT_INO, |dir, name| fs.lookup(dir, name.as_bytes()).ok())
}

fn clean(disk: &mut Volume<'_>, when: &str) -> Result<(), String> {
    let report = xv6fs::check(disk).map_err(|e| format!("{when}: check: {e}"))?;
    if report.problems.is_empty() { Ok(()) } else { Err(format!("{when}: {:#?}", report.problems)) }
}

/// Everything that must hold of the disk after a cut.
fn examine(disk: CutDisk<'_>, at: usize, promises: &[Promises]) -> Result<(), String> {
    let mut disk = Volume(disk);
    clean(&mut disk, "as it was left")?;
    let mut fs = Fs::mount(disk, &MountOptions::default()).map_err(|e| format!("mount: {e}"))?;
    for made in promises {
        let dir = find(&mut fs, made.dir());
        made.hold(&mut fs, dir, at)?;
    }
    let mut disk = fs.unmount().map_err(|e| format!("unmount: {e}"))?;
    clean(&mut disk, "after a mount")
}

#[test]
fn every_cut_leaves_a_sound_disk_with_all_that_was_synced() {
    let recorded = recorded();
    let requests = recorded.log.entries().len();
    let wanted: usize = std::env::var("XV6_CRASH_POINTS").ok().map_or(2000, |n| n.parse().expect("a number"));
    let mut rng = Rng(wanted as u64);
    let lossy = (1..=wanted as u64).map(|seed| (rng.below(requests as u64 + 1) as usize, seed));
    let mut cuts: Vec<Cut> = (0..=requests).map(|at| (at, 0)).chain(lossy).collect();
    cuts.sort_unstable();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut rebuilder = Rebuilder::new(&recorded.log, recorded.before.clone());
                while let Some(&moment) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = examine(cut(&mut rebuilder, moment), moment.0, &recorded.promises);
                    result.unwrap_or_else(|why| panic!("a cut at {moment:?} of {requests}: {why}"));
                }
            });
        }
    });
    println!("{} cuts in {requests} requests", cuts.len());
}

/// The containers that `ps -a` shows: name and status.
fn containers(guest: &mut Booted) -> Vec<(String, String)> {
    let output = guest.conductor().verb(&["ps", "-a"]).expect("the guest answers");
    assert_eq!(output.status, 0, "{}", output.text);
    // The status lies between the command's 24 characters and the pid.
    let row = |line: &str| {
        let name = line.rsplit(' ').next().expect("a name").to_owned();
        (name, line[12 + 2 + 16 + 2 + 24 + 2..][..12].trim().to_owned())
    };
    output.text.lines().skip(1).map(row).collect()
}

/// Boots `disk`, where conductor must find the containers whole or not at all, and work.
fn boot_and_use(disk: &Path) {
    let mut guest = boot(&machine("powercut-again").keep_root(disk));
    for (name, status) in containers(&mut guest) {
        assert!(status.starts_with("exited"), "{name} is {status} after a power cut");
    }
    let listed = guest.ok("conductor ps -aq | sort").expect("the guest answers");
    let folders = guest.ok("ls -A /var/lib/conductor/containers 2>/dev/null | sort").expect("the guest answers");
    assert_eq!(folders, listed, "a folder is no container's");
    assert_eq!(guest.ok("conductor run --rm sample echo works").expect("a container"), "works\n");
    drop(guest);
    let report = fsbuild::root::check(disk).expect("the disk is read");
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
}

#[test]
fn a_cut_disk_boots_and_conductor_works_there() {
    let recorded = recorded();
    let requests = recorded.log.entries().len();
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("root.img");
    let mut rebuilder = Rebuilder::new(&recorded.log, recorded.before.clone());
    for moment in [(requests / 3, 11), (requests / 2, 0), (requests * 2 / 3, 12), (requests * 5 / 6, 13)] {
        cut(&mut rebuilder, moment).save(&disk).expect("saved");
        boot_and_use(&disk);
    }
}

#[test]
fn conductor_cleans_up_at_its_first_start_after_a_boot() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("root.img");
    root_disk(&disk, SIZE);
    let mut guest = boot(&machine("half-made").keep_root(&disk));
    let at = "/var/lib/conductor/containers";
    guest.conductor().start(&["--name", "ran", "sample", "container_init"]).expect("it starts");
    guest.conductor().start(&["--name", "vanishes", "--rm", "sample", "container_init"]).expect("it starts");
    // As cuts leave them: the files of a folder came to the disk at different times.
    for (name, damage) in [
        ("ended", "true"),
        ("unstarted", "echo '{\"pid\":0,\"started\":0,\"exit\":null}' > $d/state.json"),
        ("unnoted", ": > $d/state.json"),
        ("unwritten", ": > $d/config.json"),
    ] {
        guest.ok(&format!("conductor run --name {name} sample sh -c 'exit 0'")).expect("it runs");
        let id = guest.ok("conductor ps -aq").expect("the guest answers");
        let find = format!("for d in {at}/*; do grep -q '\"name\": \"{name}\"' $d/config.json && break; done");
        guest.ok(&format!("{find}; {damage}")).unwrap_or_else(|e| panic!("{name} among {id}: {e}"));
    }
    guest.ok(&format!("mkdir -p {at}/.new-1/upper {at}/.gone-2/upper/x; sync")).expect("the guest answers");
    drop(guest);
    let mut guest = boot(&machine("half-made-again").keep_root(&disk));
    let mut found = containers(&mut guest);
    found.sort();
    let known = [("ended", "exited (0)"), ("ran", "exited (255)"), ("unnoted", "exited (255)")];
    assert_eq!(found, known.map(|(name, status)| (name.to_owned(), status.to_owned())));
    assert_eq!(guest.ok(&format!("ls -A {at} | wc -l")).expect("the guest answers").trim(), "3");
    guest.ok("conductor rm ran unnoted ended").expect("they are removed");
    guest.ok("conductor run --rm --name ran sample true").expect("the name is free");
}
