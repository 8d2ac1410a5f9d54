//! A fork bomb in a container meets its limit and harms nobody.

use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::time::{Duration, Instant};

/// The number in a file.
fn number(guest: &mut Booted, file: &str) -> u64 {
    let text = guest.ok(&format!("cat {file}")).expect("the guest answers");
    text.trim().parse().unwrap_or_else(|_| panic!("{file}: {text:?}"))
}

/// How many processes there are. The shell itself expands the pattern: no other process comes and goes for it.
fn tasks(guest: &mut Booted) -> usize {
    guest.ok("echo /proc/[0-9]*").expect("the guest answers").split_whitespace().count()
}

/// Free memory in KiB.
fn free_memory(guest: &mut Booted) -> u64 {
    let text = guest.ok("grep MemAvailable /proc/meminfo").expect("the guest answers");
    text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{text:?}"))
}

/// Runs the bomb with `options` and expects it to stop at `limit` tasks (`None`: whatever limit there is by default).
fn bomb(options: &[&str], limit: Option<u64>) {
    let mut guest = boot(&machine("forkbomb"));
    let other = guest.conductor().start(&["--name", "other", "sample", "container_init"]).expect("the guest answers");
    // The first stop warms what stays cached, so that the counts compare.
    guest.conductor().run(&["sample", "true"]).expect("the guest answers");
    let (tasks_before, memory_before) = (tasks(&mut guest), free_memory(&mut guest));

    let words = [&["--name", "bomb"], options, &["sample", "forkbomb"]].concat();
    let bomb = guest.conductor().start(&words).expect("the guest answers");
    let group = format!("/sys/fs/cgroup/conductor/{}", bomb.id);
    if let Some(limit) = limit {
        assert_eq!(number(&mut guest, &format!("{group}/pids.max")), limit);
    }
    let limit = limit.unwrap_or_else(|| number(&mut guest, &format!("{group}/pids.max")));

    // It is full when a fork has been refused.
    let start = Instant::now();
    loop {
        let events = guest.ok(&format!("cat {group}/pids.events")).expect("the guest answers");
        if events.lines().any(|line| line.starts_with("max ") && line != "max 0") {
            break;
        }
        assert!(start.elapsed() < scaled(Duration::from_secs(30)), "no fork was refused: {events}");
    }
    assert_eq!(number(&mut guest, &format!("{group}/pids.peak")), limit, "exactly the limit was reached");

    // Its own count comes through its monitor, which has to run for that among all those tasks.
    let count = format!("forkbomb: {limit} tasks, then: Resource temporarily unavailable\n");
    while guest.ok("conductor logs bomb").expect("the guest answers") != count {
        assert!(start.elapsed() < scaled(Duration::from_secs(30)), "the bomb did not report: {count}");
    }

    // Meanwhile the host answers and the other container works.
    assert_eq!(guest.ok("echo alive").expect("the guest answers"), "alive\n");
    let output = guest.conductor().exec(&other.name, &["hostname"]).expect("the guest answers");
    assert_eq!(output.status, 0, "{}", output.text);

    let start = Instant::now();
    guest.ok("conductor stop -t 0 bomb").expect("the guest answers");
    assert!(start.elapsed() < scaled(Duration::from_secs(3)), "stopping took {:?}", start.elapsed());

    // The container's monitor ends by itself, a moment after `stop` has seen the init go.
    let stopped = Instant::now();
    let mut tasks_after = tasks(&mut guest);
    while tasks_after != tasks_before && stopped.elapsed() < scaled(Duration::from_secs(3)) {
        tasks_after = tasks(&mut guest);
    }
    assert_eq!(tasks_after, tasks_before, "every task is gone");
    let memory_after = free_memory(&mut guest);
    assert!(
        memory_after + 4096 >= memory_before,
        "memory came back: {memory_before} KiB before, {memory_after} KiB after"
    );
    guest.conductor().stop("other").expect("the guest answers");
}

#[test]
fn a_bomb_meets_its_limit() {
    bomb(&["--pids", "32"], Some(32));
}

#[test]
fn a_bomb_meets_the_default_limit() {
    bomb(&[], None);
}
