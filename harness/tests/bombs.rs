//! Bombs: each kind of resource is filled until the kernel refuses, on the host and in a container. The refusal is an error that
//! a program understands, the shell lives, and everything is given back.

use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A kind of `probe bomb`, its options, the refusals that make sense, and how much there has to be at least before one.
type Bomb = (&'static str, &'static str, &'static [&'static str], u64);

/// A directory on a small tmpfs, which a program may fill in a moment.
const SMALL: &str = "--in /tmp --tmpfs 3000";

const BOMBS: [Bomb; 13] = [
    ("fds", "", &["EMFILE"], 1000),
    ("pipes", "", &["EMFILE", "ENFILE", "ENOMEM"], 500),
    ("epolls", "", &["EMFILE", "ENFILE", "ENOMEM"], 1000),
    ("ptys", "", &["EAGAIN", "ENOSPC", "EMFILE"], 100),
    ("mounts", "--in /tmp", &["ENOSPC"], 1000),
    ("inodes", SMALL, &["ENOSPC"], 2900),
    ("directories", SMALL, &["ENOSPC"], 2900),
    ("symlinks", SMALL, &["ENOSPC"], 2900),
    ("deep-path", SMALL, &["ENOSPC"], 2900),
    ("unshare", "", &["ENOSPC", "EUSERS"], 16),
    ("threads", "", &["EAGAIN"], 100),
    ("processes", "", &["EAGAIN"], 100),
    ("zombies", "", &["EAGAIN"], 100),
];

/// The numbers of `/proc/xv6` that are the same again exactly.
const OBJECTS: [&str; 7] = ["processes", "threads", "cgroups", "mounts", "superblocks", "dentries", "files"];

/// Free frames may differ by so many: what the heap keeps for its next use.
const FRAMES: u64 = 128;

/// What exists.
#[derive(Debug)]
struct Counts {
    objects: BTreeMap<String, u64>,
    /// Free frames, and those that only cache something.
    frames: u64,
}

/// Reads the counts after dropping what is only cached.
fn counts(guest: &mut Booted) -> Counts {
    let text = guest.ok("echo 3 > /proc/sys/vm/drop_caches; cat /proc/xv6").expect("the guest answers");
    let numbers: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, number)| (name, number.parse().expect("a number")))
        .collect();
    let objects = OBJECTS.map(|name| (name.to_owned(), numbers[name])).into();
    Counts { objects, frames: numbers["frames_free"] + numbers["page_cache_bytes"] / 4096 }
}

/// Waits until there is again what there was `before`: an orphan is reaped, a namespace ends, when its turn comes.
fn returns(guest: &mut Booted, before: &Counts, what: &str) -> Counts {
    let start = Instant::now();
    loop {
        let now = counts(guest);
        if now.objects == before.objects && now.frames + FRAMES >= before.frames {
            return now;
        }
        assert!(start.elapsed() < scaled(Duration::from_secs(5)), "{what} left something:\n{before:?}\n{now:?}");
    }
}

/// Runs every bomb, by commands that start with `prefix`: once to warm up, once to compare.
fn all(guest: &mut Booted, prefix: &str) {
    let first = counts(guest);
    for (kind, options, refusals, least) in BOMBS {
        let mut before = None;
        // The first time the program gives back, the second time the kernel has to.
        for keep in ["", "--keep"] {
            let command = format!("{prefix}probe bomb {kind} {options} {keep}");
            let output = guest.run(command.trim_end()).expect("the guest answers");
            assert_eq!(output.status, 0, "{command}: {}", output.text);
            let words: Vec<&str> = output.text.trim_end().split('\t').collect();
            let [name, count, errno] = words[..] else { panic!("{command}: {:?}", output.text) };
            let count: u64 = count.parse().expect("a number");
            assert!(
                name == kind && refusals.contains(&errno) && count >= least,
                "{command}: {:?}, expected {least} or more, then {refusals:?}",
                output.text
            );
            let warm = before.get_or_insert_with(|| Counts { objects: first.objects.clone(), frames: 0 });
            *warm = returns(guest, warm, &command);
        }
    }
}

/// The measure itself: what is held shows, and is gone once it is let go.
fn control(guest: &mut Booted) {
    let before = counts(guest);
    guest.ok("probe mem 2M --hold > /run/held &").expect("the guest answers");
    let pid = guest.ok("echo $!").expect("the guest answers");
    let start = Instant::now();
    // The file, too, comes only once the background process has had a CPU.
    while !guest.run("cat /run/held").expect("the guest answers").text.contains("ok") {
        assert!(start.elapsed() < scaled(Duration::from_secs(10)), "the memory was not taken");
    }
    let during = counts(guest);
    assert_eq!(during.objects["processes"], before.objects["processes"] + 1);
    assert!(during.objects["files"] > before.objects["files"] && during.frames + FRAMES < before.frames, "{during:?}");
    guest.ok(&format!("kill -9 {}; wait; rm /run/held", pid.trim())).expect("the guest answers");
    returns(guest, &before, "the control");
}

#[test]
fn the_host_survives_and_gets_everything_back() {
    let mut guest = boot(&machine("bombs-host").memory(256));
    guest.ok("probe mem 8M; true").expect("the guest answers");
    control(&mut guest);
    all(&mut guest, "");
    // The root disk has room for far more files than there is time for: so many come back, too.
    let files = "probe bomb inodes --in /root --limit 2000";
    guest.ok(files).expect("the guest answers");
    let before = counts(&mut guest);
    assert_eq!(guest.ok(files).expect("the guest answers"), "inodes\t2000\tok\n");
    returns(&mut guest, &before, files);
}

#[test]
fn a_container_meets_its_limits_and_leaves_nothing() {
    let mut guest = boot(&machine("bombs-container").memory(256));
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    all(&mut guest, "conductor run --rm sample ");
}
