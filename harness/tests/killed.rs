//! `kill -9` of `conductor run` at any moment of a start: the next command takes back what there is of the container, or it runs.

use harness::Counts;
use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Everything that a container leaves traces in, by folder.
const TRACES: &str = "/var/lib/conductor/containers /var/lib/conductor/drafts /run/conductor/names /run/conductor/starting /sys/fs/cgroup/conductor";

/// How often a start is killed, at moments spread over it.
const KILLS: u32 = 16;

/// How long a start goes on that lost the one who waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lines that `command` prints.
fn lines(guest: &mut Booted, command: &str) -> BTreeSet<String> {
    guest.ok(command).expect("the guest answers").lines().map(str::to_owned).collect()
}

/// What there is of containers: the last parts of the paths. (A cgroup's own files have dots in their names.)
fn traces(guest: &mut Booted) -> BTreeSet<String> {
    let paths = lines(guest, &format!("find {TRACES} -mindepth 1 -maxdepth 1 ! -name '*.*'"));
    paths.iter().map(|path| path.rsplit('/').next().expect("a name").to_owned()).collect()
}

#[test]
fn nothing_is_left_of_a_start_that_was_killed() {
    let mut guest = boot(&machine("killed"));
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    let before = Counts::of(&mut guest).expect("the guest answers");
    let start = Instant::now();
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    let whole = u32::try_from(start.elapsed().as_micros()).expect("a short while");
    let (mut alive, mut gone) = (0, 0);
    for (mode, kill) in (0..KILLS).flat_map(|kill| [("", kill), ("-d", kill)]) {
        // Most of what a command takes is the way to it and back: the moments lie denser at the beginning.
        let wait = format!("sleep {:.6}", f64::from(whole / KILLS / KILLS * kill * kill) / 1e6);
        let run = format!("conductor run {mode} --name c{kill} sample container_init > /dev/null 2>&1");
        guest.ok(&format!("{run} & {wait}; kill -9 $!; wait; true")).expect("the guest answers");
        // Without the one who waits for it, a start may still go on for a moment: until it runs, or there is nothing of it.
        let start = Instant::now();
        loop {
            let running = lines(&mut guest, "conductor ps -q");
            let left = traces(&mut guest);
            let named: BTreeSet<String> = running.iter().cloned().chain([format!("c{kill}")]).collect();
            match running.len() {
                0 if left.is_empty() => gone += 1,
                1 if left == named => {
                    alive += 1;
                    guest.ok(&format!("conductor stop c{kill}")).expect("the guest answers");
                }
                _ => {
                    assert!(
                        start.elapsed() < scaled(PATIENCE),
                        "run {mode}, {wait}: running {running:?}, left {left:?}"
                    );
                    continue;
                }
            }
            break;
        }
        assert_eq!(traces(&mut guest), BTreeSet::new());
    }
    println!("{gone} starts killed before the container ran, {alive} after");
    assert!(gone > 0, "no kill came before the container ran");
    before.expect_back(&mut guest, "a killed start");
}
