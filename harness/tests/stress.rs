//! A stress mix: `probe stress` does everything at once, on the host with containers beside it and in a container, on 4 CPUs; it checks
//! by itself what comes of it. Afterwards nothing is left, the shell and `conductor` live, and the disk is sound.
//!
//! `XV6_STRESS_SECONDS` (8), `XV6_STRESS_CPUS` (4), `XV6_STRESS_WORKERS` of each kind (1) and `XV6_STRESS_SEED` (1) make it long and wide by hand, and
//! `XV6_KERNEL=checked` lets the kernel look at itself.

use harness::fixture::{boot, machine, root_disk};
use harness::{Counts, Drive, Writes};
use std::time::Duration;

/// The kinds that need nothing a container is refused.
const INSIDE: &str = "processes signals pipes names memory futexes readers";

/// Tasks that the container may have: with the machine this busy its init is late, and orphans wait for it in crowds.
const TASKS: u32 = 1000;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn everything_at_once_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("root.img");
    root_disk(&disk, 128);
    let cpus = u32::try_from(number("XV6_STRESS_CPUS", 4)).expect("a number of CPUs");
    let mut guest = boot(&machine("stress").cpus(cpus).root(Drive::new(&disk, Writes::Kept)));
    let mix = |seconds: u64| {
        let [workers, seed] =
            [("WORKERS", 1), ("SEED", 1)].map(|(name, usual)| number(&format!("XV6_STRESS_{name}"), usual));
        let options = format!("--seconds {seconds} --seed {seed} --workers {workers}");
        format!(
            "conductor run --rm --pids {TASKS} sample probe stress {options} {INSIDE} > /run/inside 2>&1 & \
             probe stress {options} --in /root --in /tmp; wait $!; cat /run/inside; rm /run/inside"
        )
    };
    let seconds = number("XV6_STRESS_SECONDS", 8);
    // The first time warms what stays: caches, the layers' mounts, and the file system of namespaces' files.
    guest.ok("true < /proc/self/ns/uts").expect("the guest answers");
    let mut before = None;
    for seconds in [1, seconds] {
        let limit = Duration::from_secs(seconds + 60);
        let output = guest.run_within(&mix(seconds), limit).expect("it ends");
        let sound = output.text.lines().filter(|line| *line == "stress\tok").count();
        assert_eq!(sound, 2, "{}", output.text);
        assert!(!output.text.contains(" 0 rounds"), "a kind did nothing:\n{}", output.text);
        println!("{}", output.text);
        match &before {
            None => before = Some(Counts::of(&mut guest).expect("the guest answers")),
            Some(before) => drop(before.expect_back(&mut guest, "the mix")),
        }
    }
    assert_eq!(guest.conductor().ps().expect("the guest answers").len(), 0);
    assert_eq!(guest.ok("ls -A /root; ls -A /tmp").expect("the guest answers"), "", "files are left");
    assert_eq!(guest.ok("conductor run --rm sample echo alive").expect("the guest answers"), "alive\n");
    guest.ok("sync").expect("the guest answers");
    drop(guest);
    let report = fsbuild::root::check(&disk).expect("the disk is read");
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
}

/// A thread that makes no call, alone on its CPU, is not interrupted by a clock: a signal has to do that.
#[test]
fn a_signal_ends_a_program_that_makes_no_call() {
    let mut guest = boot(&machine("spinners").cpus(4));
    // One each for the CPUs that the shell does not need, and some time to spread over them.
    let start = "probe spin & a=$!; probe spin & b=$!; probe spin & c=$!; sleep 0.3";
    for signal in ["KILL", "TERM"] {
        guest.ok(start).expect("the guest answers");
        guest.ok(&format!("kill -{signal} $a $b $c; wait")).expect("they end");
    }
}
