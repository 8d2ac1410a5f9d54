//! batch: the same script in a container and on the host's Linux prints the same.

use crate::images::{BUSYBOX, folders, machine};
use harness::fixture::{Booted, boot};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// One whole script.
const LIMIT: Duration = Duration::from_secs(60);

/// What `words` print on the host, in an empty directory, with the programs of the image in `root` alone in reach.
fn host(root: &Path, words: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let program = if words[0] == "busybox" { BUSYBOX.into() } else { root.join("bin").join(words[0]) };
    // Who runs the tests in the background may ignore SIGINT, which a shell then may not catch.
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal").arg(program).args(&words[1..]).current_dir(dir.path()).stdin(Stdio::null());
    command.env_clear().env("PATH", root.join("bin")).env("HOME", "/root");
    let output = command.output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `words` print in a container of `image`.
fn contained(guest: &mut Booted, image: &str, words: &[&str]) -> String {
    let line = format!("conductor run --rm -w /tmp -e HOME=/root -e PATH=/bin {image} {}", words.join(" "));
    let output = guest.run_within(&line, LIMIT).expect("the guest answers");
    assert_eq!(output.status, 0, "{}", output.text);
    output.text
}

/// Compares command by command, so that a difference shows beside its command.
fn same(host: &str, contained: &str) {
    let parts = |text: &str| -> Vec<String> { text.split("== ").map(String::from).collect() };
    let (host, contained) = (parts(host), parts(contained));
    let differing: Vec<String> = host
        .iter()
        .zip(&contained)
        .filter(|(one, other)| one != other)
        .map(|(one, other)| format!("on the host:\n{one}in the container:\n{other}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(host.len(), contained.len(), "all commands ran: {contained:?}");
}

#[test]
fn the_shells_and_their_tools_print_what_they_print_on_linux() {
    let [busybox, bash, debian] = folders();
    let mut guest = boot(&machine("linux-batch"));
    for (image, root, shell, script, least) in [
        ("busybox", busybox, &["busybox", "sh"][..], "same.sh", 30),
        ("bash", bash, &["bash"], "same.bash", 15),
        ("debian", debian, &["bash"], "same.debian", 15),
    ] {
        let here = host(root, &[shell, &[&*root.join("bin").join(script).display().to_string()]].concat());
        assert!(here.matches("\n-- ").count() > least, "the control ran:\n{here}");
        same(&here, &contained(&mut guest, image, &[shell, &[&*format!("/bin/{script}")]].concat()));
    }
}

#[test]
fn a_c_program_finds_what_it_finds_on_linux() {
    let [_, musl, glibc] = folders();
    let mut guest = boot(&machine("linux-c").cpus(4));
    for (image, root) in [("bash", musl), ("debian", glibc)] {
        let here = host(root, &["hello", "from", "C"]);
        assert!(here.ends_with("slept: enough\n"), "the control ran:\n{here}");
        let output = guest.run(&format!("conductor run -w /tmp {image} hello from C")).expect("the guest answers");
        assert_eq!((output.status, output.text), (5, here), "in {image}");
        let program = "for i in 1 2 3 4 5 6 7 8 9 10; do hello > /tmp/out || [ $? = 5 ] || cat /tmp/out; done";
        let again = guest.ok(&format!("conductor run {image} bash -c '{program}'")).expect("the guest answers");
        assert_eq!(again, "", "again and again in {image}");
    }
}
