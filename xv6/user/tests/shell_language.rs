//! The shell's language, compared with the host's `/bin/sh`: each script of `cases.txt` must print the same and end the same.
//!
//! A case is separated from the next by a line `---`. Where no `/bin/sh` is dash (POSIX to the letter), the test says so and
//! compares with whatever it is: the cases keep to POSIX.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const CASES: &str = include_str!("shell_language_cases.txt");

fn run(shell: &str, script: &str, folder: &std::path::Path) -> Output {
    let mut command = Command::new(shell);
    command.args(["-c", script, "name", "one", "two  words", "three"]).current_dir(folder);
    command.env_clear().env("PATH", "/bin:/usr/bin").env("HOME", "/home/me").env("LC_ALL", "C");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the shell starts");
    let mut input = child.stdin.take().expect("stdin is a pipe");
    // A script that does not read its input may end first.
    let _ = input.write_all(b"first line\nsecond  line \\\n continued\nlast");
    drop(input);
    child.wait_with_output().expect("the shell ends")
}

#[test]
fn scripts_behave_as_with_the_hosts_shell() {
    let mut failures = Vec::new();
    for script in CASES.split("\n---\n") {
        let [ours, theirs] = [env!("CARGO_BIN_EXE_sh"), "/bin/sh"].map(|shell| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let output = run(shell, script, folder.path());
            (output.status, String::from_utf8_lossy(&output.stdout).into_owned(), !output.stderr.is_empty())
        });
        if ours != theirs {
            failures.push(format!("{script}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
        }
    }
    assert!(failures.is_empty(), "{} scripts differ:\n\n{}", failures.len(), failures.join("\n\n"));
}
