//! The kernel's log as dmesg(1), `/dev/kmsg` and syslog(2) show it, and who may see it.

use harness::fixture::{boot, machine};
use harness::{Guest, Output};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn run(guest: &mut Guest, command: &str) -> Output {
    guest.run(command).expect("the guest answers")
}

#[test]
fn records_have_levels_that_can_be_chosen() {
    let mut guest = boot(&machine("dmesg"));
    let mut text = |command: &str| run(&mut guest, command).text;
    for message in ["<3>broken", "<6>fine", "<30>served", "plain é"] {
        text(&format!("echo '{message}' > /dev/kmsg"));
    }
    assert_eq!(text("dmesg -t -u"), "broken\nfine\nserved\nplain é\n");
    assert_eq!(text("dmesg -t -l err"), "broken\n");
    assert_eq!(text("dmesg -t -u -l warn+"), "broken\nplain é\n");
    assert_eq!(text("dmesg -t -f daemon"), "served\n");
    assert!(text("dmesg -k").contains("] init: started /sbin/init\n"));
    let decoded = text("dmesg -x -l err");
    assert!(decoded.starts_with("user  :err   : [") && decoded.ends_with("] broken\n"), "{decoded}");
    let raw = text("dmesg -r -l err");
    assert!(raw.starts_with("<11>[") && raw.ends_with("] broken\n"), "{raw}");
    let year = text("date +%Y");
    assert!(text("dmesg -T -l err").contains(&format!(" {}] broken", year.trim())));
    // Clearing is for those who read by dmesg; the records stay.
    assert!(text("dmesg -c").contains("plain é"));
    assert_eq!(text("dmesg"), "");
    assert_eq!(text("dd if=/dev/kmsg bs=8k count=1 iflag=nonblock 2>/dev/null | grep -c ';'"), "1\n");
    text("echo again > /dev/kmsg");
    assert_eq!(text("dmesg -t"), "again\n");
    assert_eq!(run(&mut guest, "dmesg -l none").status, 1);
}

#[test]
fn the_console_shows_what_its_level_lets_through() {
    let mut guest = boot(&machine("loglevel").option("loglevel=6"));
    let mut ok = |command: &str| guest.ok(command).expect(command);
    assert_eq!(ok("cat /proc/sys/kernel/printk"), "6\t4\t1\t4\n");
    ok("echo '<5>notice one' > /dev/kmsg; echo '<6>info one' > /dev/kmsg");
    ok("dmesg -n debug; echo '<7>debug two' > /dev/kmsg");
    ok("echo 3 > /proc/sys/kernel/printk; echo '<3>err three' > /dev/kmsg; echo '<2>crit three' > /dev/kmsg");
    ok("dmesg -D; echo '<2>crit off' > /dev/kmsg; dmesg -E; echo '<2>crit on' > /dev/kmsg");
    assert_eq!(ok("cat /proc/sys/kernel/printk"), "3\t4\t1\t4\n");
    let log = guest.console.log();
    let shown: Vec<&str> = log.lines().filter_map(|line| line.split_once("] ").map(|(_, text)| text)).collect();
    assert_eq!(shown, ["notice one", "debug two", "crit three", "crit on"], "{log}");
}

#[test]
fn followers_wait_and_are_woken() {
    let mut guest = boot(&machine("follow"));
    guest.console.send_line("echo fi\"\"rst > /dev/kmsg; dmesg -wt -u").expect("typed");
    // It prints what there is and goes to sleep; what another program writes then comes at once.
    guest.console.expect("first\r\n", LIMIT).expect("what there is");
    guest.console.send_control('z').expect("typed");
    guest.console.expect("# ", LIMIT).expect("a prompt");
    let follower = "f() { for n in 1 2 3; do echo line$n > /dev/kmsg; dmesg -tu | grep -q line$n; done; }; f; fg";
    guest.console.send_line(follower).expect("typed");
    guest.console.expect("line3\r\n", LIMIT).expect("followed");
    guest.console.send_control('c').expect("typed");
    guest.console.expect("# ", LIMIT).expect("a prompt");
    // Asleep, not asking again and again.
    let script = "dmesg -w >/tmp/f & while ! grep -q 'S (sl' /proc/$!/status; do :; done; a=$(cut -d' ' -f14,15 /proc/$!/stat); sleep 0.5; b=$(cut -d' ' -f14,15 /proc/$!/stat); [ \"$a\" = \"$b\" ] && echo still; echo news > /dev/kmsg; while ! grep -q news /tmp/f; do :; done; kill $!; echo woken";
    assert_eq!(run(&mut guest, script).text.lines().filter(|line| ["still", "woken"].contains(line)).count(), 2);
}

#[test]
fn a_container_may_not_read_it() {
    let mut guest = boot(&machine("dmesg-inside"));
    let inside = "conductor run sample dmesg";
    let refused = run(&mut guest, inside);
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (1, "dmesg: read kernel buffer failed: Operation not permitted\n")
    );
    assert_ne!(run(&mut guest, "conductor run sample sh -c 'echo 0 > /proc/sys/kernel/dmesg_restrict'").status, 0);
    // Linux's knob: with it off, reading is for everybody; changing is not.
    assert_eq!(guest.ok("cat /proc/sys/kernel/dmesg_restrict").expect("there"), "1\n");
    guest.ok("echo 0 > /proc/sys/kernel/dmesg_restrict").expect("root may");
    let read = run(&mut guest, inside);
    assert!(read.status == 0 && read.text.contains("init: started"), "{}", read.text);
    assert_eq!(run(&mut guest, "conductor run sample dmesg -n 8").status, 1);
    assert_eq!(run(&mut guest, "conductor run sample dmesg -C").status, 1);
}
