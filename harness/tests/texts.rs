//! Texts that are a contract: what the command line says about itself, and how failures read.

use assert_cmd::Command;
use expect_test::{Expect, expect};
use harness::{Evidence, Failure};
use std::time::Duration;

fn says(words: &[&str], expected: &Expect) {
    let output = Command::cargo_bin("harness").expect("built").args(words).output().expect("it runs");
    expected.assert_eq(&String::from_utf8_lossy(&output.stdout));
}

#[test]
fn help_lists_the_commands() {
    says(
        &["--help"],
        &expect![[r#"
            Builds the guest, boots it in QEMU, and drives it

            Usage: harness <COMMAND>

            Commands:
              shell    Boot to a shell at this terminal; Ctrl-A X leaves, Ctrl-A B shows the CPUs' call stacks
              run      Boot, run one command, print its output, exit with its status
              build    Build kernel, userland and disks
              bench    Measure the guest and print a table
              profile  Run one command and print where the kernel spent its time
              debug    Boot a machine that waits for gdb, with its shell at this terminal
              help     Print this message or the help of the given subcommand(s)

            Options:
              -h, --help     Print help
              -V, --version  Print version
        "#]],
    );
}

#[test]
fn help_lists_the_options_of_run() {
    says(
        &["run", "--help"],
        &expect![[r#"
        Boot, run one command, print its output, exit with its status

        Usage: harness run [OPTIONS] -- <COMMAND>...

        Arguments:
          <COMMAND>...  The command and its arguments

        Options:
              --cpus <N>                The number of CPUs [default: 2; bench: 1 and 2]
              --memory <MIB>            Memory in MiB [default: 512]
              --image <NAME=PATH>       An image to add: a folder, a docker export or save tar, or an OCI layout (repeatable)
              --checked                 Boot the kernel that checks itself: lock order, assertions, arithmetic (XV6_KERNEL=checked does the same)
              --kernel-option <OPTION>  An option for the kernel, such as loglevel=7 (repeatable)
              --disk <FILE>             A root disk to use and keep, made from the built one when absent; otherwise changes are forgotten at the end
              --record <FILE.cast>      Keep a recording of what the terminal shows, for `asciinema play`
              --timeout <SECONDS>       Seconds until the machine is ended by force
              --log                     Show the kernel's log on standard error
          -h, --help                    Print help
    "#]],
    );
}

#[test]
fn a_timeout_tells_everything() {
    let evidence = Evidence {
        transcript: "build/transcripts/x.transcript".into(),
        tail: "one\ntwo".into(),
        awaited: "\"# \" of `ls`".into(),
        stacks:
            "CPU 0: halted at 0xffffffff80101234\n  0xffffffff80101234 hal::irq::wait at xv6/hal/src/irq/mod.rs:12\n"
                .into(),
    };
    let failure = Failure::Timeout { after: Duration::from_millis(2500), evidence: Box::new(evidence) };
    expect![[r##"
        nothing came within 2.5 s
          awaited: "# " of `ls`
          transcript: build/transcripts/x.transcript
          its last lines:
          | one
          | two
          CPU 0: halted at 0xffffffff80101234
            0xffffffff80101234 hal::irq::wait at xv6/hal/src/irq/mod.rs:12"##]]
    .assert_eq(&failure.to_string());
}

#[test]
fn a_panic_shows_its_report_once() {
    let evidence =
        Evidence { transcript: "t".into(), tail: "the same again".into(), awaited: "x".into(), ..Evidence::default() };
    let report = "kernel panic on CPU 0: oops\n  at 0xffffffff80101234\n      0xffffffff80101234: f at g.rs:1\n".into();
    expect![[r#"
        the kernel panicked
        kernel panic on CPU 0: oops
          at 0xffffffff80101234
              0xffffffff80101234: f at g.rs:1
          awaited: x
          transcript: t"#]]
    .assert_eq(&Failure::Panic { report, evidence: Box::new(evidence) }.to_string());
}
