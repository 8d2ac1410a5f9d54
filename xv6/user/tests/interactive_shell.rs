//! The interactive shell on a pseudo-terminal, as a person uses it: prompts, Ctrl-C, Ctrl-Z, jobs, Ctrl-D.
//!
//! `TERM=dumb` keeps line editing off, so that what is read is what the shell wrote.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

/// Milliseconds until a step counts as failed: only a broken shell takes so long.
const LIMIT: u64 = 20_000;

fn shell() -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sh"));
    command.env_clear().env("PATH", "/bin:/usr/bin").env("TERM", "dumb").env("PS1", "ready> ").env("HOME", "/");
    let mut session = spawn_command(command, Some(LIMIT)).expect("the shell starts");
    session.exp_string("ready> ").expect("a prompt");
    session
}

/// Types a line and returns what is printed before the next prompt, without the echo of the line.
fn run(session: &mut PtySession, line: &str) -> String {
    session.send_line(line).expect("the terminal takes a line");
    let text = session.exp_string("ready> ").expect("a prompt again");
    text.replace('\r', "").trim_start_matches(line).trim().to_owned()
}

/// Ends the shell: it outlives the SIGTERM that a dropped session sends.
fn leave(mut session: PtySession) -> Option<i32> {
    session.send_line("exit 7").expect("the terminal takes a line");
    session.exp_eof().expect("the end");
    exit_status(&session)
}

#[test]
fn commands_run_and_lines_continue() {
    let mut session = shell();
    assert_eq!(run(&mut session, "echo hello $((1 + 2))"), "hello 3");
    session.send_line("if true").expect("a line");
    session.exp_string("> ").expect("the second prompt");
    session.send_line("then echo yes; fi").expect("a line");
    assert!(session.exp_string("ready> ").expect("a prompt").contains("yes"));
    assert_eq!(run(&mut session, "nosuch; echo $?"), "sh: nosuch: not found\n127");
    leave(session);
}

/// Types a line and waits until `sign` is printed: the command runs.
fn start(session: &mut PtySession, line: &str, sign: &str) {
    session.send_line(line).expect("the terminal takes a line");
    session.exp_string(sign).expect("the command runs");
}

#[test]
fn control_c_ends_the_command_and_not_the_shell() {
    let mut session = shell();
    start(&mut session, "sh -c 'echo started; sleep 100'; echo not reached", "started");
    session.send_control('c').expect("a key");
    assert!(!session.exp_string("ready> ").expect("a prompt").contains("reached"));
    assert_eq!(run(&mut session, "echo $?"), "130");
    start(&mut session, "echo turning; while :; do :; done", "turning");
    session.send_control('c').expect("a key");
    session.exp_string("ready> ").expect("a prompt");
    assert_eq!(run(&mut session, "echo alive"), "alive");
    leave(session);
}

#[test]
fn control_z_stops_a_job_which_comes_back_to_the_terminal() {
    let mut session = shell();
    session.send_line("cat").expect("a line");
    start(&mut session, "hello", "hello");
    session.send_control('z').expect("a key");
    assert!(session.exp_string("ready> ").expect("a prompt").contains("Stopped"));
    assert!(run(&mut session, "jobs").contains("Stopped"));
    start(&mut session, "fg", "cat");
    start(&mut session, "again", "again");
    session.send_control('c').expect("a key");
    session.exp_string("ready> ").expect("a prompt");
    assert_eq!(run(&mut session, "jobs"), "");
    leave(session);
}

#[test]
fn a_stopped_pipeline_goes_on_in_the_background() {
    let mut session = shell();
    start(&mut session, "{ echo started; sleep 100; } | cat", "started");
    session.send_control('z').expect("a key");
    assert!(session.exp_string("ready> ").expect("a prompt").contains("Stopped"));
    assert!(run(&mut session, "bg").contains("sleep 100; } | cat"));
    assert!(run(&mut session, "jobs").contains("Running"));
    assert!(run(&mut session, "kill %1; wait").is_empty());
    leave(session);
}

#[test]
fn background_jobs_are_told_when_they_end() {
    let mut session = shell();
    assert!(run(&mut session, "sleep 0.1 &").starts_with("[1] "));
    assert_eq!(run(&mut session, "wait"), "");
    assert_eq!(run(&mut session, "(exit 3) & wait $!; echo $?").lines().last(), Some("3"));
    leave(session);
}

/// The status that the shell exited with.
fn exit_status(session: &PtySession) -> Option<i32> {
    let ended = format!("{:?}", session.process().wait().expect("the shell ends"));
    ended.strip_prefix("Exited(")?.split_once(", ")?.1.trim_end_matches(')').parse().ok()
}

#[test]
fn control_d_and_exit_leave_with_the_status() {
    let mut session = shell();
    run(&mut session, "(exit 4)");
    session.send_control('d').expect("a key");
    session.exp_eof().expect("the end");
    assert_eq!(exit_status(&session), Some(4));
    assert_eq!(leave(shell()), Some(7));
}
