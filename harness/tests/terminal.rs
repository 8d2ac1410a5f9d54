//! Containers and terminals: none without `-t`, one of its own with it, and the console for nobody.

use harness::Guest;
use harness::fixture::{boot, machine};
use std::time::Duration;

/// A person's patience with one line.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_container_has_a_terminal_only_when_asked() {
    let mut guest = boot(&machine("tty"));
    let mut text = |command: &str| guest.run(command).expect("the guest answers").text;
    let look = "sh -c 'test -t 0 && echo in; test -t 1 && echo out; echo looked'";
    assert_eq!(text(look), "in\nout\nlooked\n", "the control: the shell's own");
    assert_eq!(text(&format!("conductor run sample {look}")), "looked\n");
    assert_eq!(text(&format!("conductor run -t sample {look}")), "in\nout\nlooked\n");
    // Its name is that in the container's own /dev/pts, where there is no other; /dev/console is the same terminal (as under Docker).
    let names =
        "sh -c 'tty; ls -1 /dev/pts; tty < /dev/console; ls -l /dev/console | cut -c1-10; echo to-it > /dev/tty'";
    let seen = "/dev/pts/0\n0\nptmx\n/dev/console\ncrw--w----\nto-it\n";
    assert_eq!(text(&format!("conductor run -t sample {names}")), seen);
    let pid = text("conductor run -d --name named sample sleep 1000; conductor ps -q");
    assert!(!pid.is_empty(), "it runs");
    assert_eq!(text("conductor exec -t named -- sh -c 'tty; ls -1 /dev/pts'"), "/dev/pts/0\n0\nptmx\n");
    assert_eq!(text("conductor exec named ls -1 /dev/pts; ls -1 /dev/pts"), "ptmx\nptmx\n", "they go with their users");
    assert_eq!(text("conductor stop -t 0 named"), "named\n");
    // A container may make a file of that name in its own /dev; what counts is what the console shows.
    let speak = "sh -c 'echo spoken > /dev/console'";
    assert_eq!(text(speak), "spoken\n", "the control speaks on it");
    let silence = text(&format!("conductor run sample {speak}"));
    assert!(!silence.contains("spoken"), "no console inside: {silence}");
}

/// Types `line` and waits for `answer`.
fn expect(guest: &mut Guest, line: &str, answer: &str) {
    guest.console.send_line(line).expect(line);
    guest.console.expect(answer, LIMIT).expect(line);
}

#[test]
fn a_shell_in_a_container_feels_like_one() {
    let mut guest = boot(&machine("shell-inside"));
    expect(&mut guest, "conductor run -it --hostname inside sample sh", "# ");
    expect(&mut guest, "echo $((6*7))-$(hostname)", "42-inside\r\n");
    // Ctrl-C ends what runs, not the shell.
    guest.console.expect("# ", LIMIT).expect("a prompt");
    // It has the terminal once it says so; a Ctrl-C before that would be the shell's own.
    expect(&mut guest, "sh -c 'echo u\"\"p; sleep 1000'", "up\r\n");
    guest.console.send_control('c').expect("typed");
    guest.console.expect("# ", LIMIT).expect("a prompt again");
    expect(&mut guest, "echo still-\"here\"", "still-here\r\n");
    guest.console.expect("# ", LIMIT).expect("a prompt");
    expect(&mut guest, "exit 3", "xv6:/root# ");
    expect(&mut guest, "echo status-$?", "status-3\r\n");
}

#[test]
fn lines_pasted_at_once_all_run() {
    let mut guest = boot(&machine("paste"));
    // With a terminal that can do more than print, the line editor reads, and reads ahead.
    expect(&mut guest, "TERM=xterm sh", "# ");
    guest.console.send("echo fi\"\"rst\necho sec\"\"ond\nexit 3\n").expect("typed");
    guest.console.expect("first\r\n", LIMIT).expect("the first line runs");
    guest.console.expect("second\r\n", LIMIT).expect("the second line runs");
    guest.console.expect("xv6:/root# ", LIMIT).expect("the third line runs");
    expect(&mut guest, "echo status-$?", "status-3\r\n");
}

#[test]
fn a_mebibyte_through_a_containers_terminal_comes_whole_and_soon() {
    const LINE: &str = "0123456789abcde\n";
    let mut guest = boot(&machine("tty-much"));
    let command = "conductor run -t sample sh -c 'yes 0123456789abcde | head -c 1048576'";
    let start = std::time::Instant::now();
    let output = guest.run_within(command, Duration::from_secs(10)).expect("it comes");
    println!("a MiB took {:?}", start.elapsed());
    assert_eq!((output.status, output.text.len()), (0, 1 << 20));
    assert!(output.text.split_inclusive('\n').all(|line| line == LINE), "a line is broken");
}

#[test]
fn input_reaches_a_container_through_a_pipe() {
    let mut guest = boot(&machine("stdin"));
    let output = guest.run("echo through | conductor run -i sample cat").expect("the guest answers");
    assert_eq!((output.status, output.text.as_str()), (0, "through\n"));
    let output = guest.run("echo through | conductor run sample cat").expect("the guest answers");
    assert_eq!((output.status, output.text.as_str()), (0, ""), "without -i its input is at its end");
}

#[test]
fn logs_keep_what_a_container_wrote() {
    let mut guest = boot(&machine("logs"));
    let words = ["--name", "talker", "sample", "sh", "-c", "echo to-out; echo to-err >&2; container_init"];
    guest.conductor().start(&words).expect("the guest answers");
    let mut text = String::new();
    for _ in 0..200 {
        text = guest.ok("conductor logs talker").expect("the guest answers");
        if text.contains("to-err") {
            break;
        }
    }
    assert!(text.contains("to-out\n") && text.contains("to-err\n"), "{text}");
    guest.conductor().stop("talker").expect("the guest answers");
}
