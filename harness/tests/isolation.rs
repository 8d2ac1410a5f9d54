//! Isolation: each claim about the inside of a container stands beside its control outside.
//!
//! A claim without a control proves little: a program that fails everywhere would pass. So what a container must not
//! see or do, the host sees and does in the same test.

use harness::Output;
use harness::fixture::{Booted, boot, machine};

/// Runs in the host's shell.
fn outside(guest: &mut Booted, command: &str) -> Output {
    guest.run(command).expect(command)
}

/// Runs in the running container `inside`.
fn inside(guest: &mut Booted, command: &str) -> Output {
    guest.conductor().exec("inside", &["sh", "-c", command]).expect(command)
}

/// A guest with container `inside` and its pid.
fn contained(name: &str) -> (Booted, u32) {
    let mut guest = boot(&machine(name));
    let container =
        guest.conductor().start(&["--name", "inside", "sample", "container_init"]).expect("the guest answers");
    (guest, container.pid)
}

#[test]
fn processes_of_the_host_are_neither_seen_nor_signalled() {
    let (mut guest, _) = contained("processes");
    outside(&mut guest, "sleep 1000 &");
    let pid = outside(&mut guest, "echo $!").text.trim().to_string();
    assert!(outside(&mut guest, "ps").text.contains("sleep"), "the control sees it");
    assert!(!inside(&mut guest, "ps").text.contains("sleep"));
    assert_ne!(inside(&mut guest, &format!("ls /proc/{pid}")).status, 0);
    assert_ne!(inside(&mut guest, &format!("kill -9 {pid}")).status, 0);
    inside(&mut guest, "kill -9 -1");
    assert_eq!(outside(&mut guest, &format!("kill -0 {pid}")).status, 0, "it lives");
    assert_eq!(outside(&mut guest, &format!("kill -9 {pid}")).status, 0, "the control signals it");
}

#[test]
fn the_host_sees_the_container_by_its_own_pids() {
    let (mut guest, pid) = contained("pids");
    assert!(outside(&mut guest, &format!("cat /proc/{pid}/comm")).text.contains("container_init"));
    assert!(inside(&mut guest, "cat /proc/1/comm").text.contains("container_init"), "there it is pid 1");
}

#[test]
fn files_of_the_host_are_not_there() {
    let (mut guest, _) = contained("files");
    outside(&mut guest, "echo secret > /root/secret; mkdir /only-here");
    assert_eq!(outside(&mut guest, "cat /root/secret").text, "secret\n");
    for command in [
        "cat /root/secret",
        "ls /only-here",
        "ls /images/blobs",
        "ls /var/lib/conductor",
        "cat /../root/secret",
        "cat /proc/1/root/root/secret",
    ] {
        let output = inside(&mut guest, command);
        assert_ne!(output.status, 0, "{command}: {}", output.text);
    }
}

#[test]
fn a_host_name_stays_inside() {
    let mut guest = boot(&machine("hostname"));
    let words = ["--name", "inside", "--hostname", "elsewhere", "sample", "container_init"];
    guest.conductor().start(&words).expect("the guest answers");
    assert_eq!(inside(&mut guest, "hostname").text, "elsewhere\n");
    assert_eq!(outside(&mut guest, "hostname").text, "xv6\n");
    assert_eq!(outside(&mut guest, "hostname outside; hostname").text, "outside\n", "the control sets its own");
    assert_eq!(inside(&mut guest, "hostname").text, "elsewhere\n");
    let output = inside(&mut guest, "hostname mine");
    assert_eq!(
        (output.status, output.text.as_str()),
        (1, "hostname: mine: Operation not permitted\n"),
        "no capability for it"
    );
    assert_eq!(outside(&mut guest, "hostname").text, "outside\n");
}

#[test]
fn mounts_stay_where_they_are_made() {
    let (mut guest, _) = contained("mounts");
    let host = outside(&mut guest, "mount").text;
    let container = inside(&mut guest, "mount").text;
    assert!(host.contains("/images") && !container.contains("/images"), "host:\n{host}container:\n{container}");
    outside(&mut guest, "mkdir /mnt/new; mount -t tmpfs tmpfs /mnt/new");
    assert!(outside(&mut guest, "mount").text.contains("/mnt/new"));
    assert!(!inside(&mut guest, "mount").text.contains("/mnt/new"));
}

#[test]
fn the_classical_ways_out_are_closed() {
    let (mut guest, _) = contained("escape");
    let output = inside(&mut guest, "probe escape");
    assert_eq!(output.status, 0, "{}", output.text);
    assert!(output.text.contains("refused") && !output.text.contains("ESCAPED"), "{}", output.text);
    // The control: the same attempts get out of a bare chroot.
    outside(&mut guest, "mkdir -p /tmp/jail/bin; cp /bin/probe /tmp/jail/bin");
    let output = outside(&mut guest, "chroot /tmp/jail /bin/probe escape");
    assert!(output.text.contains("ESCAPED"), "{}", output.text);
}

#[test]
fn writes_show_nowhere_else() {
    let (mut guest, _) = contained("writes");
    guest.conductor().start(&["--name", "second", "sample", "container_init"]).expect("the guest answers");
    assert_eq!(
        inside(&mut guest, "echo changed > /etc/motd; echo new > /new; rm /etc/group; cat /etc/motd").text,
        "changed\n"
    );
    let mut second = |command: &[&str]| guest.conductor().exec("second", command).expect("the guest answers");
    assert!(second(&["cat", "/etc/motd"]).text.contains("sample"));
    assert_ne!(second(&["cat", "/new"]).status, 0);
    assert_eq!(second(&["cat", "/etc/group"]).status, 0);
    let third = guest.conductor().run(&["sample", "cat", "/etc/motd"]).expect("the guest answers");
    assert!(third.text.contains("sample"), "the image is what it was: {}", third.text);
    assert_ne!(outside(&mut guest, "cat /new").status, 0);
}

#[test]
fn stop_removes_everything() {
    let mut guest = boot(&machine("stop"));
    let look = "ls /var/lib/conductor/containers; ls -d /sys/fs/cgroup/conductor/*/; mount; ls -d /proc/[0-9]*; ls /run/conductor";
    guest.ok("conductor init").expect("the guest answers");
    guest.conductor().run(&["sample", "true"]).expect("the guest answers");
    let count = |text: &str| text.lines().filter(|line| !line.contains("No such file")).count();
    let before = outside(&mut guest, look).text;
    let container = guest.conductor().start(&["sample", "container_init"]).expect("the guest answers");
    guest.conductor().exec(&container.name, &["sh", "-c", "sleep 1000 &"]).expect("the guest answers");
    let during = outside(&mut guest, look).text;
    assert!(count(&during) > count(&before), "the control: it shows while it runs\n{during}");
    guest.conductor().stop(&container.pid.to_string()).expect("the guest answers");
    let after = outside(&mut guest, look).text;
    assert_eq!(count(&after), count(&before), "before:\n{before}after:\n{after}");
    assert!(!after.contains("overlay"), "{after}");
}
