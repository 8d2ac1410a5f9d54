//! What conductor refuses: one clear line, the right status, and nothing left behind.

use harness::Output;
use harness::fixture::{Booted, boot, machine};

/// Runs a command that must fail with `status` and one line that names `thing`.
fn refused(guest: &mut Booted, command: &str, status: u8, thing: &str) {
    let Output { status: actual, text } = guest.run(command).expect(command);
    assert_eq!(actual, status, "{command}: {text}");
    assert_eq!(text.lines().count(), 1, "{command}: one line:\n{text}");
    assert!(text.contains(thing), "{command}: names {thing}: {text}");
}

#[test]
fn every_refusal_is_one_line_with_its_status() {
    let mut guest = boot(&machine("errors"));
    guest.ok("conductor init").expect("the guest answers");
    refused(&mut guest, "conductor run nosuch ps", 125, "nosuch");
    refused(&mut guest, "conductor run sample nosuchcommand", 127, "nosuchcommand");
    refused(&mut guest, "conductor run sample /etc/passwd", 126, "/etc/passwd");
    refused(&mut guest, "conductor exec nosuch ps", 125, "nosuch");
    refused(&mut guest, "conductor stop nosuch", 125, "nosuch");
    refused(&mut guest, "conductor logs nosuch", 125, "nosuch");

    let container =
        guest.conductor().start(&["--name", "taken", "sample", "container_init"]).expect("the guest answers");
    assert_eq!(container.name, "taken");
    refused(&mut guest, "conductor run --name taken sample ps", 125, "taken");
    refused(&mut guest, "conductor exec taken nosuchcommand", 127, "nosuchcommand");
    refused(&mut guest, "conductor exec taken /etc/passwd", 126, "/etc/passwd");
    guest.conductor().stop("taken").expect("the guest answers");
    refused(&mut guest, "conductor stop taken", 125, "taken");

    refused(&mut guest, "conductor run --frobnicate sample ps", 125, "--frobnicate");

    assert_eq!(
        guest.ok("ls /var/lib/conductor/containers").expect("the guest answers"),
        "",
        "nothing half-made is left"
    );
    let mounts = guest.ok("mount").expect("the guest answers");
    assert!(!mounts.contains("overlay"), "{mounts}");
}

/// What the shell cannot read is told at once, and the next command runs.
#[test]
fn a_line_that_is_no_command_is_refused() {
    let mut guest = boot(&machine("syntax"));
    for line in [")", "echo one; if", "echo one | | cat", "for in in; do"] {
        refused(&mut guest, line, 2, "syntax error");
        assert_eq!(guest.ok("echo alive").expect("the guest answers"), "alive\n");
    }
    for line in ["echo 'one", "echo \"$(echo two", "while true; do echo", "cat <<end", "for i in 1 2\ndo echo three"] {
        refused(&mut guest, line, 2, "not finished");
        assert_eq!(guest.ok("for i in 1 2\ndo echo $i\ndone").expect("the guest answers"), "1\n2\n", "the control");
    }
    // The same words as a program's output are just that.
    let said = guest.ok("printf '\\nsh: line 1: syntax error: no\\n'").expect("the guest answers");
    assert_eq!(said, "\nsh: line 1: syntax error: no\n");
}

#[test]
fn a_container_gives_its_status_and_its_signal() {
    let mut guest = boot(&machine("status"));
    let mut status = |command: &str| guest.run(command).expect("the guest answers").status;
    assert_eq!(status("conductor run sample sh -c 'exit 7'"), 7);
    assert_eq!(status("conductor run sample sh -c 'kill -9 $$; exit 4'"), 4, "pid 1 is immune to its own namespace");
    assert_eq!(status("conductor run sample sh -c 'sh -c \"kill -9 \\$\\$\"; exit $?'"), 137);
}

#[test]
fn programs_refuse_a_bad_option_with_status_two() {
    let mut guest = boot(&machine("options"));
    for program in ["ls", "cat", "wc", "mkdir", "rm", "cp", "mv", "sort", "ps", "mount", "df", "hostname", "head"] {
        let output = guest.run(&format!("{program} --no-such-option")).expect("the guest answers");
        assert_eq!(output.status, 2, "{program}: {}", output.text);
        assert!(output.text.to_lowercase().contains("usage"), "{program}: {}", output.text);
    }
}
