//! Several conductors at once: each gets its way or one clear refusal, and nothing half-made is left.

use harness::fixture::{boot, machine};

/// What is left of containers: folders, cgroups, overlay mounts.
const LEFT: &str =
    "ls /var/lib/conductor/containers; ls -d /sys/fs/cgroup/conductor/*/ 2>/dev/null; mount | grep overlay";

#[test]
fn many_at_once_all_run_and_leave_nothing() {
    let mut guest = boot(&machine("together"));
    let line = "for i in 1 2 3 4 5 6 7 8; do conductor run --rm sample echo done-$i > /tmp/$i 2>&1 & done; wait; cat /tmp/[1-8]";
    let text = guest.ok(line).expect("the guest answers");
    for i in 1..=8 {
        assert!(text.contains(&format!("done-{i}\n")), "container {i}:\n{text}");
    }
    assert_eq!(guest.run(LEFT).expect("the guest answers").text, "");
}

/// As if another conductor, the boot's first, were between its two steps.
#[test]
fn groups_that_are_half_prepared_are_prepared() {
    let mut guest = boot(&machine("half-prepared"));
    guest.ok("mkdir /sys/fs/cgroup/conductor").expect("the guest answers");
    assert_eq!(guest.ok("conductor run --rm sample echo done").expect("the guest answers"), "done\n");
}

#[test]
fn a_name_goes_to_one_of_two() {
    let mut guest = boot(&machine("names"));
    let line = "for i in 1 2 3 4; do conductor run -d --name one sample container_init > /tmp/$i 2>&1 & done; wait; cat /tmp/[1-4]";
    let text = guest.ok(line).expect("the guest answers");
    assert_eq!(text.lines().filter(|line| line.contains("one")).count(), 3, "three are refused by name:\n{text}");
    assert_eq!(guest.conductor().ps().expect("the guest answers").len(), 1);
    guest.conductor().stop("one").expect("the guest answers");
    assert_eq!(guest.run(LEFT).expect("the guest answers").text, "");
}

#[test]
fn stopping_twice_at_once_is_no_harm() {
    let mut guest = boot(&machine("stops"));
    guest.conductor().start(&["--name", "one", "sample", "container_init"]).expect("the guest answers");
    guest.ok("conductor stop one > /tmp/1 2>&1 & conductor stop one > /tmp/2 2>&1 & wait").expect("the guest answers");
    let text = guest.ok("cat /tmp/1 /tmp/2").expect("the guest answers");
    assert!(!text.contains("panic"), "{text}");
    assert_eq!(guest.run(LEFT).expect("the guest answers").text, "", "{text}");
}
