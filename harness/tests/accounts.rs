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
