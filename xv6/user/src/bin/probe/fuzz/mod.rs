//! Wild system calls: every call of the kernel, with seeded random arguments, made by processes that may break. The kernel must stand.
//!
//! `place.rs` has the folders of batches, `ground.rs` a batch's namespaces and files, `batch.rs` the watch over its lives, `life.rs` a life,
//! `arguments.rs` draws calls from the table in `calls.rs` with `values.rs`, `exceptions.rs` says what is not called. Key types: [`Plan`]; this
//! file runs the batches, several at a time.
//!
//! The calls of a batch depend on the seed and the batch's number only, so that `--seed S --from B --calls 1 --jobs 1` makes them again. The
//! seed is told first, on standard output and in the kernel's log: a kernel that falls cannot tell it any more. What would reach further than a
//! batch is never called, so this is for no kernel but xv6's.

mod arguments;
mod batch;
mod calls;
mod dice;
mod exceptions;
mod ground;
mod life;
mod place;
mod values;

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use user::raw::expendable::{SharedWords, WildCall, sacrifice, shared_words};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

use batch::{Batch, Ends, FULL, HUNG, Rights, UNPREPARED};
pub use dice::Dice;
use life::{Board, Trail};
use place::Place;

/// A line tells how far it came after so many calls.
const PROGRESS: u64 = 500_000;

/// How long a job waits for room for one more process.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the command line asks for.
pub struct Plan {
    calls: u64,
    seed: u64,
    from: u64,
    jobs: Option<u64>,
    list: bool,
    counts: bool,
}

impl Plan {
    /// Reads the options; `None` if one is wrong. Without a seed the time is one.
    pub fn read(options: &[&str]) -> Option<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        let seed = u64::from(now.subsec_nanos());
        let mut plan = Self { calls: 100_000, seed, from: 0, jobs: None, list: false, counts: false };
        let mut words = options.iter();
        while let Some(word) = words.next() {
            match *word {
                "--list" => plan.list = true,
                "--counts" => plan.counts = true,
                "--calls" => plan.calls = words.next()?.parse().ok()?,
                "--seed" => plan.seed = words.next()?.parse().ok()?,
                "--from" => plan.from = words.next()?.parse().ok()?,
                "--jobs" => plan.jobs = Some(words.next()?.parse().ok().filter(|jobs| (1..=64).contains(jobs))?),
                _ => return None,
            }
        }
        Some(plan)
    }
}

/// What the jobs share.
#[derive(Clone, Copy)]
struct Shared {
    board: Board,
    tally: SharedWords,
}

impl Shared {
    fn new() -> Result<Self, Failure> {
        let words = || shared_words().about("mmap");
        Ok(Self { board: Board { made: words()?, succeeded: words()?, stuck: words()? }, tally: words()? })
    }

    /// The next batch's number, less the first's.
    fn next(&self) -> &AtomicU64 {
        &self.tally[0]
    }

    fn ends(&self) -> Ends<'_> {
        Ends { whole: &self.tally[1], broken: &self.tally[2], stuck: &self.tally[3], refusal: &self.tally[7] }
    }

    fn hung(&self) -> &AtomicU64 {
        &self.tally[4]
    }

    fn unprepared(&self) -> &AtomicU64 {
        &self.tally[5]
    }

    fn told(&self) -> &AtomicU64 {
        &self.tally[6]
    }

    fn made(&self) -> u64 {
        self.board.made.iter().map(value).sum()
    }
}

fn value(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Makes the calls, and tells what became of those who made them; 1 if something hung.
pub fn run(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    if plan.list {
        for row in calls::AREAS.iter().flat_map(|area| area.iter()) {
            writeln!(out, "{}\t{}", row.number, row.name)?;
        }
        return Ok(0);
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if !release.contains("xv6") {
        return Err(Failure::new(format!("fuzz: this is no xv6 kernel but {release}")));
    }
    let rights = rights()?;
    let jobs =
        plan.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64) + 1);
    let line = format!("fuzz\tseed {} from {}: {} calls by {jobs} jobs, {rights:?}", plan.seed, plan.from, plan.calls);
    writeln!(out, "{line}")?;
    out.flush()?;
    // A container has no such file, and its output reaches the console as well.
    let _ = fs::write("/dev/kmsg", format!("<5>probe {}\n", line.replace('\t', " ")));
    let place = Place::new(&rights)?;
    let shared = Shared::new()?;
    let clock = Clock::now();
    let start = Instant::now();
    let mut children = Vec::new();
    for _ in 0..jobs {
        match fork().about("fork")? {
            Forked::Parent(child) => children.push(child),
            Forked::Child => {
                let result = job(plan, &rights, &place, shared, out);
                let _ = out.flush();
                std::process::exit(result.map_or_else(
                    |failure| {
                        eprintln!("probe: fuzz: {failure}");
                        1
                    },
                    |()| 0,
                ));
            }
        }
    }
    let mut failed = false;
    // A container's first process also gets the orphans of all lives: unreaped they would take the room of the next ones.
    while !children.is_empty() {
        let Some((ended, status)) = rustix::process::wait(WaitOptions::empty()).about("wait")? else { continue };
        if children.contains(&ended) {
            children.retain(|child| *child != ended);
            failed |= status.exit_status() != Some(0);
        }
    }
    clock.restore();
    report(plan, shared, start.elapsed(), out)?;
    // What hangs keeps its place.
    if value(shared.hung()) == 0 {
        place.remove()?;
    }
    Ok(u8::from(failed || value(shared.hung()) > 0))
}

/// What the caller may do, and so the lives.
fn rights() -> Result<Vec<Rights>, Failure> {
    let may = |rights| -> Result<bool, Failure> {
        let child = sacrifice(&mut || std::process::exit(i32::from(ground::isolate(rights).is_err()))).about("fork")?;
        Ok(ended_well(child)? == Some(0))
    };
    let mut all = Vec::new();
    if may(Rights::Root)? {
        all.extend([Rights::Root, Rights::Root, Rights::Plain]);
    } else {
        all.push(Rights::Bare);
    }
    if may(Rights::User)? {
        all.push(Rights::User);
    }
    Ok(all)
}

fn ended_well(child: Pid) -> Result<Option<i32>, Failure> {
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
    Ok(status.and_then(|(_, status)| status.exit_status()))
}

/// Makes batches until there are enough calls.
fn job(plan: &Plan, rights: &[Rights], place: &Place, shared: Shared, out: &mut Out) -> Result<(), Failure> {
    let trail = Trail(shared_words().about("mmap")?);
    loop {
        let made = shared.made();
        if value(shared.told()) < made / PROGRESS {
            shared.told().store(made / PROGRESS, Ordering::Relaxed);
            writeln!(out, "fuzz\t{made} calls")?;
            out.flush()?;
        }
        if made >= plan.calls {
            return Ok(());
        }
        let number = plan.from + shared.next().fetch_add(1, Ordering::Relaxed);
        let (folder, cgroup) = place.names(number);
        let (seed, board, ends) = (plan.seed, shared.board, shared.ends());
        let batch = Batch { seed, number, rights, folder, cgroup, board, trail, ends };
        match keep(&batch, place)? {
            Some(0) => place.clear(&batch),
            Some(UNPREPARED | FULL) => {
                shared.unprepared().fetch_add(1, Ordering::Relaxed);
                place.clear(&batch);
            }
            status => {
                shared.hung().fetch_add(1, Ordering::Relaxed);
                let what = if status == Some(HUNG) { "hangs" } else { "has lost its keeper" };
                writeln!(out, "fuzz\tseed {seed} batch {number} {what}; the last calls:")?;
                for (thread, calls) in ["life", "companion"].iter().zip([0, 1].map(|thread| trail.last(thread))) {
                    for (index, call) in calls {
                        writeln!(out, "fuzz\t{thread} {index}: {}", text(&call))?;
                    }
                }
                out.flush()?;
            }
        }
    }
}

/// Makes a batch's place and runs its keeper, whose exit status it gives. The lives of other batches may have taken all processes that there
/// may be: they end, and it is tried again.
fn keep(batch: &Batch<'_>, place: &Place) -> Result<Option<i32>, Failure> {
    let start = Instant::now();
    loop {
        place.make(batch)?;
        let status = match sacrifice(&mut || std::process::exit(batch.keep())) {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Some(FULL),
            born => ended_well(born.about("fork")?)?,
        };
        if status != Some(FULL) || start.elapsed() > PATIENCE {
            return Ok(status);
        }
        place.clear(batch);
        // Nothing tells of room for a process.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn text((number, args): &WildCall) -> String {
    let name = calls::by_number(*number).map_or("?", |row| row.name);
    let args: Vec<String> = args.iter().map(|arg| format!("{arg:#x}")).collect();
    format!("{number} {name}({})", args.join(", "))
}

fn report(plan: &Plan, shared: Shared, time: Duration, out: &mut Out) -> Result<(), Failure> {
    let made = shared.made();
    let all = calls::AREAS.iter().flat_map(|area| area.iter());
    let seen = all.clone().filter(|row| value(&shared.board.made[life::place(row.number)]) > 0).count();
    let rate = u128::from(made) * 1000 / time.as_millis().max(1);
    writeln!(
        out,
        "fuzz\t{made} calls in {} s, {rate} a second; {seen} of {} kinds",
        time.as_secs(),
        all.clone().count()
    )?;
    if plan.counts {
        for row in all {
            let of = |words: SharedWords| value(&words[life::place(row.number)]);
            let (made, succeeded, stuck) = (of(shared.board.made), of(shared.board.succeeded), of(shared.board.stuck));
            writeln!(out, "{}\t{made} made\t{succeeded} succeeded\t{stuck} stuck", row.name)?;
        }
    }
    let ends = shared.ends();
    let why = match i32::try_from(value(ends.refusal)) {
        Ok(0) | Err(_) => String::new(),
        Ok(errno) => format!(" ({})", super::errno::name(&std::io::Error::from_raw_os_error(errno))),
    };
    writeln!(
        out,
        "fuzz\t{} batches: {} lives whole, {} broken, {} stuck; {} batches not prepared{}, {} hung",
        value(shared.next()),
        value(ends.whole),
        value(ends.broken),
        value(ends.stuck),
        value(shared.unprepared()),
        why,
        value(shared.hung())
    )?;
    Ok(())
}

/// How far the wall clock was ahead of the one that nobody sets: calls may set it.
struct Clock(Timespec, Timespec);

impl Clock {
    fn now() -> Self {
        Self(clock_gettime(ClockId::Realtime), clock_gettime(ClockId::Monotonic))
    }

    fn restore(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let passed = now.tv_sec - self.1.tv_sec;
        // Refused where the calls were refused, too.
        let _ = clock_settime(ClockId::Realtime, Timespec { tv_sec: self.0.tv_sec + passed, tv_nsec: self.0.tv_nsec });
    }
}
