//! A stress mix: for some seconds, workers of many kinds do what programs do, all at once, and check what comes of it: each byte through a
//! pipe arrives, each child ends as it should, a name leads to one whole file, no CPU sees memory that is gone.
//!
//! Key types: [`Plan`], what the command line asks for; [`Kind`], one kind of work, in a file of its own below `stress/`; [`Worker`], a process
//! that repeats it, each round complete in itself. The seed decides what the rounds are; how they meet is the scheduler's choice.
//! The workers' ends come through a pipe that every process of the mix holds, so its end shows that none is left; whoever keeps
//! the others waiting is named on standard error. Neighbours: `fuzz`, whose [`Dice`] these are.

mod cgroups;
mod containers;
mod futexes;
mod memory;
mod mounts;
mod names;
mod namespaces;
mod pipes;
mod processes;
mod readers;
mod signals;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::fuzz::Dice;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// One kind of work.
struct Kind {
    name: &'static str,
    /// One round of it.
    round: fn(&mut Worker) -> Result<(), Failure>,
}

const KINDS: [Kind; 11] = [
    Kind { name: "processes", round: processes::round },
    Kind { name: "signals", round: signals::round },
    Kind { name: "pipes", round: pipes::round },
    Kind { name: "names", round: names::round },
    Kind { name: "mounts", round: mounts::round },
    Kind { name: "namespaces", round: namespaces::round },
    Kind { name: "memory", round: memory::round },
    Kind { name: "futexes", round: futexes::round },
    Kind { name: "cgroups", round: cgroups::round },
    Kind { name: "readers", round: readers::round },
    Kind { name: "containers", round: containers::round },
];

/// How long a worker may go on after its time before it is named.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// What to do, and for how long.
pub struct Plan {
    kinds: Vec<&'static Kind>,
    seconds: u64,
    seed: u64,
    workers: usize,
    folders: Vec<PathBuf>,
}

impl Plan {
    /// Reads `[--seconds N] [--seed S] [--workers N] [--in DIR]... [KIND]...`; `None` if something is wrong.
    pub fn read(words: &[&str]) -> Option<Plan> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        let seed = u64::from(now.subsec_nanos());
        let mut plan = Plan { kinds: Vec::new(), seconds: 10, seed, workers: 2, folders: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => plan.seconds = words.next()?.parse().ok()?,
                "--seed" => plan.seed = words.next()?.parse().ok()?,
                "--workers" => plan.workers = words.next()?.parse().ok()?,
                "--in" => plan.folders.push(words.next()?.into()),
                name => plan.kinds.push(KINDS.iter().find(|kind| kind.name == name)?),
            }
        }
        if plan.kinds.is_empty() {
            plan.kinds.extend(&KINDS);
        }
        if plan.folders.is_empty() {
            plan.folders.push(std::env::temp_dir());
        }
        Some(plan)
    }
}

/// What one process repeats a kind of work with.
pub(super) struct Worker {
    /// Unlike all others'.
    number: usize,
    dice: Dice,
    /// What the workers share, one folder on each file system.
    folders: Vec<PathBuf>,
    /// Rounds so far.
    rounds: u64,
}

impl Worker {
    /// A path in one of the shared folders that no other worker uses.
    fn own(&mut self, name: &str) -> PathBuf {
        let name = format!("{name}.{}", self.number);
        self.folder().join(name)
    }

    /// One of the shared folders.
    fn folder(&mut self) -> &Path {
        let folder = self.dice.below(self.folders.len());
        &self.folders[folder]
    }
}

/// Lets all workers work; status 1 if any found what should not be, which it told on standard error.
pub fn run(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    // Orphans come to process 1, which has to take them or run into its limit; it does nothing else.
    if rustix::process::getpid().as_raw_nonzero().get() != 1 {
        return mix(plan, out);
    }
    match fork().about("fork")? {
        Forked::Child => mix(plan, out),
        Forked::Parent(first) => loop {
            let ended = rustix::process::wait(WaitOptions::empty()).about("wait")?;
            if let Some((_, status)) = ended.filter(|(pid, _)| *pid == first) {
                return Ok(status.exit_status().and_then(|status| u8::try_from(status).ok()).unwrap_or(FAILED));
            }
        },
    }
}

fn mix(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    let Plan { seconds, seed, workers, .. } = plan;
    writeln!(out, "stress\tseed {seed}, {workers} workers of each kind for {seconds} s")?;
    out.flush()?;
    let folders: Vec<PathBuf> =
        plan.folders.iter().map(|folder| folder.join(format!("stress.{}", std::process::id()))).collect();
    folders.iter().try_for_each(|folder| names::prepare(folder))?;
    let end = Instant::now() + Duration::from_secs(*seconds);
    let (reports, report) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).about("pipe")?;
    let mut working = BTreeMap::new();
    for (number, &kind) in (0..*workers).flat_map(|_| &plan.kinds).enumerate() {
        let worker = Worker { number, dice: Dice::new(*seed, number as u64), folders: folders.clone(), rounds: 0 };
        working.insert(number, (kind.name, child(|| work(kind, worker, end, &report))?));
    }
    drop(report);
    let done = rounds(reports, &working, end)?;
    let mut sound = true;
    for (_, pid) in working.values() {
        sound &= expect(*pid, End::Status(0)).is_ok();
    }
    for kind in &plan.kinds {
        let rounds: Vec<u64> =
            done.iter().filter(|(number, _)| working[number].0 == kind.name).map(|(_, &n)| n).collect();
        let failed = if rounds.len() == *workers { "" } else { ", not to the end" };
        writeln!(out, "{}\t{} rounds{failed}", kind.name, rounds.iter().sum::<u64>())?;
    }
    for folder in &folders {
        names::check(folder, *workers * plan.kinds.len())?;
        std::fs::remove_dir_all(folder).about(folder)?;
    }
    ensure(rustix::process::wait(WaitOptions::NOHANG).is_err(), || "stress: a stranger became a child".into())?;
    writeln!(out, "stress\t{}", if sound { "ok" } else { "broken" })?;
    Ok(u8::from(!sound))
}

/// Which worker this process is, or was started by.
static WORKER: OnceLock<String> = OnceLock::new();

/// Says what went wrong, and where.
fn tell(failure: &Failure) {
    user::warn(&Failure::new(format!("stress: {}: {failure}", WORKER.get().map_or("", String::as_str))));
}

/// A worker's life.
fn work(kind: &Kind, mut worker: Worker, end: Instant, report: &OwnedFd) -> Result<u8, Failure> {
    let _ = WORKER.set(format!("{}, worker {}", kind.name, worker.number));
    // One round at least: short runs of many kinds would skip some.
    while worker.rounds == 0 || Instant::now() < end {
        (kind.round)(&mut worker)?;
        worker.rounds += 1;
    }
    // A short line: pipe(7) keeps it whole.
    rustix::io::write(report, format!("{} {}\n", worker.number, worker.rounds).as_bytes()).about("report")?;
    Ok(0)
}

/// Reads how many rounds each worker made, until all of them and all that they started are gone.
fn rounds(
    reports: OwnedFd,
    working: &BTreeMap<usize, (&str, Pid)>,
    end: Instant,
) -> Result<BTreeMap<usize, u64>, Failure> {
    let mut reports = std::fs::File::from(reports);
    let (mut text, mut chunk) = (String::new(), [0; 512]);
    loop {
        if poll(&mut [PollFd::new(&reports, PollFlags::IN)], Some(&PATIENCE)).about("poll")? == 0 {
            let told = parsed(&text);
            let missing: Vec<String> = working
                .iter()
                .filter(|(number, _)| Instant::now() > end && !told.contains_key(number))
                .map(|(number, (name, pid))| format!("{name} (worker {number}, pid {pid})"))
                .collect();
            if !missing.is_empty() {
                user::warn(&Failure::new(format!("stress: still at work: {}", missing.join(", "))));
            }
            continue;
        }
        match reports.read(&mut chunk).about("reports")? {
            0 => break,
            count => text.push_str(&String::from_utf8_lossy(&chunk[..count])),
        }
    }
    Ok(parsed(&text))
}

/// The reports in `text`: rounds by worker.
fn parsed(text: &str) -> BTreeMap<usize, u64> {
    let line = |line: &str| {
        let (number, rounds) = line.split_once(' ')?;
        Some((number.parse().ok()?, rounds.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// How a child has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Status(u8),
    Killed(Signal),
}

impl End {
    fn is(self, status: WaitStatus) -> bool {
        match self {
            End::Status(expected) => status.exit_status() == Some(i32::from(expected)),
            End::Killed(signal) => status.terminating_signal() == Some(signal.as_raw()),
        }
    }
}

/// The status of a child that failed, which it told.
const FAILED: u8 = 125;

/// Starts a child that lives `life`, exits with its result, and ends when its parent does.
fn child(life: impl FnOnce() -> Result<u8, Failure>) -> Result<Pid, Failure> {
    let parent = rustix::process::getpid();
    match fork().about("fork")? {
        Forked::Parent(pid) => Ok(pid),
        Forked::Child => {
            let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).about("prctl");
            // It may have ended before that; from another pid namespace it has no number.
            if rustix::process::getppid().is_some_and(|now| now != parent) {
                std::process::exit(i32::from(FAILED));
            }
            let status = bound.and_then(|()| life()).unwrap_or_else(|failure| {
                tell(&failure);
                FAILED
            });
            std::process::exit(i32::from(status))
        }
    }
}

/// A further thread. Without it those that are there already would wait for ever: the whole process ends.
fn thread<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    life: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    Builder::new().spawn_scoped(scope, life).unwrap_or_else(|error| {
        tell(&Failure::new(format!("thread: {error}")));
        std::process::exit(i32::from(FAILED))
    })
}

/// Waits for `pid`, which has to end like this.
fn expect(pid: Pid, end: End) -> Result<(), Failure> {
    let status = rustix::process::waitpid(Some(pid), WaitOptions::empty()).about("waitpid")?;
    let (_, status) = status.ok_or_else(|| Failure::new("waitpid: nothing"))?;
    ensure(end.is(status), || format!("child {pid} ended with {status:?}, not {end:?}"))
}

/// What should be.
fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise())) }
}

/// A pipe whose ends no executed program inherits.
fn pipe() -> Result<(std::fs::File, std::fs::File), Failure> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).about("pipe")?;
    Ok((reader.into(), writer.into()))
}
