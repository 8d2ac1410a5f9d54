//! `trace`, and with it ptrace(2): what it shows, that it shows the same on Linux, and that neither tracer nor tracee hangs or hurts
//! the other, outside and inside a container.

use harness::fixture::{boot, machine};
use harness::{Guest, Output};
use std::process::Command;

fn run(guest: &mut Guest, command: &str) -> Output {
    guest.run(command).expect("the guest answers")
}

/// A trace without what differs from run to run: addresses, and the length of the environment.
fn plain(trace: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut pieces = line.split(" /* ").next().unwrap_or_default().split("0x");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            text += if piece.len() - rest.len() > 3 { "ADDRESS" } else { &piece[..piece.len() - rest.len()] };
            text += rest;
        }
        text.split_whitespace().collect::<Vec<&str>>().join(" ")
    };
    trace.lines().map(line).collect()
}

#[test]
fn it_shows_the_same_on_linux() {
    let machine = machine("trace-same");
    let bin = harness::workspace::build().join("userland/bin");
    let calls = "openat,open,read,write,fstat,stat,close,sigaltstack,rt_sigprocmask,poll,set_tid_address,exit_group";
    let words = ["cat", "/proc/sys/kernel/ostype", "/nonexistent"];
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("trace");
    let here = Command::new(bin.join("trace"))
        .args(["-e", calls, "-o"])
        .arg(&file)
        .args(words)
        .env("PATH", &bin)
        .output()
        .expect("it runs on Linux");
    assert_eq!(here.status.code(), Some(1), "{here:?}");
    let linux = plain(&std::fs::read_to_string(&file).expect("a trace"));
    let mut guest = boot(&machine);
    let ours = run(&mut guest, &format!("trace -o /tmp/t -e {calls} {} 2>/dev/null >&2; cat /tmp/t", words.join(" ")));
    let ours = plain(&ours.text);
    let same = |lines: &[String]| -> Vec<String> {
        // The thread's number is its own affair.
        lines.iter().filter(|line| !line.starts_with("set_tid_address")).cloned().collect()
    };
    assert_eq!(same(&ours), same(&linux));
    let failed = "= -1 ENOENT (No such file or directory)";
    assert!(ours.iter().any(|line| line.starts_with("open(\"/nonexistent\", O_RDONLY|") && line.ends_with(failed)));
    assert!(ours.iter().any(|line| line.starts_with("read(3, \"Linux\\n\", ") && line.ends_with("= 6")), "{ours:?}");
    assert_eq!(ours.last().map(String::as_str), Some("+++ exited with 1 +++"));
}

#[test]
fn it_ends_as_the_command_does() {
    let mut guest = boot(&machine("trace-status"));
    for (command, status, last) in [
        ("sh -c 'exit 7'", 7, "+++ exited with 7 +++"),
        ("sh -c 'kill -TERM $$'", 143, "+++ killed by SIGTERM +++"),
        ("sh -c 'kill -KILL $$'", 137, "+++ killed by SIGKILL +++"),
    ] {
        let output = run(&mut guest, &format!("trace -o /tmp/t {command}; s=$?; tail -n 1 /tmp/t; (exit $s)"));
        assert_eq!(output.status, status, "{command}: {}", output.text);
        assert!(output.text.ends_with(&format!("{last}\n")), "{command}: {}", output.text);
    }
    let missing = run(&mut guest, "trace nosuch");
    assert_eq!((missing.status, missing.text.as_str()), (127, "trace: nosuch: command not found\n"));
    let signals =
        run(&mut guest, "trace -f -o /tmp/t sh -c 'trap \"echo caught\" USR1; kill -USR1 $$; true | cat'; cat /tmp/t");
    let has = |text: &str| assert!(signals.text.contains(text), "no {text}: {}", signals.text);
    has("--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=");
    has("--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=");
    has("execve(\"/bin/cat\", [\"cat\"], ");
    assert_eq!(signals.text.matches("+++ exited with 0 +++").count(), 3, "{}", signals.text);
    let table = run(&mut guest, "trace -c sh -c 'cd /nonexistent' 2>&1");
    assert!(table.text.contains("% time     seconds  usecs/call     calls    errors syscall\n"), "{}", table.text);
    assert!(table.text.trim_end().ends_with(" total"), "{}", table.text);
}

/// Waits until `condition` holds in the guest's shell.
fn until(guest: &mut Guest, condition: &str) {
    run(guest, &format!("while ! {condition}; do :; done"));
}

/// Waits until process `pid` has ended: a zombie that the shell has not waited for has no command line.
fn ended(guest: &mut Guest, pid: &str) {
    until(guest, &format!("[ -z \"$(cat /proc/{pid}/cmdline 2>/dev/null)\" ]"));
}

#[test]
fn tracer_and_tracee_come_and_go() {
    let mut guest = boot(&machine("trace-attach"));
    run(&mut guest, "sleep 1000 & p=$!");
    let status = |guest: &mut Guest| run(guest, "grep -E '^(State|TracerPid)' /proc/$p/status | tr '\\t\\n' '  '").text;
    let attach = "trace -o /tmp/t -p $p & t=$!";
    run(&mut guest, attach);
    until(&mut guest, "grep -q \"TracerPid:.$t\" /proc/$p/status");
    // A traced process stops and goes on with its group, and its tracer hears of both.
    run(&mut guest, "kill -STOP $p");
    until(&mut guest, "grep -q 't (tracing stop)' /proc/$p/status");
    assert!(run(&mut guest, "cat /proc/$p/stat").text.contains(" t "));
    run(&mut guest, "kill -CONT $p");
    until(&mut guest, "grep -q 'S (sleeping)' /proc/$p/status");
    // Another tracer is refused; the first one leaves the process as it was.
    let second = run(&mut guest, "trace -p $p");
    assert!(second.status == 1 && second.text.ends_with(": Operation not permitted\n"), "{}", second.text);
    assert_eq!(run(&mut guest, "kill -INT $t; wait $t").status, 0);
    assert_eq!(status(&mut guest), "State: S (sleeping) TracerPid: 0 ");
    let log = run(&mut guest, "cat /tmp/t").text;
    for part in ["--- SIGSTOP {si_signo=SIGSTOP", "--- stopped by SIGSTOP ---\n", "--- SIGCONT {si_signo=SIGCONT"] {
        assert!(log.contains(part), "no {part}: {log}");
    }
    // A tracer that is killed frees its tracee, stopped or not, and a killed tracee its tracer.
    run(&mut guest, attach);
    until(&mut guest, "grep -q \"TracerPid:.$t\" /proc/$p/status");
    run(&mut guest, "kill -STOP $p");
    until(&mut guest, "grep -q 't (tracing stop)' /proc/$p/status");
    run(&mut guest, "kill -KILL $t; wait $t");
    assert_eq!(status(&mut guest), "State: T (stopped) TracerPid: 0 ");
    run(&mut guest, attach);
    until(&mut guest, "grep -q 't (tracing stop)' /proc/$p/status");
    run(&mut guest, "kill -KILL $p");
    ended(&mut guest, "$t");
    ended(&mut guest, "$p");
    assert!(run(&mut guest, "tail -n 1 /tmp/t").text.ends_with("+++ killed by SIGKILL +++\n"));
    // What a tracer has started dies with it.
    run(&mut guest, "trace -o /tmp/t sleep 1234 & t=$!");
    until(&mut guest, "grep -q nanosleep /tmp/t");
    run(&mut guest, "kill -KILL $t; wait $t");
    until(&mut guest, "[ -z \"$(ps | grep 'sleep 123[4]')\" ]");
}

#[test]
fn a_container_traces_its_own_only() {
    let mut guest = boot(&machine("trace-inside"));
    let inside = run(&mut guest, "conductor run sample trace -f -e execve sh -c 'true; exit 3'");
    assert_eq!(inside.status, 3, "{}", inside.text);
    assert!(inside.text.contains("execve(\"/bin/sh\", [\"sh\", \"-c\", \"true; exit 3\"], "), "{}", inside.text);
    // Its init has what nobody else has: it is refused, as another user's process is. So is what is not in sight.
    let refused = run(&mut guest, "conductor run sample sh -c 'trace -p 1000'");
    assert!(refused.text.ends_with(": No such process\n"), "{}", refused.text);
    // The host may trace what runs in a container.
    let container = guest.conductor().start(&["sample", "container_init"]).expect("it starts");
    run(&mut guest, &format!("trace -o /tmp/t -p {} & t=$!", container.pid));
    until(&mut guest, &format!("grep -q \"TracerPid:.$t\" /proc/{}/status", container.pid));
    guest.conductor().stop(&container.name).expect("it stops, traced or not");
    ended(&mut guest, "$t");
}
