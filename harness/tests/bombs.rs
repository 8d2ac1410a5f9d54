//! Bombs: each kind of resource is filled until the kernel refuses, on the host and in a container. The refusal is an error that
//! a program understands, the shell lives, and everything is given back.

use harness::Counts;
use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
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

/// Runs every bomb, by commands that start with `prefix`: once to warm up, once to compare.
fn all(guest: &mut Booted, prefix: &str) {
    let first = Counts::of(guest).expect("the guest answers");
    for (kind, options, refusals, least) in BOMBS {
        let mut before: Option<Counts> = None;
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
            // All objects are gone each time; the memory compares from the second time on, when what the first of a kind brings is there.
            before = Some(before.unwrap_or_else(|| first.in_any_memory()).expect_back(guest, &command));
        }
    }
}

/// The measure itself: what is held shows, and is gone once it is let go.
fn control(guest: &mut Booted) {
    let before = Counts::of(guest).expect("the guest answers");
    guest.ok("probe mem 2M --hold > /run/held &").expect("the guest answers");
    let pid = guest.ok("echo $!").expect("the guest answers");
    let start = Instant::now();
    while !guest.ok("cat /run/held").expect("the guest answers").contains("ok") {
        assert!(start.elapsed() < scaled(Duration::from_secs(10)), "the memory was not taken");
    }
    let during = Counts::of(guest).expect("the guest answers");
    assert_eq!(during.objects["processes"], before.objects["processes"] + 1);
    assert!(during.objects["files"] > before.objects["files"] && during.anon >= before.anon + 512, "{during:?}");
    assert!(!during.is_back(&before), "{during:?}");
    guest.ok(&format!("kill -9 {}; wait; rm /run/held", pid.trim())).expect("the guest answers");
    before.expect_back(guest, "the control");
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
    let before = Counts::of(&mut guest).expect("the guest answers");
    assert_eq!(guest.ok(files).expect("the guest answers"), "inodes\t2000\tok\n");
    before.expect_back(&mut guest, files);
}

#[test]
fn a_container_meets_its_limits_and_leaves_nothing() {
    let mut guest = boot(&machine("bombs-container").memory(256));
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    all(&mut guest, "conductor run --rm sample ");
}

/// How to be where groups may be made, in a container, which sees its own group read-only: in namespaces of its own.
const DELEGATED: &str =
    "unshare --map-root-user --cgroup --mount sh -c 'mount -t cgroup2 none /tmp && exec \"$@\"' sh probe bomb";

#[test]
fn groups_end_on_the_host_and_sooner_in_a_container() {
    let mut guest = boot(&machine("bombs-cgroups").memory(256));
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    guest.ok("mkdir /sys/fs/cgroup/bomb").expect("the guest answers");
    let host = "probe bomb";
    let container = format!("conductor run --rm sample {DELEGATED}");
    let expected = [
        (format!("{host} directories --in /sys/fs/cgroup/bomb"), "directories\t", "\tENOSPC\n", 10_000),
        (format!("{host} deep-path --in /sys/fs/cgroup/bomb"), "deep-path\t", "\tEAGAIN\n", 32),
        (format!("{container} directories --in /tmp"), "directories\t255\t", "EAGAIN\n", 0),
        (format!("{container} deep-path --in /tmp"), "deep-path\t", "\tEAGAIN\n", 32),
        // What a container leaves in its group goes with it.
        (format!("{container} directories --in /tmp --keep"), "directories\t255\t", "EAGAIN\n", 0),
        (format!("{container} deep-path --in /tmp --keep"), "deep-path\t", "\tEAGAIN\n", 32),
    ];
    for round in 0..2 {
        let before = Counts::of(&mut guest).expect("the guest answers");
        for (command, begin, end, least) in &expected {
            let text = guest.ok(command).expect("the guest answers");
            assert!(text.starts_with(begin) && text.ends_with(end), "{command}: {text:?}");
            let count: u64 = text.split('\t').nth(1).and_then(|n| n.parse().ok()).expect("a count");
            assert!(count >= *least, "{command}: {text:?}");
        }
        if round > 0 {
            before.expect_back(&mut guest, "all of them");
        }
    }
    assert_eq!(
        guest.ok("echo /sys/fs/cgroup/conductor/*/").expect("the guest answers"),
        "/sys/fs/cgroup/conductor/*/\n"
    );
}
