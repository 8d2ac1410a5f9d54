//! The small programs, compared with the host's (coreutils, findutils, grep): each line of `program_cases.txt` must print the same
//! on standard output and end the same. Error texts are not compared: ours are one line each, and that is asserted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

const CASES: &str = include_str!("program_cases.txt");

/// The files that every case finds.
fn set_up(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join("f"), "b 2\na 10\nc 1\na 10\n")?;
    fs::write(folder.join("g"), "one two\nthree\n\nfour five six\n")?;
    fs::create_dir_all(folder.join("s"))?;
    fs::write(folder.join("s/x"), "x\n")?;
    symlink("f", folder.join("l"))?;
    fs::create_dir_all(folder.join("t/u"))?;
    fs::write(folder.join("t/u/h.txt"), "hello\n")?;
    fs::write(folder.join("t/W.md"), "World\n")?;
    fs::set_permissions(folder.join("f"), fs::Permissions::from_mode(0o640))?;
    let then = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for name in ["f", "g", "s/x", "s", "t/u", "t"] {
        fs::File::open(folder.join(name))?.set_modified(then)?;
    }
    Ok(())
}

/// Runs a case with the programs of `path`.
fn run(case: &str, path: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inside = folder.path().join("d");
    fs::create_dir(&inside).and_then(|()| set_up(&inside)).expect("the files are made");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", case]).current_dir(&inside).stdin(Stdio::null());
    command.env_clear().env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC").env("HOME", "/root");
    let mut output = command.output().expect("sh runs");
    // The temporary folder's name differs from run to run.
    let shown = String::from_utf8_lossy(&output.stdout).replace(&*folder.path().to_string_lossy(), "FOLDER");
    output.stdout = shown.into_bytes();
    output
}

#[test]
fn programs_print_what_the_hosts_print() {
    let own =
        Path::new(env!("CARGO_BIN_EXE_sh")).parent().expect("programs lie in a folder").to_string_lossy().into_owned();
    // What we do not have (sed) is the host's on both sides.
    let path = format!("{own}:/usr/bin:/bin");
    let mut failures = Vec::new();
    for case in CASES.lines() {
        let (ours, theirs) = (run(case, &path), run(case, "/usr/bin:/bin"));
        let text = |output: &Output| format!("{}{}", String::from_utf8_lossy(&output.stdout), output.status);
        if text(&ours) != text(&theirs) {
            failures.push(format!("{case}\n  ours:   {:?}\n  theirs: {:?}", text(&ours), text(&theirs)));
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn a_bad_option_gives_a_usage_line_and_status_2() {
    let folder = Path::new(env!("CARGO_BIN_EXE_sh")).parent().expect("programs lie in a folder");
    // These take everything as text, or nothing at all.
    let exempt =
        ["true", "false", "echo", "printf", "test", "init", "kill", "dd", "forkbomb", "find", "seq", "stty", "yes"];
    let manifest = include_str!("../Cargo.toml");
    let names = manifest
        .lines()
        .skip_while(|line| *line != "[[bin]]")
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    for name in names.filter(|name| !exempt.contains(name)) {
        let output =
            Command::new(folder.join(name)).arg("--no-such-option").stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.starts_with("usage: ") && said.lines().count() == 1, "{name}: {said}");
    }
}
