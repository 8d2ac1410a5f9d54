//! The harness's own command line, run as a person runs it.

use assert_cmd::Command;
use harness::Slot;
use std::time::{Duration, Instant};

/// `harness` with these words, on a terminal that is none.
fn harness(words: &[&str]) -> Command {
    let mut command = Command::cargo_bin("harness").expect("built");
    command.args(words).timeout(harness::deadline::scaled(Duration::from_secs(300)));
    command
}

/// Standard output, standard error and status of a run that needs a machine.
fn in_turn(command: &mut Command) -> (String, String, i32) {
    let _slot = Slot::take().expect("a slot");
    harness::fixture::machine("cli");
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("a status"))
}

#[test]
fn run_prints_the_output_alone_and_exits_with_the_status() {
    let (stdout, stderr, status) = in_turn(&mut harness(&["run", "--", "echo", "two  words", "é%"]));
    assert_eq!((stdout.as_str(), status), ("two  words é%\n", 0), "{stderr}");
    let (stdout, stderr, status) = in_turn(&mut harness(&["run", "--cpus", "1", "--", "sh", "-c", "echo a; exit 3"]));
    assert_eq!((stdout.as_str(), status), ("a\n", 3), "{stderr}");
    let (_, _, status) = in_turn(&mut harness(&["run", "--", "sh", "-c", "exit 200"]));
    assert_eq!(status, 200);
}

/// Output waits for a reader that is slower than the machine, at its power-off too.
#[test]
fn run_loses_nothing_to_a_slow_reader() {
    use std::io::Read;
    let _slot = Slot::take().expect("a slot");
    harness::fixture::machine("slow reader");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("harness"));
    command.args(["run", "--", "sh", "-c", "yes 'All work and no play' | head -c 2097152"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut count = 0;
    // A system call a byte: the machine's buffers, QEMU's and the pipe are full long before this is over.
    while count < 50_000 && stdout.read(&mut [0]).expect("output") == 1 {
        count += 1;
    }
    count += stdout.read_to_end(&mut Vec::new()).expect("output");
    assert_eq!((count, child.wait().expect("it ends").code()), (2_097_152, Some(0)));
}

#[test]
fn run_takes_the_kernel_that_checks_itself() {
    harness::fixture::checked("checked");
    let (stdout, stderr, status) = in_turn(&mut harness(&["run", "--checked", "--", "uname", "-v"]));
    assert_eq!((stdout.as_str(), status), ("#1 SMP CHECKED xv6 Conductor\n", 0), "{stderr}");
    let mut misspelt = harness(&["run", "--", "true"]);
    misspelt
        .env("XV6_KERNEL", "chekced")
        .assert()
        .code(125)
        .stderr("harness: XV6_KERNEL=chekced: neither usual nor checked\n");
}

#[test]
fn run_finds_a_container() {
    let (stdout, stderr, status) = in_turn(&mut harness(&["run", "--", "conductor", "run", "sample", "ps"]));
    assert_eq!((stdout.lines().count(), status), (2, 0), "{stdout}{stderr}");
}

#[test]
fn run_takes_images_from_the_host() {
    let dir = tempfile::tempdir().expect("a folder");
    let programs = harness::workspace::build().join("userland/bin");
    harness::fixture::machine("built");
    std::fs::create_dir(dir.path().join("bin")).expect("made");
    std::fs::copy(programs.join("cat"), dir.path().join("bin/cat")).expect("copied");
    std::fs::write(dir.path().join("note"), "from the host\n").expect("written");
    let image = format!("mine={}", dir.path().display());
    let run = ["run", "--image", &image, "--", "conductor", "run", "mine", "cat", "/note"];
    let (stdout, stderr, status) = in_turn(&mut harness(&run));
    assert_eq!((stdout.as_str(), status), ("from the host\n", 0), "{stderr}");
}

#[test]
fn a_disk_of_ones_own_keeps_what_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("mine.img");
    let disk = disk.to_str().expect("a plain path");
    let (_, stderr, status) =
        in_turn(&mut harness(&["run", "--disk", disk, "--", "sh", "-c", "echo kept > /root/file"]));
    assert_eq!(status, 0, "{stderr}");
    let (stdout, ..) = in_turn(&mut harness(&["run", "--disk", disk, "--", "cat", "/root/file"]));
    assert_eq!(stdout, "kept\n");
    let (_, _, status) = in_turn(&mut harness(&["run", "--", "cat", "/root/file"]));
    assert_eq!(status, 1, "the control: every other machine begins with the built disk");
    let report = fsbuild::root::check(disk.as_ref()).expect("it is read");
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
fn a_shell_reads_a_script_from_a_pipe() {
    let (stdout, stderr, status) = in_turn(harness(&["shell"]).write_stdin("echo si\"x\"ty\n"));
    assert!(stdout.contains("# sixty\n"), "{stdout}{stderr}");
    assert_eq!(status, 0, "its end ends the shell, and that the machine");
    let (_, _, status) = in_turn(harness(&["shell"]).write_stdin("exit 3\n"));
    assert_eq!(status, 3, "the shell's own");
}

#[test]
fn control_a_x_leaves_at_once() {
    let _slot = Slot::take().expect("a slot");
    harness::fixture::machine("built");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("harness"));
    command.arg("shell").env("TERM", "xterm");
    let limit = harness::deadline::scaled(Duration::from_secs(60));
    let limit = u64::try_from(limit.as_millis()).expect("a limit");
    let mut session = rexpect::session::spawn_command(command, Some(limit)).expect("a terminal");
    session.exp_string("# ").expect("a prompt");
    let start = Instant::now();
    session.send("\x01x").expect("typed");
    session.flush().expect("typed");
    let status = session.process().wait().expect("it ends");
    assert!(format!("{status:?}").contains("Exited") && format!("{status:?}").ends_with("0)"), "{status:?}");
    assert!(start.elapsed() < harness::deadline::scaled(Duration::from_secs(2)), "{:?}", start.elapsed());
}

#[test]
fn a_machine_that_hangs_is_ended_with_its_transcript() {
    let (_, stderr, status) =
        in_turn(&mut harness(&["run", "--timeout", "3", "--", "sh", "-c", "echo here; sleep 1000"]));
    assert_eq!(status, 125);
    assert!(stderr.starts_with("harness: nothing came within "), "{stderr}");
    assert!(stderr.contains("awaited: the end of `sh -c echo here; sleep 1000`"), "{stderr}");
    assert!(stderr.contains("  | here"), "{stderr}");
}

#[test]
fn a_run_with_nothing_to_build_is_quick() {
    harness::fixture::machine("built");
    let _slot = Slot::take().expect("a slot");
    let limit = harness::deadline::scaled(Duration::from_millis(1500));
    // The best of three: the other test machine may take the CPU.
    let best = (0..3).map(|_| {
        let start = Instant::now();
        harness(&["run", "--", "true"]).assert().success().stdout("").stderr("");
        start.elapsed()
    });
    let best = best.min().expect("three runs");
    assert!(best < limit, "{best:?}");
}

#[test]
fn a_bad_command_line_is_refused_with_usage() {
    for words in [
        &["run", "--frobnicate", "--", "true"][..],
        &["run"],
        &["shell", "--cpus", "0"],
        &["run", "--image", "x", "--", "true"],
    ] {
        let run = harness(words).assert().code(2);
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(stderr.starts_with("error: "), "{words:?}: {stderr}");
    }
}

#[test]
fn a_missing_qemu_is_named_with_its_remedy() {
    harness::fixture::machine("built");
    let run = harness(&["run", "--", "true"]).env("XV6_QEMU", "qemu-system-none").assert().code(125);
    run.stderr("harness: qemu-system-none: not found; run ci/setup to install it\n").stdout("");
}

#[test]
fn a_bad_image_is_named() {
    // The first build takes as long as it takes; the limit is for the command.
    harness::fixture::machine("built");
    let run = harness(&["run", "--image", "x=/does/not/exist", "--", "true"]).assert().code(125);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(
        stderr.ends_with("image x: /does/not/exist: No such file or directory (os error 2)\n")
            || stderr.contains("/does/not/exist: No such file"),
        "{stderr}"
    );
}

/// The events of a recording, and the text that they show.
fn played(file: &std::path::Path) -> (Vec<serde_json::Value>, String) {
    let text = std::fs::read_to_string(file).expect("a recording");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines[0]["version"], 2, "{text}");
    let shown = lines[1..].iter().map(|event| event[2].as_str().expect("text")).collect();
    (lines[1..].to_vec(), shown)
}

#[test]
fn a_session_is_recorded() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("session.cast");
    let name = file.to_str().expect("a plain path");
    let (stdout, stderr, status) =
        in_turn(&mut harness(&["run", "--record", name, "--", "sh", "-c", "echo one; sleep 0.2; echo é"]));
    assert_eq!((stdout.as_str(), status), ("one\né\n", 0), "{stderr}");
    let (events, shown) = played(&file);
    assert_eq!(shown, "one\r\né\r\n");
    let time = |event: Option<&serde_json::Value>| event.and_then(|event| event[0].as_f64()).expect("a time");
    assert!(time(events.last()) - time(events.first()) > 0.15, "with its pauses: {events:?}");
    let (stdout, stderr, status) = in_turn(harness(&["shell", "--record", name]).write_stdin("echo shown \"here\"\n"));
    assert_eq!(status, 0, "{stderr}");
    let (_, shown) = played(&file);
    assert!(stdout.contains("shown here\n"), "{stdout}");
    // The kernel's log is on the same terminal, so its last line is kept, too.
    assert!(stdout.lines().all(|line| shown.contains(line)) && shown.contains("xv6: exit status 0"), "{shown}");
}

#[test]
fn a_recording_that_cannot_be_written_is_told_before_the_boot() {
    for verb in [&["run", "--record", "/no/such/x.cast", "--", "true"][..], &["shell", "--record", "/no/such/x.cast"]] {
        let run = harness(verb).env("XV6_QEMU", "qemu-system-none").assert().code(125);
        run.stderr("harness: record /no/such/x.cast: No such file or directory (os error 2)\n").stdout("");
    }
}
