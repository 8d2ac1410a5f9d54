//! Conformance: `conform`, one static program, makes the same checks on Linux and on this kernel; each line is compared.
//!
//! What Linux answers is kept in `conform/linux.txt`, recorded as root (`XV6_CONFORM_RECORD=1 cargo test -p harness --test conform` records it
//! anew). The kernel is compared with that record and not with the host of the day: the record is one version of Linux with all
//! privileges, while a host may be an older Linux, an ordinary user or a container, and would then hide or invent differences.
//! The host runs the program, too, with what rights it has, and must agree with the record but for a small share: that
//! keeps the record honest. When it is root, it runs the checks as an ordinary user as well, as many hosts will.
//!
//! Where the kernel differs, `conform/differences.txt` says so with the reason; an entry that does not hold any more fails, too.

use harness::fixture::{boot, install, machine};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Results by check.
type Results = BTreeMap<String, String>;

/// What a check that could not run answers.
const SKIPPED: &str = "skipped: ";
/// What one that this process has no right to run answers.
const NO_RIGHT: &str = "skipped: needs ";
/// The areas that stand on the file system they run in.
const FILE_AREAS: &str = "open io names attrs folders fds locks memory exec";
/// Who an ordinary user is.
const NOBODY: u32 = 65534;
/// The least number of checks: a program that runs nothing agrees with everybody.
const LEAST: usize = 600;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conform")
}

/// The lines `CHECK<TAB>RESULT` of a run or of the record.
fn parse(text: &str) -> Results {
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
    lines.map(|(check, result)| (check.to_owned(), result.to_owned())).collect()
}

fn record() -> Results {
    parse(&std::fs::read_to_string(folder().join("linux.txt")).expect("the record of Linux"))
}

/// Runs the guest's program on the host.
fn on_host(nobody: bool) -> Results {
    machine("conform-host");
    let place = tempfile::tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(place.path(), open).expect("an open folder");
    let program = place.path().join("conform");
    let bytes = std::fs::read(harness::volume::userland().join("bin/conform")).expect("the guest's program");
    install(&program, &bytes);
    let mut command = Command::new(&program);
    command.arg("--in").arg(place.path()).current_dir("/").stdin(Stdio::null());
    if nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "conform: {}", String::from_utf8_lossy(&output.stderr));
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// How many results a predicate holds for.
fn count(results: &Results, holds: impl Fn(&str) -> bool) -> usize {
    results.values().filter(|result| holds(result)).count()
}

/// The host agrees with the record, but for what another version of Linux does otherwise; at most `most_skipped` percent did not run.
fn agrees(host: &Results, most_skipped: usize) {
    let record = record();
    assert!(record.len() >= LEAST, "{} checks", record.len());
    assert!(host.keys().eq(record.keys()), "the program's checks are not the record's: record them anew");
    let skipped = count(host, |result| result.starts_with(SKIPPED));
    assert!(skipped * 100 <= host.len() * most_skipped, "{skipped} of {} checks were skipped", host.len());
    let differ: Vec<_> = host
        .iter()
        .filter(|(check, result)| !result.starts_with(SKIPPED) && record[*check] != **result)
        .map(|(check, result)| format!("{check}\n  record: {}\n  host:   {result}", record[check]))
        .collect();
    println!("{} of {} differ from the record\n{}", differ.len(), host.len() - skipped, differ.join("\n"));
    assert!(differ.len() * 100 <= host.len() * 3, "the host is not what was recorded:\n{}", differ.join("\n"));
}

/// A run of the guest, by its name in the list of differences, and its results.
type Run = (&'static str, Results);

/// The listed differences: by run (`any` for all) and check, what the kernel answers.
fn listed() -> BTreeMap<(String, String), String> {
    let text = std::fs::read_to_string(folder().join("differences.txt")).expect("the list of differences");
    let mut reason = false;
    let mut list = BTreeMap::new();
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [""] => reason = false,
            [line] if line.starts_with("# ") => reason = true,
            [run, check, answer] => {
                assert!(reason, "no reason above: {line}");
                let old = list.insert((run.to_owned(), check.to_owned()), answer.to_owned());
                assert!(old.is_none(), "twice: {line}");
            }
            _ => panic!("a line of differences.txt that is neither a reason nor an entry: {line:?}"),
        }
    }
    list
}

#[test]
fn the_host_answers_as_recorded() {
    let root = rustix::process::geteuid().is_root();
    if std::env::var_os("XV6_CONFORM_RECORD").is_some() {
        assert!(root, "only root can run every check");
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
        let version = release.split(['.', '-']).take(2).collect::<Vec<_>>().join(".");
        let mut text = format!("# Recorded on Linux {version} as root, in a tmpfs.\n");
        for (check, result) in on_host(false) {
            writeln!(text, "{check}\t{result}").expect("a String grows");
        }
        std::fs::write(folder().join("linux.txt"), text).expect("the record is written");
    }
    // Root in a container of the host may not mount: that is a third of all checks.
    agrees(&on_host(false), 40);
}

#[test]
fn an_ordinary_user_gets_the_same_answers() {
    // Another user's run is this one only for root; for others the test above has been it.
    let nobody = rustix::process::geteuid().is_root();
    agrees(&on_host(nobody), 40);
}

#[test]
fn the_kernel_answers_as_linux_does() {
    let mut guest = boot(&machine("conform").memory(256));
    let mut run = |command: &str| parse(&guest.ok(command).expect("the guest answers"));
    let runs: [Run; 3] = [
        ("tmpfs", run("conform")),
        ("xv6fs", run(&format!("conform --here --in / {FILE_AREAS}"))),
        ("container", run("conductor run --rm sample conform --here")),
    ];
    let record = record();
    assert!(runs[0].1.keys().eq(record.keys()), "the program's checks are not the record's: record them anew");
    let in_container = &runs[2].1;
    let refused = count(in_container, |result| result.starts_with(NO_RIGHT));
    assert!(in_container.len() == record.len() && refused * 100 <= record.len() * 20, "{refused} skipped");
    let listed = listed();
    let mut wrong = String::new();
    let mut met = std::collections::BTreeSet::new();
    for (name, results) in &runs {
        for (check, result) in results {
            if *name == "container" && result.starts_with(NO_RIGHT) {
                continue;
            }
            let linux = &record[check];
            let entry = [name, "any"]
                .map(|run| (run.to_owned(), check.clone()))
                .into_iter()
                .find(|key| listed.contains_key(key));
            let expected = entry.as_ref().map_or(linux, |key| &listed[key]);
            let stale = entry.as_ref().is_some_and(|key| listed[key] == *linux);
            met.extend(entry);
            if stale || result != expected {
                let why = if stale || result == linux { "listed as different, but is not" } else { "differs" };
                write!(wrong, "{name}\t{check}\t{result}\n  {why}; Linux: {linux}\n").expect("a String grows");
            }
        }
    }
    for key in listed.keys().filter(|key| !met.contains(*key)) {
        writeln!(wrong, "{}\t{}\tis listed, but no such check ran", key.0, key.1).expect("a String grows");
    }
    assert!(wrong.is_empty(), "{} lines:\n{wrong}", wrong.lines().count());
}
