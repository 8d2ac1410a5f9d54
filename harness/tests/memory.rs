//! Memory filled by programs: the cache of files goes first and nobody is harmed; then the biggest process of whoever takes most is ended, with a
//! line in `dmesg`. The shell, init, bystanders and `conductor` go on, and the memory comes back.

use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::time::{Duration, Instant};

/// The machine's memory in MiB: small, so that it is soon full.
const MEMORY: u32 = 128;

/// A number of `/proc/meminfo`, in KiB.
fn meminfo(guest: &mut Booted, name: &str) -> u64 {
    let text = guest.ok("cat /proc/meminfo").expect("the guest answers");
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
}

/// The log's lines about processes that were ended.
fn killed(guest: &mut Booted) -> Vec<String> {
    let text = guest.run("dmesg | grep 'Out of memory: Killed process'").expect("the guest answers").text;
    text.lines().map(str::to_owned).collect()
}

/// Whether each of these lines says that the kernel still had the memory that it keeps for itself, but for what it was using of it just then: without
/// that reserve, the kernel's own allocations would have failed.
fn kept_reserve(lines: &[String]) -> bool {
    let reserve = u64::from(MEMORY) * 1024 / 64;
    let free = |line: &String| line.rsplit_once("free:")?.1.strip_suffix("kB")?.parse::<u64>().ok();
    lines.iter().all(|line| free(line).is_some_and(|free| free >= reserve / 2))
}

/// Waits until there is again as much memory as `before`, up to a MiB or two.
fn comes_back(guest: &mut Booted, before: u64) {
    let start = Instant::now();
    while meminfo(guest, "MemAvailable") + 2048 < before {
        assert!(start.elapsed() < scaled(Duration::from_secs(5)), "of {before} KiB not all came back");
    }
}

fn small(name: &str) -> Booted {
    boot(&machine(name).memory(MEMORY))
}

/// A container that only stays, and that it still works.
fn bystander(guest: &mut Booted) {
    guest.conductor().start(&["--name", "bystander", "sample", "container_init"]).expect("the guest answers");
    still_works(guest);
}

fn still_works(guest: &mut Booted) {
    assert_eq!(guest.ok("echo alive").expect("the guest answers"), "alive\n");
    let output = guest.conductor().exec("bystander", &["echo", "alive too"]).expect("the guest answers");
    assert_eq!((output.status, output.text.as_str()), (0, "alive too\n"));
    let rows = guest.conductor().ps().expect("the guest answers");
    assert!(rows.iter().any(|row| row["NAME"] == "bystander"), "{rows:?}");
}

#[test]
fn the_cache_goes_before_any_process() {
    let mut guest = small("cache goes first");
    // A file is written and read back: its pages are clean, and fill a good part of memory.
    guest.ok("dd if=/dev/zero of=/big bs=1M count=12; sync").expect("the guest answers");
    for copy in 1..4 {
        guest.ok(&format!("cp /big /big{copy}; sync; cat /big{copy} > /dev/null")).expect("the guest answers");
    }
    let (cached, free) = (meminfo(&mut guest, "Cached"), meminfo(&mut guest, "MemFree"));
    assert!(cached > 40 << 10, "{cached} KiB are cached");
    // More than is free, less than free and cache are together.
    let wanted = (free + cached / 2) >> 10;
    let output = guest.run(&format!("probe mem {wanted}M")).expect("the guest answers");
    assert_eq!(output.status, 0, "{free} KiB free, {cached} KiB cached: {}", output.text);
    let after = meminfo(&mut guest, "Cached");
    assert!(after + cached / 4 < cached, "of {cached} KiB cached {after} are left");
    assert_eq!(killed(&mut guest), Vec::<String>::new());
    // What was dropped is read again.
    assert_eq!(guest.ok("cat /big1 /big2 /big3 | wc -c").expect("the guest answers").trim(), "37748736");
}

#[test]
fn the_biggest_of_the_offending_container_is_ended() {
    let mut guest = small("offending container");
    bystander(&mut guest);
    let before = meminfo(&mut guest, "MemAvailable");
    // In one container, a small neighbour lives on beside the hog; the shell reports the hog's end.
    let script = "exec 2> /dev/null; sleep 1000 & probe mem 1G; echo ended $?; kill %1";
    let output = guest.conductor().run(&["--name", "hog", "sample", "sh", "-c", script]).expect("the guest answers");
    assert_eq!(output.text, "ended 137\n");
    let lines = killed(&mut guest);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("(probe)") && lines[0].contains("cgroup:/conductor/"), "{lines:?}");
    still_works(&mut guest);
    comes_back(&mut guest, before);

    // On the host: the hog, not the shell.
    let output = guest.run("probe mem 1G").expect("the guest answers");
    assert_eq!(output.status, 137, "{}", output.text);
    let lines = killed(&mut guest);
    assert!(lines.len() == 2 && lines[1].contains("(probe)") && lines[1].contains("cgroup:/ "), "{lines:?}");
    still_works(&mut guest);

    // Several at once: each of them ends with a line of its own, nobody else does.
    let output = guest.run("for i in 1 2 3; do probe mem 1G & done; wait; echo over").expect("the guest answers");
    assert!(output.text.ends_with("over\n"), "{}", output.text);
    let lines = killed(&mut guest);
    assert!(lines.len() == 5 && lines.iter().all(|line| line.contains("(probe)")), "{lines:?}\nbeside {}", output.text);
    assert!(kept_reserve(&lines), "{lines:?}");
    still_works(&mut guest);
    comes_back(&mut guest, before);
}

#[test]
fn each_sort_of_memory_has_an_end() {
    let mut guest = small("sorts of memory");
    bystander(&mut guest);
    let before = meminfo(&mut guest, "MemAvailable");
    let mut lines = 0;
    for prefix in ["", "conductor run --pids 2000 sample "] {
        // What a process maps ends it, in the end: memory to be shared, threads' stacks.
        for kind in ["shared", "stacks"] {
            let output = guest.run(&format!("{prefix}probe hog {kind} 1G")).expect("the guest answers");
            assert_eq!(output.status, 137, "{prefix}{kind}: {}", output.text);
            let killed = killed(&mut guest);
            lines += 1;
            assert!(killed.len() == lines && killed[lines - 1].contains("(probe)"), "{prefix}{kind}: {killed:?}");
            still_works(&mut guest);
            comes_back(&mut guest, before);
        }
        // What no process maps has a limit.
        let output = guest.run(&format!("{prefix}probe hog memfd 1G")).expect("the guest answers");
        assert!(output.status == 0 && output.text.ends_with("ENOSPC\n"), "{prefix}memfd: {}", output.text);
    }
    // Pages that are dirty through a mapping, more than there is memory: they are written, and nobody is harmed.
    let output = guest.run("probe hog mapped 160M /root/mapped && rm /root/mapped").expect("the guest answers");
    assert_eq!((output.status, output.text.as_str()), (0, "mapped\t167772160\tok\n"));
    // File systems in memory have a limit of their own, and all together one that leaves the programs some.
    let fill =
        "for d in a b c; do mkdir /tmp/$d && mount -t tmpfs t /tmp/$d && probe fill /tmp/$d/file | cut -f 2; done";
    assert_eq!(guest.ok(fill).expect("the guest answers"), "ENOSPC\n".repeat(3));
    assert!(meminfo(&mut guest, "MemAvailable") > 16 << 10);
    still_works(&mut guest);
    guest.ok("umount /tmp/a /tmp/b /tmp/c").expect("the guest answers");
    assert_eq!(killed(&mut guest).len(), lines);
    comes_back(&mut guest, before);
}

#[test]
fn whatever_is_filled_ends_in_an_error_or_with_its_owner() {
    let mut guest = small("other hogs");
    bystander(&mut guest);
    let before = meminfo(&mut guest, "MemAvailable");

    // Pipes: a limit of their own.
    let output = guest.conductor().run(&["sample", "probe", "bomb", "pipes"]).expect("the guest answers");
    assert_eq!(output.status, 0, "{}", output.text);
    assert_eq!(killed(&mut guest), Vec::<String>::new());

    // Page tables, which no limit counts: who makes them is ended.
    let output = guest.conductor().run(&["sample", "probe", "tables", "1T"]).expect("the guest answers");
    assert_eq!(output.status, 137, "{}", output.text);
    let lines = killed(&mut guest);
    assert!(lines.len() == 1 && lines[0].contains("(probe)"), "{lines:?}");
    still_works(&mut guest);
    comes_back(&mut guest, before);

    // Memory files: first the file system's limit; then, since nobody maps them, their container is who takes most, though a bystander's process
    // asks for the memory and is larger than any of the container's own.
    guest.conductor().start(&["--name", "files", "sample", "container_init"]).expect("the guest answers");
    let output = guest.conductor().exec("files", &["probe", "fill", "/dev/shm/file"]).expect("the guest answers");
    assert!(output.text.contains("ENOSPC"), "{}", output.text);
    let asked = meminfo(&mut guest, "MemAvailable") / 1024 + 8;
    let asked = format!("{asked}M");
    let output = guest.conductor().exec("bystander", &["probe", "mem", &asked]).expect("the guest answers");
    assert_eq!(output.status, 0, "{}", output.text);
    let lines = killed(&mut guest);
    assert!(lines.len() == 2 && lines[1].contains("(container_init)"), "{lines:?}");
    still_works(&mut guest);
    let left = guest.conductor().ps().expect("the guest answers");
    assert!(left.iter().all(|row| row["NAME"] != "files"), "{left:?}");
    guest.conductor().stop("bystander").expect("the guest answers");
    comes_back(&mut guest, before);
}
