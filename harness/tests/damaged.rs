//! Damaged volumes in a real guest: an xv6fs, a FAT and layer tars that go round in circles or are full of noise are mounted, walked and read.
//! Programs see errors; nothing goes on for ever, and the machine lives.

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use fsbuild::root;
use fsbuild::tree::{Entry, Tree};
use harness::fixture::{Booted, boot, machine};
use harness::{Drive, Writes};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// A small generator (SplitMix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Where `bytes` are, the last time.
fn place(disk: &[u8], bytes: &[u8]) -> usize {
    disk.windows(bytes.len()).rposition(|window| window == bytes).expect("it is there")
}

/// An xv6fs with `content` in it.
fn xv6fs(dir: &Path, content: &Tree) -> Vec<u8> {
    let path = dir.join("disk.img");
    root::write(content, &path, 4 << 20).expect("a disk");
    std::fs::read(&path).expect("its bytes")
}

/// An xv6fs in which `outer/inner` is the root.
fn circle(dir: &Path) -> Vec<u8> {
    let mut tree = Tree::default();
    for i in 0..20 {
        tree.put(&format!("outer/inner/file-{i}"), Entry::file(vec![i; 3000], 0o644)).expect("put");
    }
    let mut disk = xv6fs(dir, &tree);
    // An entry is its hash, its inode's number, its kind, and its name with the length in front.
    let at = place(&disk, b"\x04\x05inner");
    disk[at - 4] = 1;
    disk
}

/// The same with noise in the blocks behind the log.
fn noise(dir: &Path, seed: u64) -> Vec<u8> {
    let mut disk = circle(dir);
    let mut rng = Rng(seed);
    let used: Vec<usize> =
        (130..disk.len() / 4096).filter(|block| disk[block * 4096..][..4096].iter().any(|byte| *byte != 0)).collect();
    for _ in 0..40 {
        let at = used[rng.below(used.len())] * 4096 + rng.below(1024);
        disk[at] = rng.below(256) as u8;
    }
    disk
}

/// A FAT16 volume in which `OUTER/INNER` is `OUTER`, and a file's chain ends in itself.
fn fat() -> Vec<u8> {
    let mut disk = vec![0; 16 << 20];
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat16).bytes_per_cluster(2048);
    fatfs::format_volume(Cursor::new(&mut disk), options).expect("formatting");
    {
        let fs = FileSystem::new(Cursor::new(&mut disk), FsOptions::new()).expect("mounting");
        let outer = fs.root_dir().create_dir("OUTER").expect("mkdir");
        outer.create_dir("INNER").expect("mkdir");
        outer.create_file("LOOP.BIN").expect("a file").write_all(&[7; 9000]).expect("writing");
        fs.root_dir().create_file("GOOD.TXT").expect("a file").write_all(b"good\n").expect("writing");
    }
    let cluster = |disk: &[u8], name: &[u8]| usize::from(disk[place(disk, name) + 26]);
    let (outer, file) = (cluster(&disk, b"OUTER      "), cluster(&disk, b"LOOP    BIN"));
    let at = place(&disk, b"INNER      ");
    disk[at + 26] = outer as u8;
    // The first table begins behind the reserved sectors.
    let table = usize::from(u16::from_le_bytes([disk[14], disk[15]])) * 512;
    disk[table + file * 2] = file as u8;
    disk
}

/// Layer tars: one that is cut off, and some with noise in their headers.
fn tars() -> Tree {
    let mut sound = tar::Builder::new(Vec::new());
    for i in 0..20_u8 {
        let mut header = tar::Header::new_gnu();
        header.set_size(700);
        header.set_mode(0o644);
        sound.append_data(&mut header, format!("dir-{}/file-{i}", i % 3), &[i; 700][..]).expect("appended");
    }
    let sound = sound.into_inner().expect("finished");
    let mut tree = Tree::default();
    tree.put("sound.tar", Entry::file(sound.clone(), 0o644)).expect("put");
    tree.put("cut.tar", Entry::file(sound[..sound.len() / 2 + 100].to_vec(), 0o644)).expect("put");
    for seed in 0..4 {
        let (mut bytes, mut rng) = (sound.clone(), Rng(seed));
        for _ in 0..3 {
            let start = rng.below(20) * 1536;
            bytes[start + rng.below(400)] = b"0123457/x\0\xff"[rng.below(11)];
            // With a checksum that is right, so that the damage gets through.
            let mut header = tar::Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[start..start + 512]);
            header.set_cksum();
            bytes[start..start + 512].copy_from_slice(header.as_bytes());
        }
        tree.put(&format!("noise-{seed}.tar"), Entry::file(bytes, 0o644)).expect("put");
    }
    tree
}

/// Walks and reads all that is mounted at /mnt, and lets go of it.
fn explore(guest: &mut Booted) -> String {
    let text = guest
        .run("find /mnt > /tmp/all; find /mnt -type f -exec cat {} + > /tmp/bytes; wc -l < /tmp/all")
        .expect("it ends");
    guest.ok("umount /mnt").expect("unmounted");
    text.text
}

#[test]
fn damaged_volumes_are_walked_to_an_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut machine = machine("damaged");
    let disks = [
        circle(dir.path()),
        noise(dir.path(), 1),
        noise(dir.path(), 2),
        noise(dir.path(), 3),
        fat(),
        xv6fs(dir.path(), &tars()),
    ];
    for (number, disk) in disks.iter().enumerate() {
        let path: PathBuf = dir.path().join(format!("disk-{number}.img"));
        std::fs::write(&path, disk).expect("written");
        machine.drives.push(Drive::new(path, Writes::Forgotten));
    }
    let mut guest = boot(&machine);
    guest.ok("mkdir -p /mnt /layers").expect("it answers");
    // The directory that contains itself shows as an error, once.
    guest.ok("mount -t xv6fs /dev/vdc /mnt").expect("mounted");
    let text = explore(&mut guest);
    assert_eq!(text.lines().next(), Some("find: /mnt/outer/inner: Symbolic link loop"), "{text}");
    for disk in ["vdd", "vde", "vdf"] {
        // Read-only, then with writes.
        for options in ["-o ro", ""] {
            if guest.run(&format!("mount -t xv6fs {options} /dev/{disk} /mnt")).expect("it ends").status == 0 {
                guest.run("cp -r /etc /mnt/new; rm -r /mnt/outer; sync").expect("it ends");
                explore(&mut guest);
            }
        }
    }
    guest.ok("mount -t vfat -o ro /dev/vdg /mnt").expect("mounted");
    assert_eq!(guest.ok("cat /mnt/good.txt").expect("it answers"), "good\n");
    // A file is no longer than its directory says, wherever its chain leads.
    assert_eq!(guest.ok("wc -c < /mnt/outer/loop.bin").expect("it answers").trim(), "9000");
    explore(&mut guest);
    guest.ok("mount -t xv6fs -o ro /dev/vdh /layers").expect("mounted");
    for tar in ["sound", "cut", "noise-0", "noise-1", "noise-2", "noise-3"] {
        let mounted = guest.run(&format!("mount -t tarfs -o ro /layers/{tar}.tar /mnt")).expect("it ends").status == 0;
        assert!(mounted || tar != "sound");
        if mounted {
            let files = explore(&mut guest);
            assert!(tar != "sound" || files.trim() == "24", "{files}");
        }
    }
    // What else there is goes on.
    assert_eq!(guest.ok("conductor run --rm sample echo fine").expect("it answers"), "fine\n");
    let log = guest.ok("dmesg").expect("it answers");
    assert!(!log.contains("panic"), "{log}");
}
