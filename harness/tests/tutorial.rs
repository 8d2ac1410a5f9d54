//! The README's tutorial, typed at the console through rexpect, on one, two and four CPUs.
//!
//! Here nothing is framed or parsed by the library: the lines are typed and the answers awaited as a person would.

use harness::Guest;
use harness::fixture::{boot, machine};
use std::time::Duration;

/// A person's patience with one line.
const LIMIT: Duration = Duration::from_secs(20);

/// The prompt of the first shell.
const PROMPT: &str = "xv6:/root# ";

/// Types `line` and returns what comes before the next prompt, the echo left out.
fn type_line(guest: &mut Guest, line: &str) -> String {
    let mut typed = || {
        guest.console.send_line(line)?;
        guest.console.expect(&format!("{line}\r\n"), LIMIT)?;
        guest.console.expect(PROMPT, LIMIT)
    };
    typed().expect(line).replace("\r\n", "\n")
}

/// The tutorial itself.
fn tutorial(cpus: u32) {
    let mut booted = boot(&machine(&format!("tutorial-{cpus}")).cpus(cpus));
    let guest = &mut *booted;
    type_line(guest, "conductor init");

    let processes = type_line(guest, "conductor run sample ps");
    let rows: Vec<&str> = processes.lines().skip(1).collect();
    assert_eq!(rows.len(), 1, "a container sees its own processes only:\n{processes}");
    assert!(rows[0].trim_start().starts_with("1 ") && rows[0].contains("ps"), "ps is pid 1 there:\n{processes}");

    guest.console.send_line("conductor run sample container_init &").expect("typed");
    let (_, line) = guest.console.expect_regex(r"[a-z][a-z0-9_.-]* [0-9]+\r\n", LIMIT).expect("the guest answers");
    let (name, pid) = line.trim().split_once(' ').expect("a name and a pid");
    let list = type_line(guest, "conductor ps");
    assert!(list.contains(name) && list.contains(pid), "{name} {pid} is listed:\n{list}");

    let inside = type_line(guest, &format!("conductor exec {pid} ps"));
    let rows: Vec<&str> = inside.lines().skip(1).map(str::trim).collect();
    assert_eq!(rows.len(), 2, "its init and ps:\n{inside}");
    assert!(rows[0].starts_with("1 ") && rows[0].contains("container_init"), "{inside}");
    assert!(rows[1].contains("ps"), "{inside}");

    let inner = type_line(guest, &format!("conductor exec {name} -- hostname"));
    let outer = type_line(guest, "hostname");
    assert_ne!(inner, outer, "a container has a host name of its own");

    let id =
        list.lines().find(|line| line.contains(name)).and_then(|line| line.split_whitespace().next()).expect("an id");
    assert!(type_line(guest, "ls /var/lib/conductor/containers").contains(id), "the control: its folder");
    type_line(guest, &format!("conductor stop {pid}"));
    let list = type_line(guest, "conductor ps");
    assert!(!list.contains(name), "{name} is gone:\n{list}");
    assert!(!type_line(guest, "ls /var/lib/conductor/containers").contains(id), "its folder is gone");
    let mounts = type_line(guest, "mount");
    assert!(!mounts.contains("overlay"), "its mounts are gone:\n{mounts}");

    guest.console.send_line("exit").expect("typed");
    let (status, _) = guest.console.expect_end(LIMIT).expect("the guest answers");
    assert_eq!(status, 0);
}

#[test]
fn the_tutorial_works_on_one_cpu() {
    tutorial(1);
}

#[test]
fn the_tutorial_works_on_two_cpus() {
    tutorial(2);
}

#[test]
fn the_tutorial_works_on_four_cpus() {
    tutorial(4);
}
