//! Measures the kernel: prints `name<TAB>nanoseconds` for one operation, the best of several batches; behind it `<TAB>bytes` where the
//! point is how many an operation moves.
//!
//! `fork+exec+wait of true` is the unit of the others. Files are made in the current folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// One measurement: its short name, its long one, how many operations a batch has, a batch, the bytes that an operation moves (0 where
/// that is not the point), and how many batches the best is taken from.
struct Bench {
    key: &'static str,
    name: &'static str,
    count: u32,
    batch: fn(u32) -> io::Result<Duration>,
    bytes: u32,
    batches: u32,
}

/// How many batches the best is taken from.
const BATCHES: u32 = 5;

const MIB: u32 = 1 << 20;
/// What one call to a pipe moves.
const BLOCK: usize = 4096;

const fn bench(key: &'static str, name: &'static str, count: u32, batch: fn(u32) -> io::Result<Duration>) -> Bench {
    Bench { key, name, count, batch, bytes: 0, batches: BATCHES }
}

impl Bench {
    /// The same, of operations that move `bytes` each.
    const fn moving(self, bytes: u32) -> Bench {
        Bench { bytes, ..self }
    }

    /// The same, of a batch that takes its best itself: what comes before it takes long.
    const fn once(self) -> Bench {
        Bench { batches: 1, ..self }
    }
}

const ALL: [Bench; 17] = [
    bench("null_syscall", "null system call", 20_000, null_call),
    bench("fork", "fork+exit+wait", 50, forks),
    bench("fork_exec", "fork+exec+wait of true", 50, execs),
    bench("fork_exec_pair", "the same by two side by side, each", 100, execs_side_by_side),
    bench("pipe_roundtrip", "pipe round trip, two processes", 500, round_trips),
    bench("pipe_bandwidth", "pipe, 4 KiB writes and reads", 8, pipe_stream).moving(MIB),
    bench("touch_1m", "touch 1 MiB of new memory", 4, touches),
    bench("file_create_delete", "create+write 512 B+close+unlink", 100, files),
    bench("seq_write_1m", "write a 1 MiB file", 1, |_| write_file(MIB, false)).moving(MIB),
    bench("seq_read_1m", "read it again", 1, |_| read_file(MIB)).moving(MIB),
    bench("seq_write_16m", "write a 16 MiB file", 1, |_| write_file(16 * MIB, false)).moving(16 * MIB),
    bench("seq_read_16m", "read it again", 1, |_| read_file(16 * MIB)).moving(16 * MIB),
    bench("seq_write_sync", "write a 1 MiB file and fsync", 1, |_| write_file(MIB, true)).moving(MIB),
    bench("conductor_run", "conductor run of true", 1, |_| run_true()),
    bench("conductor_run_99", "conductor run of true, beside 99", 1, |_| with_99(fastest_run)).once(),
    bench("conductor_run_after_99", "conductor run of true, after 99", 1, |_| {
        with_99(|| Ok(()))?;
        fastest_run()
    })
    .once(),
    bench("conductor_exec", "conductor exec of true", 3, conductor_exec),
];

/// Measures those named, or all; a machine without `conductor` leaves its two out.
pub fn run(names: &[&str], out: &mut Out) -> Result<u8, Failure> {
    if names == ["--list"] {
        for bench in ALL {
            writeln!(out, "{}\t{}", bench.key, bench.name)?;
        }
        return Ok(0);
    }
    let all = names.is_empty() || names == ["all"];
    if let Some(unknown) = names.iter().find(|name| !all && !ALL.iter().any(|bench| bench.key == **name)) {
        return Err(Failure::new(format!("{unknown}: no such measurement")).with_status(2));
    }
    let has_conductor =
        Command::new("conductor").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    for bench in ALL {
        let chosen =
            if all { has_conductor || !bench.key.starts_with("conductor") } else { names.contains(&bench.key) };
        if chosen {
            let mut best = Duration::MAX;
            for _ in 0..bench.batches {
                best = best.min((bench.batch)(bench.count).about(bench.name)?);
            }
            write!(out, "{}\t{:.0}", bench.name, best.as_nanos() as f64 / f64::from(bench.count))?;
            if bench.bytes > 0 {
                write!(out, "\t{}", bench.bytes)?;
            }
            writeln!(out)?;
            out.flush()?;
        }
    }
    Ok(0)
}

fn null_call(count: u32) -> io::Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        std::hint::black_box(rustix::process::getppid());
    }
    Ok(start.elapsed())
}

/// Waits for a child, which must succeed.
pub fn wait(child: Pid) -> io::Result<()> {
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    match status.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        _ => Err(io::Error::other("the child failed")),
    }
}

fn forks(count: u32) -> io::Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        match fork()? {
            Forked::Child => std::process::exit(0),
            Forked::Parent(child) => wait(child)?,
        }
    }
    Ok(start.elapsed())
}

fn execs(count: u32) -> io::Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        match fork()? {
            Forked::Child => {
                let Err(_) = nix::unistd::execve::<_, &std::ffi::CStr>(c"/bin/true", &[c"true"], &[]);
                std::process::exit(1);
            }
            Forked::Parent(child) => wait(child)?,
        }
    }
    Ok(start.elapsed())
}

/// Two processes do so at once, each `count` times: a second CPU takes one of them.
fn execs_side_by_side(count: u32) -> io::Result<Duration> {
    let start = Instant::now();
    match fork()? {
        Forked::Child => std::process::exit(i32::from(execs(count).is_err())),
        Forked::Parent(other) => {
            execs(count)?;
            wait(other)?;
        }
    }
    Ok(start.elapsed())
}

fn round_trips(count: u32) -> io::Result<Duration> {
    let (request_in, request_out) = io::pipe()?;
    let (answer_in, answer_out) = io::pipe()?;
    match fork()? {
        Forked::Child => {
            drop((request_out, answer_in));
            let status = answer(request_in, answer_out);
            std::process::exit(i32::from(status.is_err()));
        }
        Forked::Parent(child) => {
            drop((request_in, answer_out));
            let mut byte = [0];
            let start = Instant::now();
            for _ in 0..count {
                (&request_out).write_all(b"x")?;
                (&answer_in).read_exact(&mut byte)?;
            }
            let time = start.elapsed();
            drop(request_out);
            wait(child)?;
            Ok(time)
        }
    }
}

/// Sends back each byte until there are no more.
fn answer(mut requests: io::PipeReader, mut answers: io::PipeWriter) -> io::Result<()> {
    let mut byte = [0];
    while requests.read(&mut byte)? == 1 {
        answers.write_all(&byte)?;
    }
    Ok(())
}

/// Moves `count` MiB from a child to its parent.
fn pipe_stream(count: u32) -> io::Result<Duration> {
    let (mut input, mut output) = io::pipe()?;
    let mut block = [0; BLOCK];
    match fork()? {
        Forked::Child => {
            drop(input);
            let blocks = (count * MIB) as usize / BLOCK;
            let sent = (0..blocks).try_for_each(|_| output.write_all(&block));
            std::process::exit(i32::from(sent.is_err()));
        }
        Forked::Parent(child) => {
            drop(output);
            let start = Instant::now();
            while input.read(&mut block)? > 0 {}
            let time = start.elapsed();
            wait(child)?;
            Ok(time)
        }
    }
}

/// Takes 1 MiB of new memory, touches each of its pages and returns it.
fn touches(count: u32) -> io::Result<Duration> {
    const PAGE: usize = 4096;
    let start = Instant::now();
    for _ in 0..count {
        let mut memory = vec![0_u8; MIB as usize];
        for page in memory.chunks_mut(PAGE) {
            page[0] = 1;
        }
        drop(std::hint::black_box(memory));
    }
    Ok(start.elapsed())
}

const FILE: &str = ".probe-bench";

fn files(count: u32) -> io::Result<Duration> {
    let block = [0x5a; 512];
    let start = Instant::now();
    for _ in 0..count {
        File::create(FILE)?.write_all(&block)?;
        fs::remove_file(FILE)?;
    }
    Ok(start.elapsed())
}

const CHUNK: usize = 1 << 16;

fn write_chunks(file: &mut File, bytes: u32) -> io::Result<()> {
    let chunk = vec![0x5a; CHUNK];
    (0..bytes as usize / CHUNK).try_for_each(|_| file.write_all(&chunk))
}

fn write_file(bytes: u32, sync: bool) -> io::Result<Duration> {
    let mut file = File::create(FILE)?;
    let start = Instant::now();
    write_chunks(&mut file, bytes)?;
    if sync {
        rustix::fs::fsync(file.as_fd())?;
    }
    let time = start.elapsed();
    fs::remove_file(FILE)?;
    Ok(time)
}

fn read_file(bytes: u32) -> io::Result<Duration> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(FILE)?;
    write_chunks(&mut file, bytes)?;
    file.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; CHUNK];
    let start = Instant::now();
    while file.read(&mut chunk)? > 0 {}
    let time = start.elapsed();
    fs::remove_file(FILE)?;
    Ok(time)
}

fn conductor(words: &[&str]) -> io::Result<Duration> {
    let start = Instant::now();
    let output = Command::new("conductor").args(words).stdin(Stdio::null()).output()?;
    let time = start.elapsed();
    if output.status.success() {
        return Ok(time);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("conductor {}: {}", words.join(" "), said.lines().next().unwrap_or("failed"))))
}

fn run_true() -> io::Result<Duration> {
    conductor(&["run", "--rm", "sample", "true"])
}

fn fastest_run() -> io::Result<Duration> {
    (0..BATCHES).try_fold(Duration::MAX, |best, _| Ok(best.min(run_true()?)))
}

/// Does `measure` while 99 containers run; they are gone when it returns.
fn with_99<T>(measure: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let names: Vec<String> = (0..99).map(|number| format!("bench{}_{number}", std::process::id())).collect();
    let result = names
        .iter()
        .try_for_each(|name| conductor(&["run", "-d", "--rm", "--name", name, "sample", "container_init"]).map(drop))
        .and_then(|()| measure());
    // A failure of the measurement says more than one of the cleaning up.
    let stop: Vec<&str> = ["stop"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let stopped = conductor(&stop);
    result.and_then(|value| stopped.map(|_| value))
}

/// `exec` in a container that lives for the batch.
fn conductor_exec(count: u32) -> io::Result<Duration> {
    let name = format!("bench{}", std::process::id());
    conductor(&["run", "-d", "--rm", "--name", &name, "sample", "container_init"])?;
    let result = (0..count).try_fold(Duration::ZERO, |sum, _| Ok(sum + conductor(&["exec", &name, "--", "true"])?));
    // A failure of the measurement says more than one of the cleaning up.
    let stopped = conductor(&["stop", &name]);
    result.and_then(|time| stopped.map(|_| time))
}
