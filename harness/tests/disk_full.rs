//! A root disk filled to the last block and the last inode, by the host and by a container: who asks for more is told so, what was synced is
//! there, removing needs no room and gives all of it back, and nobody else loses anything.

use harness::fixture::{Booted, boot, machine, root_disk};
use harness::{Counts, Output};
use std::path::PathBuf;
use tempfile::TempDir;

/// How programs spell the error.
const ENOSPC: &str = "No space left on device";

/// What `probe full` tells, on the host and in a container.
const FULL: &str = "\
write 1048576\tENOSPC
write 65536\tENOSPC
write 4096\tENOSPC
write 1\tENOSPC
fallocate\tok
fallocate all\tENOSPC
nothing done\tok
fsync\tok
read back\tok
promised\tok
read back\tok
append\tENOSPC
mkdir\tENOSPC
symlink\tENOSPC
link\tENOSPC
rename\twhole
store\tSIGBUS
fsync\tok
overwrite\tok
write anew\tok
read back\tok
unlink\tok
files\tENOSPC
read back\tok
unlink\tok
inodes\tENOSPC
inodes left\t0
one more\tENOSPC
write\tok
unlink\tok
remove\tok
room\tas before
";

/// A guest with a small root disk, which outlives it.
struct Small {
    guest: Booted,
    disk: PathBuf,
    _dir: TempDir,
}

impl Small {
    fn boot(name: &str) -> Small {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = dir.path().join("root.img");
        root_disk(&disk, 64);
        let mut guest = boot(&machine(name).keep_root(&disk));
        // Folders get their first blocks, which they keep.
        guest.ok("conductor run --rm sample true; echo mine > /root/mine; sync").expect("the guest answers");
        Small { guest, disk, _dir: dir }
    }

    fn run(&mut self, command: &str) -> Output {
        self.guest.run(command).expect(command)
    }

    fn ok(&mut self, command: &str) -> String {
        self.guest.ok(command).expect(command)
    }

    /// Free blocks and free inodes.
    fn room(&mut self) -> String {
        self.ok("sync; stat -f -c '%a %d' /")
    }

    /// Ends the guest as a power cut would: the disk checks clean and holds what was there before.
    fn sound(mut self) {
        let log = self.ok("dmesg");
        assert!(!log.contains("read-only") && !log.contains("xv6fs:"), "{log}");
        assert_eq!(self.ok("cat /root/mine"), "mine\n");
        drop(self.guest);
        let report = fsbuild::root::check(&self.disk).expect("the disk is read");
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        let tree = fsbuild::root::read(&self.disk, "/root/mine").expect("the disk is read");
        assert_eq!(tree.entries().count(), 1);
    }
}

#[test]
fn the_host_fills_the_disk_and_gets_it_back() {
    let mut small = Small::boot("full-host");
    let before = small.room();
    assert_eq!(small.ok("probe full /root"), FULL);
    assert_eq!(small.room(), before);
    small.sound();
}

#[test]
fn a_container_fills_the_disk_and_gives_it_back() {
    let mut small = Small::boot("full-container");
    let before = small.room();
    // The container's log finds no room either; its monitor says so, once.
    let text = small.ok("conductor run --rm sample probe full /");
    assert_eq!(text.replace(&format!("conductor: log: {ENOSPC}\n"), ""), FULL);
    assert_eq!(small.room(), before);
    small.sound();
}

/// Full by `fill`, a command that leaves a file or folder `/root/fill`: no new container, nothing half-made, and the old ones can go.
fn conductor_goes_on(name: &str, fill: &str) {
    let mut small = Small::boot(name);
    let before = small.room();
    small.ok("conductor run -d --name alive sample container_init; sync");
    let objects = Counts::of(&mut small.guest).expect("the guest answers");
    let traces =
        "find /var/lib/conductor /run/conductor/names /run/conductor/starting; ls -d /sys/fs/cgroup/conductor/*/";
    let there = small.ok(traces);
    small.ok(fill);
    for options in ["--rm", "", "-d"] {
        let Output { status, text } = small.run(&format!("conductor run {options} sample true"));
        assert!(status == 125 && text.lines().count() == 1 && text.contains(ENOSPC), "{status}: {text}");
    }
    assert_eq!(small.ok(traces), there);
    objects.expect_back(&mut small.guest, "starts without room");
    assert_eq!(small.ok("conductor ps -a").lines().count(), 2);
    assert_eq!(small.ok("conductor exec alive hostname").lines().count(), 1);
    let Output { status, text } =
        small.run("conductor exec alive sh -c 'while mkdir /d$((i=i+1)); do :; done; exit 9'");
    assert!(status == 9 && text.contains(ENOSPC), "{status}: {text}");
    assert_eq!(small.ok("echo fine > /tmp/x; cat /tmp/x"), "fine\n");
    assert_eq!(small.ok("conductor stop alive"), "alive\n");
    assert_eq!(small.ok("conductor ps -a").lines().count(), 1);
    small.ok("rm -r /root/fill");
    assert_eq!(small.room(), before);
    assert_eq!(small.ok("conductor run --rm sample echo again"), "again\n");
    small.sound();
}

#[test]
fn conductor_goes_on_without_blocks() {
    conductor_goes_on("full-blocks", "mkdir /root/fill; probe fill /root/fill/f; sync");
}

#[test]
fn conductor_goes_on_without_inodes() {
    conductor_goes_on("full-inodes", "mkdir /root/fill; probe bomb inodes --keep --in /root/fill");
}

/// A container that has taken all keeps nobody from stopping it.
#[test]
fn a_container_that_fills_the_disk_can_be_stopped() {
    let mut small = Small::boot("full-stop");
    let before = small.room();
    small.ok("conductor run -d --name greedy sample sh -c 'probe fill /f; echo full > /dev/shm/x; while sleep 1; do echo more; done'");
    small.ok("until conductor exec greedy test -e /dev/shm/x; do :; done");
    let Output { status, text } = small.run("echo no room > /root/new; head -c 8192 /bin/sh > /root/more");
    assert!(status != 0 && text.contains(ENOSPC), "{status}: {text}");
    small.ok("rm /root/new /root/more");
    assert_eq!(small.ok("conductor stop greedy"), "greedy\n");
    assert_eq!(small.room(), before);
    small.sound();
}
