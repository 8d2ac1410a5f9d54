//! Containers leave nothing: a hundred at once in 512 MiB, and a thousand one after the other. What there is in the kernel afterwards is what
//! there was before, by `/proc/xv6`; and `/proc/meminfo` tells where memory is.

use harness::Counts;
use harness::fixture::{Booted, boot, machine};
use std::collections::BTreeMap;
use std::time::Duration;

/// Starts and stops in one go: longer than one command.
const MANY: Duration = Duration::from_secs(120);

/// Runs `script`, which prints nothing and succeeds.
fn silent(guest: &mut Booted, script: &str) {
    let output = guest.run_within(script, MANY).expect("the guest answers");
    assert_eq!((output.status, output.text.as_str()), (0, ""), "{script}");
}

/// A loop with `i` from 1 to `count`; `body` ends with `;` or `&`.
fn times(count: usize, body: &str) -> String {
    format!("for i in $(seq {count}); do {body} done")
}

/// Runs `command` with `i` from 1 to `count`, all at once; what goes wrong is printed.
fn at_once(count: usize, command: &str) -> String {
    format!("({}; wait)", times(count, &format!("{command} > /dev/null || echo $i: $? &")))
}

#[test]
fn a_hundred_at_once_leave_nothing() {
    let mut guest = boot(&machine("hundred").memory(512));
    let (start, stop) = ("conductor run -d --name c$i sample container_init", "conductor stop -t 0 c$i");
    // The first ones warm what stays: the store's folders, the pages of programs.
    silent(&mut guest, &at_once(4, start));
    silent(&mut guest, &at_once(4, stop));
    let before = Counts::of(&mut guest).expect("the guest answers");

    silent(&mut guest, &at_once(100, start));
    assert_eq!(guest.conductor().ps().expect("the guest answers").len(), 100, "all run at once");
    let during = Counts::of(&mut guest).expect("the guest answers");
    assert!(during.objects["cgroups"] >= before.objects["cgroups"] + 100, "{during:?}");
    assert!(during.objects["processes"] >= before.objects["processes"] + 200, "an init and a monitor each: {during:?}");

    silent(&mut guest, &at_once(100, stop));
    assert_eq!(guest.conductor().ps().expect("the guest answers").len(), 0);
    before.expect_back(&mut guest, "a hundred containers");
}

#[test]
fn a_thousand_in_turn_leave_nothing() {
    let mut guest = boot(&machine("thousand"));
    silent(&mut guest, &times(3, "conductor run --rm sample true;"));
    let before = Counts::of(&mut guest).expect("the guest answers");
    // Each of the ten rounds is told apart: a leak grows.
    for round in 1..=10 {
        silent(&mut guest, &times(100, "conductor run --rm sample true || echo $i;"));
        before.expect_back(&mut guest, &format!("{round}00 containers"));
    }
}

/// `/proc/meminfo` in KiB, by name.
fn meminfo(guest: &mut Booted) -> BTreeMap<String, u64> {
    let text = guest.ok("cat /proc/meminfo").expect("the guest answers");
    let row = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        Some((name.to_string(), rest.trim().strip_suffix(" kB")?.parse().ok()?))
    };
    text.lines().map(|line| row(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
}

#[test]
fn meminfo_tells_where_memory_is() {
    let mut guest = boot(&machine("meminfo"));
    let before = meminfo(&mut guest);
    let parts = ["MemFree", "Cached", "AnonPages", "Slab", "KernelStack", "PageTables"];
    let sum: u64 = parts.iter().map(|part| before[*part]).sum();
    assert!(sum.abs_diff(before["MemTotal"]) < 2048, "the parts make up the whole but for 2 MiB: {sum} of {before:?}");
    assert_eq!(before["Slab"], before["SReclaimable"] + before["SUnreclaim"]);
    assert!(before["MemAvailable"] <= before["MemFree"] + before["Cached"], "{before:?}");

    // A hundred processes take a stack and tables each; they are many pages in slab, too.
    guest.ok(&times(100, "sleep 1000 &")).expect("the guest answers");
    let during = meminfo(&mut guest);
    for (part, least) in [("KernelStack", 400), ("PageTables", 1600), ("Slab", 100), ("AnonPages", 800)] {
        assert!(during[part] >= before[part] + least, "{part}: {before:?}\n{during:?}");
    }
    assert!(during["MemFree"] < before["MemFree"]);
}
