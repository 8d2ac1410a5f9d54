//! An idle guest costs the host next to nothing, and says how busy it is.

use harness::fixture::{boot, machine};
use std::time::Duration;

/// CPU time of process `pid` so far, user and system (proc(5): fields 14 and 15, in ticks of 10 ms).
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("fields");
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn an_idle_guest_sleeps() {
    let mut guest = boot(&machine("idle").cpus(4));
    // The guest's own idleness is what is measured: it sleeps, nothing else runs.
    guest.run("true").expect("the guest answers");
    let before = cpu_time(guest.console.pid());
    guest.run("sleep 3").expect("the guest answers");
    let used = cpu_time(guest.console.pid()) - before;
    assert!(used < Duration::from_millis(300), "{used:?} of CPU time in 3 s of idleness on 4 CPUs");
}

#[test]
fn the_load_average_is_nothing_at_rest_and_rises_with_work() {
    let mut guest = boot(&machine("load"));
    let mut first = |command: &str| -> f64 {
        let text = guest.ok(&format!("{command}; cut -d' ' -f1 /proc/loadavg")).expect("it ends");
        text.lines().last().and_then(|load| load.parse().ok()).unwrap_or_else(|| panic!("{text:?}"))
    };
    // The next look is due five seconds after the last.
    assert_eq!(first("sleep 5.5"), 0.0);
    let until_it_rises = "while [ $(cut -d' ' -f1 /proc/loadavg) = 0.00 ]; do sleep 0.2; done";
    let risen = first(&format!("probe spin & {until_it_rises}; kill $!; wait $!"));
    assert!((0.07..0.4).contains(&risen), "one thread and those that look, for one look or two: {risen}");
}

#[test]
fn who_waits_for_a_disk_counts_in_the_load_average() {
    let mut machine = machine("load of a disk");
    // What is read ahead at once is 256 KiB: a second.
    machine.drives[1] = machine.drives[1].clone().slowed(256 << 10);
    let mut guest = boot(&machine);
    let waits =
        "until grep -q ') D ' /proc/$!/stat && grep -q 'State:.D (disk sleep)' /proc/$!/status; do sleep 0.1; done";
    let counted = "until grep -q 'procs_blocked 1' /proc/stat; do sleep 0.1; done";
    // Nobody else does anything while the next look comes, or two.
    let load = "sleep 5.5; cut -d' ' -f1 /proc/loadavg; kill $!; wait $!; true";
    let text = guest.ok(&format!("cat /dev/vdb > /dev/null & {waits}; {counted}; {load}")).expect("it ends");
    let load = text.lines().last().and_then(|load| load.parse::<f64>().ok()).unwrap_or_else(|| panic!("{text:?}"));
    assert!((0.07..0.25).contains(&load), "one thread, for one look or two, and those that looked for it: {load}");
}
