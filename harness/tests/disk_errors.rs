//! A disk that fails: a program sees `EIO`, a file system that could not write is read-only from then on, and what is on the disk is sound.
//!
//! One guest prepares a root disk; each test runs on a copy of it, with errors injected by QEMU where known bytes lie.

use harness::fixture::{Booted, boot, machine, root_disk};
use harness::{Drive, Failure, Fault, Output, Writes};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;
use xv6fs::{Fs, MemDisk, MountOptions, ROOT_INO};

/// How programs spell the errors.
const EIO: &str = "I/O error";
const EROFS: &str = "Read-only file system";

/// The first sector of the log on an xv6fs disk (its block 2).
const LOG: u64 = 16;

/// The prepared disk.
fn prepared() -> &'static [u8] {
    static DISK: OnceLock<Vec<u8>> = OnceLock::new();
    DISK.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = dir.path().join("root.img");
        root_disk(&disk, 64);
        let mut guest = boot(&machine("disk-errors-prepare").keep_root(&disk));
        guest
            .ok("cd /root; seq 50000 59999 > victim; seq 60000 69999 > other; mkdir dir; touch dir/unlikely-name")
            .expect("prepared");
        guest.ok("cp /bin/nproc victim-program; conductor run --rm sample true; sync").expect("prepared");
        drop(guest);
        // Unmounted here, so that a boot finds nothing to replay and writes nothing.
        let disk = MemDisk::from_bytes(std::fs::read(&disk).expect("the disk is read"));
        let fs = Fs::mount(disk, &MountOptions::default()).expect("a mount");
        fs.unmount().expect("an unmount").bytes().to_vec()
    })
}

/// The blocks of 4096 bytes in which `text` lies, by their first sectors; it may cross no block's end.
fn sectors(disk: &[u8], text: &str) -> Vec<u64> {
    let holds = |block: &[u8]| block.iter().any(|&byte| byte != 0) && String::from_utf8_lossy(block).contains(text);
    let found: Vec<u64> = (0..).step_by(8).zip(disk.chunks(4096)).filter(|(_, b)| holds(b)).map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "{text:?} is nowhere on the disk");
    found
}

/// The sectors at which the blocks of the file `path` begin.
fn file_blocks(path: &str) -> Vec<u64> {
    let mut fs = Fs::mount(MemDisk::from_bytes(prepared().to_vec()), &MountOptions::default()).expect("a mount");
    let ino = path.split('/').try_fold(ROOT_INO, |dir, name| fs.lookup(dir, name.as_bytes())).expect("the file");
    let mut blocks = Vec::new();
    let count = fs.stat(ino).expect("its size").size.div_ceil(4096) as usize;
    let mut each = |place: Option<u64>, count| blocks.extend(place.into_iter().flat_map(|at| (at..).take(count)));
    fs.locate(ino, 0, count, &mut each).expect("its blocks");
    blocks.into_iter().map(|block| block * 8).collect()
}

/// A guest whose root disk has `faults`.
struct Failing {
    dir: TempDir,
    guest: Booted,
}

impl Failing {
    fn boot(name: &str, faults: impl IntoIterator<Item = Fault>) -> Failing {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = Failing::disk(&dir);
        std::fs::write(&disk, prepared()).expect("a copy");
        let drive = faults.into_iter().fold(Drive::new(disk, Writes::Kept), Drive::fault);
        Failing { guest: boot(&machine(name).root(drive)), dir }
    }

    fn disk(dir: &TempDir) -> PathBuf {
        dir.path().join("root.img")
    }

    fn run(&mut self, command: &str) -> Output {
        self.guest.run(command).expect(command)
    }

    fn ok(&mut self, command: &str) -> String {
        self.guest.ok(command).expect(command)
    }

    /// The command fails and says `why` in one line.
    fn fails(&mut self, command: &str, why: &str) {
        let Output { status, text } = self.run(command);
        assert!(status != 0 && text.contains(why), "{command}: expected {why}, got {status}: {text}");
        assert_eq!(text.lines().count(), 1, "{command}: one line: {text}");
    }

    /// The root file system is read-only, says so everywhere, and can be read; everything else works.
    fn is_read_only(&mut self) {
        self.fails("touch /root/new", EROFS);
        self.fails("echo more >> /root/other", EROFS);
        self.fails("rm /root/other", EROFS);
        self.fails("mkdir /root/newdir", EROFS);
        self.fails("mount -o remount,rw /", EROFS);
        let mounts = self.ok("cat /proc/mounts");
        assert!(mounts.lines().any(|line| line.starts_with("/dev/vda / xv6fs ro")), "{mounts}");
        let log = self.ok("dmesg");
        assert_eq!(log.matches("the file system is read-only from now on").count(), 1, "{log}");
        assert_eq!(self.ok("tail -n 1 /root/other"), "69999\n");
        assert_eq!(self.ok("echo fine > /tmp/x; cat /tmp/x"), "fine\n");
        self.fails("conductor run --rm sample true", EROFS);
        assert_eq!(self.ok("conductor ps").lines().count(), 1);
        assert!(self.ok("conductor images").contains("sample"));
        // Nothing is lost by an attempt to write the rest.
        self.ok("sync");
    }

    /// Ends the guest: the disk must check clean. Gives it for more.
    fn sound(self) -> TempDir {
        let Failing { dir, guest } = self;
        drop(guest);
        let report = fsbuild::root::check(&Failing::disk(&dir)).expect("the disk is read");
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        dir
    }
}

#[test]
fn a_read_error_is_the_readers_alone() {
    let faults = sectors(prepared(), "55555\n55556\n").into_iter().map(Fault::Read);
    let mut failing = Failing::boot("read-error", faults);
    let output = failing.run("cat /root/victim");
    assert!(output.status != 0 && output.text.contains(EIO), "{}", output.text);
    assert!(output.text.contains("\n50123\n") && !output.text.contains("55555"), "what lies before is read");
    assert_eq!(failing.ok("head -n 1 /root/victim"), "50000\n");
    assert_eq!(failing.ok("dd if=/root/victim bs=1000 skip=59 2>/dev/null | tail -n 1"), "59999\n");
    assert_eq!(failing.ok("echo still > /root/new; sync /root/new; cat /root/new"), "still\n");
    failing.sound();
}

#[test]
fn a_program_that_cannot_be_read_does_not_run() {
    let blocks = file_blocks("root/victim-program");
    let mut failing = Failing::boot("header-error", [Fault::Read(blocks[0])]);
    failing.fails("/root/victim-program", EIO);
    failing.sound();
    // It starts (headers in front and data at the end are there), and has no code.
    let code = &blocks[1..blocks.len() * 3 / 4];
    let mut failing = Failing::boot("code-error", code.iter().copied().map(Fault::Read));
    let output = failing.run("/root/victim-program");
    assert_eq!(output.status, 128 + 7, "SIGBUS: {}", output.text);
    failing.sound();
    // The page with the end of the data is touched by execve(2) itself.
    let mut failing = Failing::boot("data-error", blocks[1..].iter().copied().map(Fault::Read));
    failing.fails("/root/victim-program", EIO);
    failing.sound();
}

/// A machine whose root disk has something in its log that must go to a block which cannot be written.
fn unreplayed(name: &str) -> harness::Machine {
    static DISK: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (dir, disk) = DISK.get_or_init(|| {
        let mut failing =
            Failing::boot("unreplayed-prepare", sectors(prepared(), "unlikely-name").into_iter().map(Fault::Write));
        failing.fails("touch /root/dir/second; sync /root/dir", EIO);
        let dir = failing.sound();
        let disk = Failing::disk(&dir);
        (dir, disk)
    });
    let copy = dir.path().join(name);
    std::fs::copy(disk, &copy).expect("a copy");
    let home = sectors(prepared(), "unlikely-name").into_iter().map(Fault::Write);
    machine(name).root(home.fold(Drive::new(copy, Writes::Kept), Drive::fault))
}

/// What the log holds is there to be read, and nothing can be written.
#[test]
fn a_log_that_cannot_be_replayed_is_mounted_read_only() {
    let mut guest = boot(&unreplayed("unreplayed"));
    assert_eq!(guest.ok("ls -1 /root/dir").expect("it answers"), "second\nunlikely-name\n");
    let mounts = guest.ok("cat /proc/mounts").expect("it answers");
    assert!(mounts.starts_with("/dev/vda / xv6fs ro"), "{mounts}");
    let Output { status, text } = guest.run("touch /root/dir/third").expect("it answers");
    assert!(status == 1 && text.contains(EROFS), "{text}");
    let Output { status, text } = guest.run("mount -o remount,rw /").expect("it answers");
    assert!(status != 0 && text.contains(EIO), "{text}");
    assert!(guest.ok("dmesg").expect("it answers").contains("it is mounted read-only"));
    assert_eq!(guest.ok("conductor ps").expect("it answers").lines().count(), 1);
}

/// A root disk whose first block cannot be read: one line says so, and it is no panic.
#[test]
fn a_disk_that_cannot_be_mounted_is_a_boot_that_failed() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Failing::disk(&dir);
    std::fs::write(&disk, prepared()).expect("a copy");
    let machine = machine("unmountable").root(Drive::new(&disk, Writes::Kept).fault(Fault::Read(0)));
    let failure = harness::Guest::boot(&machine).map(drop).expect_err("no root");
    let Failure::BootFailed { cause, .. } = &failure else { panic!("{failure}") };
    assert!(cause.starts_with("mounting the root disk (root=): ") && cause.contains("EIO"), "{cause}");
}

#[test]
fn a_write_error_makes_the_file_system_read_only() {
    let faults = sectors(prepared(), "55555\n55556\n").into_iter().map(Fault::Write);
    let mut failing = Failing::boot("write-error", faults);
    failing.ok("conductor run -d --name alive sample container_init; echo before > /root/kept; sync");
    failing.fails("dd if=/dev/zero of=/root/victim bs=60000 count=1 conv=notrunc,fsync", EIO);
    failing.fails("sync /root/victim", EIO);
    assert_eq!(failing.ok("conductor ps").lines().count(), 2);
    assert_eq!(failing.ok("conductor exec alive hostname").lines().count(), 1);
    failing.fails("conductor stop alive", EROFS);
    failing.is_read_only();
    let dir = failing.sound();
    let tree = fsbuild::root::read(&Failing::disk(&dir), "/root/kept").expect("the disk is read");
    assert_eq!(tree.entries().count(), 1, "what was synced before is there");
}

#[test]
fn a_flush_error_makes_the_file_system_read_only() {
    let mut failing = Failing::boot("flush-error", [Fault::Flush]);
    failing.fails("echo x > /root/new; sync /root/new", EIO);
    failing.is_read_only();
    failing.sound();
}

#[test]
fn a_log_that_cannot_be_written_makes_the_file_system_read_only() {
    let mut failing = Failing::boot("log-error", [Fault::Write(LOG)]);
    failing.fails("echo x > /root/new; sync /root/new", EIO);
    failing.is_read_only();
    failing.sound();
}

/// The log has the change, only its place on the disk cannot be written: the next mount finds it.
#[test]
fn metadata_that_cannot_be_written_home_waits_in_the_log() {
    let faults = sectors(prepared(), "unlikely-name").into_iter().map(Fault::Write);
    let mut failing = Failing::boot("home-error", faults);
    failing.fails("touch /root/dir/second; sync /root/dir", EIO);
    failing.is_read_only();
    let dir = failing.sound();
    let tree = fsbuild::root::read(&Failing::disk(&dir), "/root/dir").expect("the disk is read");
    let names: Vec<&str> = tree.entries().map(|(name, _)| name).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["second", "unlikely-name"]);
}

/// A guest whose image volume cannot be read where `text` lies.
fn without_image_bytes(name: &str, text: &str) -> Booted {
    let mut machine = machine(name);
    let images: &Path = &machine.drives[1].file;
    let bytes = std::fs::read(images).expect("the volume is read");
    let sectors = sectors(&bytes, text).into_iter().flat_map(|first| first..first + 8);
    machine.drives[1] = sectors.map(Fault::Read).fold(machine.drives[1].clone(), Drive::fault);
    boot(&machine)
}

#[test]
fn errors_of_the_image_volume_are_told_in_one_line() {
    let mut guest = without_image_bytes("image-data", "xargs [");
    let output = guest.conductor().run(&["--rm", "sample", "wc", "/bin/xargs"]).expect("it answers");
    assert!(output.status == 1 && output.text.contains(EIO), "{output:?}");
    // The index of the images, a layer's headers, and the volume's first sector.
    let motd = "inside a container made from";
    for (name, text) in [("image-layer", motd), ("image-index", "\"manifests\""), ("image-boot", "FAT32   ")] {
        let mut guest = without_image_bytes(name, text);
        let output = guest.conductor().run(&["--rm", "sample", "true"]).expect("it answers");
        assert_eq!((output.status, output.text.lines().count()), (125, 1), "{output:?}");
        assert_eq!(guest.ok("conductor ps").expect("it answers").lines().count(), 1);
    }
}
