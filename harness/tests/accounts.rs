//! What `/proc` says of who used what of the machine.

use harness::fixture::{Booted, boot, machine};

/// The bytes of `/proc/PID/io` that the console's shell and its children had from disks and gave to them: fetched, dirtied, cancelled.
fn disk_bytes(guest: &mut Booted, after: &str) -> [u64; 3] {
    let text = guest.ok(&format!("{after}; grep bytes: /proc/$$/io")).expect("the guest answers");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {text}"))
    };
    ["read_bytes", "write_bytes", "cancelled_write_bytes"].map(value)
}

#[test]
fn what_a_process_has_of_a_disk_is_told_without_the_caches_part() {
    let mut guest = boot(&machine("disk bytes"));
    let by = |before: [u64; 3], after: [u64; 3]| [0, 1, 2].map(|at: usize| after[at] - before[at]);
    let begun = disk_bytes(&mut guest, "true");
    assert!(begun[0] > 0, "the programs came from the disk: {begun:?}");
    let written = disk_bytes(&mut guest, "head -c 1048576 /dev/zero > /big; cat /big > /dev/null");
    assert_eq!(by(begun, written)[1..], [1 << 20, 0]);
    let cached = disk_bytes(&mut guest, "cat /big > /dev/null");
    assert_eq!(by(written, cached), [0; 3], "from the cache");
    // Beside the file, the programs that do it, and where they lie on the disk.
    let drop_caches = "sync; echo 3 > /proc/sys/vm/drop_caches";
    let [fetched, dirtied, _] = by(cached, disk_bytes(&mut guest, &format!("{drop_caches}; cat /big > /dev/null")));
    assert!((1 << 20..4 << 20).contains(&fetched) && dirtied == 0, "{fetched} {dirtied}");
    let before = disk_bytes(&mut guest, "true");
    let dropped =
        disk_bytes(&mut guest, "head -c 65536 /dev/zero > /small; rm /small; head -c 65536 /dev/zero > /tmp/x");
    assert_eq!(by(before, dropped)[1..], [65536; 2], "written and removed; /tmp is on no disk");
}

/// The sum of the lines of `text` that begin with `name`, in KiB.
fn kilobytes(text: &str, name: &str) -> u64 {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    lines.map(|number| number.parse::<u64>().expect("a number")).sum()
}

#[test]
fn anonymous_pages_count_once_and_pages_of_files_do_not() {
    let mut guest = boot(&machine("anonymous pages"));
    let mut told = |command: &str| guest.ok(command).expect("the guest answers");
    let anonymous = "grep AnonPages /proc/meminfo";
    let before = kilobytes(&told(anonymous), "AnonPages");
    // Programs show much of their file, and have little of their own.
    let asleep = "until grep -q '(sleep) S' /proc/$!/stat; do true; done";
    let ten =
        format!("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & {asleep}; all=\"$all /proc/$!/smaps_rollup\"; done");
    let text = told(&format!("{ten}; grep -h -e ^Rss -e ^Anonymous $all; {anonymous}"));
    let [resident, own, now] = ["Rss", "Anonymous", "AnonPages"].map(|name| kilobytes(&text, name));
    assert!(own > 0 && resident > 4 * own, "{text}");
    assert!((before + own).abs_diff(now) < 128, "{before} and {own} are not {now}");
    // A large shell's children have it all, too.
    let large = kilobytes(&told(&format!("large=$(yes | head -c 4194304); {anonymous}")), "AnonPages");
    assert!(large >= now + 4000, "{now} {large}");
    let forked = told(&format!("for i in 1 2 3 4; do (sleep 1000; true) & done; {anonymous}"));
    assert!(kilobytes(&forked, "AnonPages") < large + 1024, "{large} {forked}");
}
