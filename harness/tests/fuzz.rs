//! Wild system calls (`probe fuzz`), on the host and in a container, on 1, 2 and 4 CPUs: the kernel stands, nothing hangs, nothing is left, the shell
//! and `conductor` go on. `XV6_FUZZ_CALLS=10000000` makes each run that long, `XV6_FUZZ_SEED` another one; `XV6_KERNEL=checked` looks at locks
//! and arithmetic meanwhile.

use harness::Counts;
use harness::deadline::scaled;
use harness::fixture::{Booted, boot, machine};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Calls of each run.
const CALLS: u64 = 10_000;
/// A rate that every machine reaches.
const CALLS_PER_SECOND: u64 = 500;

/// A number that the environment may set.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}

/// Runs `probe fuzz` by a command that starts with `prefix`.
fn fuzz(guest: &mut Booted, prefix: &str, calls: u64) {
    let seed = setting("XV6_FUZZ_SEED", 1);
    let command = format!("{prefix}probe fuzz --seed {seed} --calls {calls}");
    println!("{command}");
    let limit = scaled(Duration::from_secs(30 + calls / CALLS_PER_SECOND));
    let output = guest.run_within(&command, limit).unwrap_or_else(|failure| panic!("{command}: {failure}"));
    assert_eq!(output.status, 0, "{command}:\n{}", output.text);
    assert!(output.text.contains("0 batches not prepared, 0 hung"), "{command}:\n{}", output.text);
    assert!(output.text.contains(&format!("seed {seed} from 0")), "{command}:\n{}", output.text);
}

/// A short run to warm up, then the real one, after which there is what there was.
fn stands(name: &str, cpus: u32, prefix: &str) {
    let mut guest = boot(&machine(name).cpus(cpus));
    guest.ok("conductor run --rm sample true").expect("the guest answers");
    fuzz(&mut guest, prefix, CALLS / 4);
    let before = Counts::of(&mut guest).expect("the guest answers");
    fuzz(&mut guest, prefix, setting("XV6_FUZZ_CALLS", CALLS));
    before.expect_back(&mut guest, &format!("{prefix}probe fuzz"));
    assert_eq!(guest.ok("conductor run --rm sample echo alive").expect("the guest answers"), "alive\n");
    assert_eq!(guest.conductor().ps().expect("the guest answers").len(), 0);
}

#[test]
fn the_host_stands_on_one_cpu() {
    stands("fuzz-host-1", 1, "");
}

#[test]
fn the_host_stands_on_two_cpus() {
    stands("fuzz-host-2", 2, "");
}

#[test]
fn the_host_stands_on_four_cpus() {
    stands("fuzz-host-4", 4, "");
}

/// The command line's beginning that runs something in a container.
const CONTAINER: &str = "conductor run --rm sample ";

#[test]
fn a_container_leaves_it_standing_on_one_cpu() {
    stands("fuzz-container-1", 1, CONTAINER);
}

#[test]
fn a_container_leaves_it_standing_on_two_cpus() {
    stands("fuzz-container-2", 2, CONTAINER);
}

#[test]
fn a_container_leaves_it_standing_on_four_cpus() {
    stands("fuzz-container-4", 4, CONTAINER);
}

/// The seed is in the log too, which a panic leaves readable.
#[test]
fn every_call_of_the_kernel_is_made_and_the_seed_is_logged() {
    let mut guest = boot(&machine("fuzz-list"));
    let text = guest.ok("probe fuzz --list").expect("the guest answers");
    let row =
        |line: &str| line.split_once('\t').map(|(number, name)| (number.parse().expect("a number"), name.to_owned()));
    let made: BTreeMap<u32, String> = text.lines().filter_map(row).collect();
    assert_eq!(made, kernel_table(), "the fuzzer's table (probe/fuzz/calls.rs) and the kernel's differ");
    guest.ok("probe fuzz --seed 77 --calls 1 --jobs 1").expect("the guest answers");
    let log = guest.ok("dmesg").expect("the guest answers");
    assert!(log.contains("probe fuzz seed 77 from 0: 1 calls"), "{log}");
}

/// Number and name of every system call, from the rows in the kernel's source.
fn kernel_table() -> BTreeMap<u32, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xv6/kernel/src/syscall");
    let mut table = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the kernel's system calls") {
        let source = fs::read_to_string(entry.expect("a file").path()).expect("text");
        // Everything between `number:` and the comma, then the next string.
        for row in source.split("number: ").skip(1) {
            let Some((number, rest)) = row.split_once(',') else { continue };
            let (Ok(number), Some(name)) = (number.trim().parse(), rest.trim_start().strip_prefix("name: \"")) else {
                continue;
            };
            let name = name.split('"').next().expect("a name");
            table.insert(number, name.to_owned());
        }
    }
    assert!(table.len() > 200, "{table:?}");
    table
}
