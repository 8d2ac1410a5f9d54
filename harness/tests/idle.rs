//! An idle guest costs the host next to nothing.

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
