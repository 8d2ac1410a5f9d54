//! The console and its failures, against a stand-in for QEMU: a shell script that plays the guest.
//!
//! Descriptor 0 is the console, descriptor 1 the serial port, as with the real one. So every way a machine can fail is
//! tested without a machine, in milliseconds.

use harness::fixture::install;
use harness::{Artifacts, Failure, Guest, Machine};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A machine whose QEMU is `script`, which lies in the folder.
fn machine(script: &str) -> (TempDir, Machine) {
    let dir = tempfile::tempdir().expect("a folder");
    let qemu = dir.path().join("qemu");
    install(&qemu, format!("#!/bin/bash\n{script}\n").as_bytes());
    let kernel = std::env::current_exe().expect("an ELF file");
    let artifacts = Artifacts { kernel: kernel.clone(), root: kernel.clone(), images: kernel };
    let mut machine = Machine::new(&artifacts).name("stand-in");
    machine.qemu = qemu;
    (dir, machine)
}

/// A guest that echoes what is typed, as a terminal does, and runs it.
const SHELL: &str = r#"
exec 3<&0
printf 'boot log\n'
printf '# ' >&0
while IFS= read -r line <&0; do
    printf '%s\r\n' "$line" >&0
    case $line in poweroff) echo 'xv6: exit status 0'; exit 0 ;; esac
    eval "$line" 2>&1 | sed -z 's/\n/\r\n/g' >&3
    printf '# ' >&0
done"#;

#[test]
fn a_command_gives_its_text_and_status_never_its_echo() {
    let (_dir, machine) = machine(SHELL);
    let mut guest = Guest::boot(&machine).expect("it boots");
    let output = guest.run("echo one; echo two; (exit 3)").expect("it runs");
    assert_eq!((output.status, output.text.as_str()), (3, "one\ntwo\n"));
    let output = guest.run("printf 'no newline é'").expect("it runs");
    assert_eq!((output.status, output.text.as_str()), (0, "no newline é"));
    assert_eq!(guest.run("true &").expect("it runs").status, 0);
    let error = guest.ok("false").expect_err("false fails").to_string();
    assert_eq!(error, "guest command `false`: status 1\n");
    assert_eq!(guest.console.log(), "boot log\n");
    guest.power_off().expect("a clean end");
}

#[test]
fn a_round_trip_takes_no_polling() {
    let (_dir, machine) = machine("printf '# ' >&0; while IFS= read -r line <&0; do printf '%s# ' \"$line\" >&0; done");
    let mut guest = Guest::boot(&machine).expect("it boots");
    let start = Instant::now();
    for _ in 0..50 {
        guest.console.send_line("ping").expect("typed");
        guest.prompt(Duration::from_secs(5)).expect("answered");
    }
    // rexpect alone would take 100 ms for each.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?} for 50 round trips", start.elapsed());
}

#[test]
fn silence_is_a_timeout_with_the_transcript() {
    let (_dir, machine) = machine("printf 'hello?\\n# ' >&0; sleep 60 <&0");
    let mut guest = Guest::boot(&machine).expect("it boots");
    let failure = guest.run_within("ls", Duration::from_millis(50)).expect_err("nothing comes");
    assert!(matches!(failure, Failure::Timeout { .. }), "{failure}");
    let evidence = failure.evidence().expect("evidence");
    assert!(evidence.tail.contains("hello?"), "{failure}");
    assert!(evidence.awaited.contains("`ls`"), "{failure}");
    let transcript = std::fs::read_to_string(&evidence.transcript).expect("a transcript");
    assert!(transcript.contains("hello?"), "{transcript}");
}

#[test]
fn every_end_has_its_name() {
    let end = |script: &str| {
        let (_dir, machine) = machine(script);
        Guest::boot(&machine).err().unwrap_or_else(|| panic!("{script}: it booted"))
    };
    let panic = end("echo 'cpu 1: panic: out of luck'; echo '  #0 0xffffffff80100000'; exit 255");
    assert!(
        matches!(&panic, Failure::Panic { report, .. } if report.starts_with("cpu 1: panic: out of luck\n")),
        "{panic}"
    );
    assert!(matches!(end("echo 'xv6: exit status 7'; exit 17"), Failure::Exit(7, _)));
    assert!(matches!(end("printf x >&0; exit 0"), Failure::Reboot(_)));
    let refused = end("echo 'qemu: no such machine' >&2; exit 1").to_string();
    assert!(refused.starts_with("the machine did not boot: qemu: no such machine\n"), "{refused}");
    let (_dir, mut machine) = machine("");
    machine.qemu = "no-such-qemu".into();
    let missing = Guest::boot(&machine).err().expect("no QEMU").to_string();
    assert_eq!(missing, "no-such-qemu: not found; run ci/setup to install it");
}

#[test]
fn a_dropped_machine_is_gone() {
    let (dir, machine) = machine("echo $$ > ${0%/*}/pid; printf '# ' >&0; exec sleep 600 <&0 >&1");
    let guest = Guest::boot(&machine).expect("it boots");
    let pid = std::fs::read_to_string(dir.path().join("pid")).expect("a pid");
    let proc = std::path::PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
    assert!(proc.exists());
    drop(guest);
    let start = Instant::now();
    // Killed at once; a zombie's command line is empty until it is reaped.
    while std::fs::read(&proc).is_ok_and(|line| !line.is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(10), "{} lives on", pid.trim());
        std::thread::yield_now();
    }
}
