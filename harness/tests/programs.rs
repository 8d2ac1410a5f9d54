//! Hostile programs: files that are no good programs are executed by the hundred, on the host and in a container. execve(2) refuses them with its
//! errors, or they crash; the machine lives, and nothing of them is left.

use harness::Counts;
use harness::fixture::{boot, machine};

#[test]
fn a_damaged_program_is_refused_or_crashes() {
    let mut guest = boot(&machine("programs"));
    let runs = std::env::var("XV6_PROGRAM_RUNS").unwrap_or_else(|_| "150".to_owned());
    for prefix in ["", "conductor run --rm sample "] {
        let command = |seed: u32| format!("{prefix}probe exec --runs {runs} --seed {seed}");
        // The first time warms what stays cached, so that the counts compare.
        let mut before: Option<Counts> = None;
        for seed in 1..3 {
            let output = guest.run(&command(seed)).expect("the guest answers");
            let (elf, scripts) = output.text.split_once('\n').expect("two lines");
            assert_eq!((output.status, scripts), (0, "script\t16 lines: 0 wrong\n"), "{}", output.text);
            assert!(elf.starts_with(&format!("elf\t{runs} runs: ")), "{elf}");
            assert!(elf.contains(" ran") && elf.contains(" killed") && elf.contains(" refused"), "{elf}");
            before = Some(match before {
                None => Counts::of(&mut guest).expect("the guest answers"),
                Some(before) => before.expect_back(&mut guest, &command(seed)),
            });
        }
    }
}
