//! Damaged volumes: whatever bytes are flipped, check and mount end without a panic, and so does use of what mounts. That they end is
//! looked at, too: a [`Bounded`] disk is not read for ever, and a round that reads nothing has its time ([`within`]).
//! `XV6_DAMAGE_ROUNDS` multiplies the rounds.

mod common;

use common::{DIR, FILE, Rng, mount, symlink, volume};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use xv6fs::{BLOCK_SIZE, Disk, FormatOptions, Fs, Kind, MemDisk, MountOptions, ROOT_INO, RenameFlags};

/// Requests that a round may make; the busiest of 24,000 makes less than a tenth of them.
const REQUESTS: u64 = 100_000;

/// How long a round may take: milliseconds, but on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A disk that is asked only so often.
struct Bounded {
    disk: MemDisk,
    left: u64,
}

impl Bounded {
    fn new(disk: MemDisk) -> Bounded {
        Bounded { disk, left: REQUESTS }
    }

    fn count(&mut self) {
        self.left = self.left.checked_sub(1).expect("a round that does not go on for ever");
    }
}

impl Disk for Bounded {
    fn blocks(&self) -> u64 {
        self.disk.blocks()
    }
    fn read(&mut self, block: u64, buf: &mut [u8]) -> xv6fs::Result<()> {
        self.count();
        self.disk.read(block, buf)
    }
    fn write(&mut self, block: u64, buf: &[u8]) -> xv6fs::Result<()> {
        self.count();
        self.disk.write(block, buf)
    }
    fn flush(&mut self) -> xv6fs::Result<()> {
        self.count();
        self.disk.flush()
    }
}

/// Runs a round, which is to end soon.
fn within<R: Send + 'static>(what: String, round: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, end) = channel();
    let thread = std::thread::spawn(move || drop(done.send(round())));
    match end.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("{what} goes on for ever"),
        Err(RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().expect_err("a panic")),
    }
}

/// How many rounds, of `rounds` as a rule.
fn rounds(rounds: u64) -> u64 {
    let times = std::env::var("XV6_DAMAGE_ROUNDS").ok().map_or(1, |times| times.parse().expect("a number"));
    rounds * times
}

/// One round: what the check says, then what use of the volume does. How many problems there were.
fn round(disk: MemDisk, seed: u64) -> usize {
    let report = xv6fs::check(&mut Bounded::new(disk.clone())).expect("check reports, it does not fail");
    exercise(disk, &mut Rng(seed));
    report.problems.len()
}

/// A small volume with something of everything, the log not empty.
fn rich_volume() -> MemDisk {
    let mut fs = mount(volume(420, &FormatOptions { inodes: 256, ..FormatOptions::default() }));
    let d = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let e = fs.create(d, b"e", &DIR, 0).expect("mkdir");
    for i in 0..120 {
        let name = format!("name-that-takes-some-room-in-its-bucket-{i}");
        fs.create(e, name.as_bytes(), if i % 4 == 0 { &DIR } else { &FILE }, 0).expect("create");
    }
    let f = fs.create(ROOT_INO, b"f", &FILE, 0).expect("create");
    for i in 0..40 {
        fs.write_at(f, i * 8192, b"scattered", 0).expect("write");
    }
    fs.create(d, b"short", &symlink(b"target"), 0).expect("symlink");
    fs.create(d, b"long", &symlink(&[b't'; 2000]), 0).expect("symlink");
    fs.set_xattr(d, b"trusted.overlay.opaque", Some(b"y")).expect("xattr");
    fs.commit().expect("commit");
    for i in 0..3u8 {
        let orphan = fs.create(d, &[b'o', b'0' + i], &FILE, 0).expect("create");
        fs.write_at(orphan, 0, &[1; 9000], 0).expect("write");
        fs.hold(orphan);
        fs.unlink(d, &[b'o', b'0' + i], 0).expect("unlink");
    }
    fs.commit().expect("commit");
    fs.disk().clone()
}

/// Uses a volume, whatever it says.
fn exercise(disk: MemDisk, rng: &mut Rng) {
    let Ok(mut fs) = Fs::mount(Bounded::new(disk), &MountOptions { cache_blocks: 40, ..MountOptions::default() })
    else {
        return;
    };
    let mut todo = vec![(ROOT_INO, 0)];
    let mut met = Vec::new();
    while let Some((ino, depth)) = todo.pop() {
        met.push(ino);
        let Ok(st) = fs.stat(ino) else { continue };
        match st.kind {
            Kind::Dir if depth < 5 && met.len() < 400 => {
                let mut names = Vec::new();
                let _ = fs.read_dir(ino, 0, &mut |e| {
                    names.push(e.name.to_vec());
                    names.len() < 500
                });
                for name in names.iter().skip(2) {
                    todo.extend(fs.lookup(ino, name).map(|child| (child, depth + 1)));
                    match rng.below(8) {
                        0 => drop(fs.unlink(ino, name, 0)),
                        1 => drop(fs.rmdir(ino, name, 0)),
                        2 => drop(fs.rename(ino, name, ROOT_INO, b"new", RenameFlags::Replace, 0)),
                        3 => drop(fs.rename(ino, name, ROOT_INO, b"d", RenameFlags::Exchange, 0)),
                        4 => drop(fs.create(ino, &rng.bytes(30), &DIR, 0)),
                        _ => {}
                    }
                }
            }
            Kind::File => {
                let _ = fs.read_at(ino, 0, &mut [0; 70_000]);
                let _ = fs.read_at(ino, st.size.saturating_sub(5000), &mut [0; 9000]);
                match rng.below(5) {
                    0 => drop(fs.write_at(ino, rng.below(400_000), &[1; 9000], 0)),
                    1 => drop(fs.truncate(ino, rng.below(400_000))),
                    2 => drop(fs.punch(ino, rng.below(300_000), 50_000)),
                    3 => drop(fs.allocate(ino, rng.below(300_000), 50_000, false)),
                    _ => drop(fs.link(ino, ROOT_INO, b"another", 0)),
                }
            }
            Kind::Symlink => drop(fs.read_link(ino)),
            _ => {}
        }
        let _ = fs.get_xattr(ino, b"trusted.overlay.opaque");
        let _ = fs.set_xattr(ino, b"user.x", Some(b"y"));
        if rng.below(4) == 0 {
            let _ = fs.commit();
        }
    }
    let _ = fs.unmount();
}

#[test]
fn flipped_bytes_do_no_harm() {
    let good = rich_volume();
    common::assert_clean(&mut good.clone());
    let blocks = good.bytes().len() / BLOCK_SIZE;
    // Blocks of metadata, outside the log.
    let is_meta = |b: &usize| {
        let bytes = &good.bytes()[b * BLOCK_SIZE..][..BLOCK_SIZE];
        !(2..98).contains(b) && bytes.iter().any(|&x| x != 0) && !bytes.starts_with(b"scattered") && bytes[0] != 1
    };
    let live: Vec<usize> = (0..blocks).filter(is_meta).collect();
    let mut noticed = 0;
    let mut rng = Rng(5);
    let count = rounds(600);
    for number in 0..count {
        let mut disk = good.clone();
        // Keep the log from healing what is damaged, most of the time.
        if number % 8 != 0 {
            disk.bytes_mut()[2 * BLOCK_SIZE..3 * BLOCK_SIZE].fill(0);
        }
        for _ in 0..=rng.below(6) {
            let block = live[rng.below(live.len() as u64) as usize];
            // Structures lie at the start of their blocks, and in steps of 4.
            let at = match rng.below(3) {
                0 => rng.below(64),
                1 => rng.below(4096),
                _ => rng.below(64) * 64 + rng.below(4),
            };
            let value = match rng.below(4) {
                0 => 0xff,
                1 | 2 => rng.next() as u8 | 1,
                _ => 1 << rng.below(8),
            };
            disk.bytes_mut()[block * BLOCK_SIZE + at as usize] ^= value;
        }
        let seed = rng.next();
        let problems = within(format!("round {number}"), move || round(disk, seed));
        noticed += u64::from(problems > 0);
    }
    assert!(noticed > count / 3, "the check notices damage ({noticed} of {count})");
}

#[test]
fn random_blocks_do_no_harm() {
    let good = rich_volume();
    let mut rng = Rng(6);
    for number in 0..rounds(60) {
        let mut disk = good.clone();
        disk.bytes_mut()[2 * BLOCK_SIZE..3 * BLOCK_SIZE].fill(0);
        // Any block but the first two becomes a copy of another one, or noise.
        for _ in 0..4 {
            let to = 2 + rng.below(418) as usize;
            let bytes = match rng.below(2) {
                0 => disk.bytes()[rng.below(420) as usize * BLOCK_SIZE..][..BLOCK_SIZE].to_vec(),
                _ => rng.bytes(BLOCK_SIZE),
            };
            disk.bytes_mut()[to * BLOCK_SIZE..][..BLOCK_SIZE].copy_from_slice(&bytes);
        }
        let seed = rng.next();
        within(format!("round {number}"), move || round(disk, seed));
    }
}

/// Each kind of damage is found and named.
#[test]
fn the_check_names_what_is_wrong() {
    let mut fs = mount(volume(420, &FormatOptions { inodes: 256, ..FormatOptions::default() }));
    let d = fs.create(ROOT_INO, b"d", &DIR, 0).expect("mkdir");
    let f = fs.create(d, b"f", &FILE, 0).expect("create");
    fs.write_at(f, 0, &[7; 5000], 0).expect("write");
    let good = fs.unmount().expect("unmount");
    // As the layout has it for this size.
    let (imap, bmap, itab, data) = (98 * BLOCK_SIZE, 99 * BLOCK_SIZE, 100 * BLOCK_SIZE, 116);
    let inode = |ino: u32| itab + ino as usize * 256;
    // The first block went to the root's bucket, then `d`'s, then two to `f`.
    let bucket = (data + 1) * BLOCK_SIZE;
    let table: [(&str, usize, u8); 17] = [
        ("block 117: in use, but marked as free", bmap + 14, 1 << 5),
        ("block 200: nobody's, but marked as in use", bmap + 25, 1),
        ("inode 3, which is free", imap, 1 << 3),
        ("inode 100: not readable", imap + 12, 1 << 4),
        ("inode 3: has 1 names, its link count says 3", inode(f) + 4, 2),
        ("inode 3: without names, but not in the orphan list", inode(f) + 4, 1),
        ("directory 2: has 0 subdirectories, its link count is 3", inode(d) + 4, 1),
        ("inode 3: not readable", inode(f) + 1, 0xf0),
        ("directory 2: its parent is not 1", inode(d) + 76, 2),
        ("directory 2: has 1 entries, its count says 0", inode(d) + 80, 1),
        ("directory 2: has 1 blocks, its size is", inode(d) + 25, 0x20),
        ("inode 3: has 2 blocks, its count says 0", inode(f) + 72, 2),
        ("inode 3: the extent at 0 is out of order or of range", inode(f) + 107, 1),
        ("inode 3: block 117 is in use twice", inode(f) + 104, 118 ^ 117),
        ("entry \"g\" is damaged or in the wrong place", bucket + 16 + 14, b'f' ^ b'g'),
        ("\"f\" has another kind than its inode", bucket + 16 + 12, 1),
        ("bucket 117 is damaged", bucket, 1),
    ];
    for (text, at, flip) in table {
        let mut disk = good.clone();
        disk.bytes_mut()[at] ^= flip;
        let report = xv6fs::check(&mut disk).expect("check");
        assert!(report.problems.iter().any(|p| p.contains(text)), "{text}: {:#?}", report.problems);
    }
    for block in 0..2 {
        let mut disk = good.clone();
        disk.bytes_mut()[block * BLOCK_SIZE + 13] ^= 4;
        assert_eq!(xv6fs::check(&mut disk).expect("check").problems.len(), 1, "block {block} has a checksum");
    }
}
