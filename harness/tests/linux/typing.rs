//! typing: the two shells on a container's terminal, as a person uses them.
//!
//! Nothing here waits for time to pass: each key follows something that the screen showed.

use crate::images::machine;
use harness::fixture::{Booted, boot};
use std::time::Duration;

/// A person's patience with one answer.
const LIMIT: Duration = Duration::from_secs(20);
const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";
const ESCAPE: &str = "\x1b";

/// A person in front of a container's shell.
struct Typist {
    guest: Booted,
    prompt: &'static str,
}

impl Typist {
    /// Boots, sets the console's size to 30 rows of 100 columns, and starts a container with `words`.
    fn sit_down(name: &str, words: &str, prompt: &'static str) -> Typist {
        let mut guest = boot(&machine(name).option("winsize=30x100"));
        guest.console.send_line(&format!("conductor run -it --rm {words}")).expect("typed");
        guest.console.expect(prompt, LIMIT).expect("the shell's prompt");
        Typist { guest, prompt }
    }

    fn keys(&mut self, keys: &str) {
        self.guest.console.send(keys).expect(keys);
    }

    fn control(&mut self, key: char) {
        self.guest.console.send_control(key).expect("typed");
    }

    /// Waits for `text` and returns what came before.
    fn sees(&mut self, text: &str) -> String {
        self.guest.console.expect(text, LIMIT).expect(text)
    }

    /// Types a line and returns what comes between its echo and the next prompt.
    fn line(&mut self, line: &str) -> String {
        self.keys(&format!("{line}\r"));
        self.sees("\n");
        let prompt = self.prompt;
        // Busybox asks the terminal where the cursor is; nobody has to answer.
        self.sees(prompt).replace('\r', "").replace("\x1b[6n", "")
    }

    /// Starts `command` in the foreground; it has the terminal when this returns.
    fn start(&mut self, command: &str) {
        self.keys(&format!("sh -c 'echo u\"\"p; exec {command}'\r"));
        self.sees("up\r\n");
    }
}

/// Starting, stopping, continuing and ending jobs, which both shells do alike.
fn jobs(typist: &mut Typist) {
    let prompt = typist.prompt;
    typist.start("sleep 100");
    typist.control('c');
    typist.sees(prompt);
    assert_eq!(typist.line("echo $?"), "130\n");
    typist.keys("sh /bin/worker.sh\r");
    typist.sees("at work\r\n");
    typist.control('z');
    typist.sees("Stopped");
    typist.sees(prompt);
    let stopped = typist.line("jobs");
    assert!(stopped.starts_with("[1]+  Stopped") && stopped.contains("worker.sh"), "{stopped}");
    typist.keys("fg\r");
    typist.sees("going on\r\n");
    typist.control('z');
    typist.sees("Stopped");
    typist.sees(prompt);
    // It says that it goes on once more, when its turn comes.
    typist.line("bg");
    let running = typist.line("jobs");
    assert!(running.contains("Running") && !running.contains("Stopped"), "{running}");
    typist.line("kill %1");
    let ended = typist.line("wait; jobs");
    assert!(!ended.contains("Stopped") && !ended.contains("Running"), "{ended}");
    typist.start("cat");
    typist.keys("over\r");
    typist.sees("over\r\nover\r\n");
    typist.control('d');
    typist.sees(prompt);
}

/// The terminal's size is the console's, at the start and when it changes.
fn window(typist: &mut Typist) {
    assert_eq!(typist.line("stty size"), "30 100\n");
    typist.keys("sh /bin/resized.sh\r");
    typist.sees("resized to 20 90\r\n");
    typist.control('c');
    let prompt = typist.prompt;
    typist.sees(prompt);
}

/// Ctrl-D ends the shell with its last status, and conductor with that.
fn leave(mut typist: Typist) {
    typist.line("sh -c 'exit 6'");
    typist.control('d');
    typist.sees("xv6:/root# ");
    typist.prompt = "xv6:/root# ";
    assert_eq!(typist.line("echo $?"), "6\n");
}

#[test]
fn busyboxs_shell_feels_like_a_terminal() {
    let mut guest = boot(&machine("linux-ash").option("winsize=30x100"));
    // Somebody changes the console's size once a file shows up in the container.
    let resize = "(until test -e /var/lib/conductor/containers/*/upper/tmp/go; do sleep 0.01; done; stty -F /dev/console rows 20 cols 90) &";
    guest.ok(resize).expect("the guest answers");
    guest.console.send_line("conductor run -it --rm busybox sh").expect("typed");
    guest.console.expect("/ # ", LIMIT).expect("the shell's prompt");
    let mut typist = Typist { guest, prompt: "/ # " };
    jobs(&mut typist);
    typist.line("echo first");
    typist.line("echo second");
    typist.keys(UP);
    typist.keys(UP);
    assert_eq!(typist.line(""), "first\n", "history");
    typist.keys("echo worXd");
    typist.keys(LEFT);
    assert_eq!(typist.line("\x7fl"), "world\n", "editing in the line");
    typist.keys("cat /etc/pas\t");
    typist.sees("passwd ");
    assert!(typist.line("").starts_with("root:x:0:0:"), "completion");
    typist.keys("half a line");
    typist.control('c');
    typist.sees("/ # ");
    assert_eq!(typist.line("echo $((6 * 7))"), "42\n", "Ctrl-C at the prompt drops the line");
    full_screen(&mut typist);
    window(&mut typist);
    leave(typist);
}

/// Programs that draw the whole screen.
fn full_screen(typist: &mut Typist) {
    typist.keys("vi /tmp/notes\r");
    typist.sees("/tmp/notes 1/1 100%");
    typist.keys("ione line\rtwo lines");
    typist.sees("two lines");
    typist.keys(ESCAPE);
    typist.sees("[Modified] 2/2 100%");
    typist.keys("kyyP:wq\r");
    typist.sees("/ # ");
    assert_eq!(typist.line("cat /tmp/notes"), "one line\none line\ntwo lines\n");
    typist.keys("top\r");
    typist.sees("Load average: ");
    typist.sees("COMMAND");
    typist.sees("top");
    typist.keys("q");
    typist.sees("/ # ");
    typist.keys("seq 200 | less\r");
    typist.sees("standard input");
    typist.keys(" ");
    // It has the terminal raw only while it waits for a key: Return, typed in between, would become a newline, which it does not know.
    typist.sees("58\r\n");
    typist.sees("\x1b[K:");
    typist.keys("/");
    typist.sees("\x1b[K/");
    typist.keys("155");
    typist.sees("\x1b[30;5H");
    typist.keys("\r");
    typist.sees("156\r\n");
    typist.keys("q");
    typist.sees("/ # ");
    assert_eq!(typist.line("stty -a | grep -c ' icanon.* echo '"), "1\n", "the terminal is as it was");
}

#[test]
fn bash_feels_like_a_terminal() {
    let mut typist = Typist::sit_down("linux-bash", "-e 'PS1=[b]\\$ ' bash bash --norc", "[b]# ");
    jobs(&mut typist);
    typist.line("echo first; echo again");
    typist.control('r');
    typist.keys("fir");
    assert_eq!(typist.line("").lines().last(), Some("again"), "searching in the history");
    typist.keys("echo there");
    typist.control('a');
    typist.keys("\x1bf hello");
    assert_eq!(typist.line(""), "hello there\n", "editing in the line");
    typist.keys("wc -l /etc/gr\t");
    typist.sees("oup ");
    assert_eq!(typist.line(""), "2 /etc/group\n", "completion");
    typist.keys("read -s -p pass''word? p; echo \"<$p>\"\r");
    typist.sees("password?");
    typist.keys("secret\r");
    let shown = typist.sees("<secret>");
    assert!(!shown.contains("secret"), "no echo: {shown}");
    typist.sees("[b]# ");
    assert_eq!(typist.line("test -t 0 -a -t 1 && echo $COLUMNS $SHLVL $-"), "100 1 himBHs\n");
    leave(typist);
}
