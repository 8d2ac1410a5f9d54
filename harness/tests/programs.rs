//! Hostile programs: files that are no good programs are executed by the hundred, on the host and in a container. execve(2) refuses them with its
//! errors, or they crash; the machine lives, and nothing of them is left.

use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::time::{Duration, Instant};

/// What exists, by `/proc/xv6`, after dropping what is only cached.
fn objects(guest: &mut Booted) -> Vec<String> {
    let text = guest.ok("echo 3 > /proc/sys/vm/drop_caches; cat /proc/xv6").expect("the guest answers");
    let counted = ["processes ", "threads ", "cgroups ", "mounts ", "superblocks ", "dentries ", "files "];
    let lines: Vec<String> =
        text.lines().filter(|line| counted.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
    assert_eq!(lines.len(), counted.len(), "{text}");
    lines
}

#[test]
fn a_damaged_program_is_refused_or_crashes() {
    let mut guest = boot(&machine("programs"));
    let runs = std::env::var("XV6_PROGRAM_RUNS").unwrap_or_else(|_| "150".to_owned());
    for prefix in ["", "conductor run sample "] {
        let command = |seed: u32| format!("{prefix}probe exec --runs {runs} --seed {seed}");
        // The first time warms what stays cached, so that the counts compare.
        let mut before = None;
        for seed in 1..3 {
            let output = guest.run(&command(seed)).expect("the guest answers");
            let (elf, scripts) = output.text.split_once('\n').expect("two lines");
            assert_eq!((output.status, scripts), (0, "script\t16 lines: 0 wrong\n"), "{}", output.text);
            assert!(elf.starts_with(&format!("elf\t{runs} runs: ")), "{elf}");
            assert!(elf.contains(" ran") && elf.contains(" killed") && elf.contains(" refused"), "{elf}");
            let Some(before) = &before else {
                before = Some(objects(&mut guest));
                continue;
            };
            let start = Instant::now();
            let mut after = objects(&mut guest);
            while after != *before && start.elapsed() < scaled(Duration::from_secs(5)) {
                after = objects(&mut guest);
            }
            assert_eq!(after, *before, "{} left something", command(seed));
        }
    }
}
