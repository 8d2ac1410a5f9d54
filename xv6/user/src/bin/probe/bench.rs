//! Measures the kernel: prints `name<TAB>nanoseconds` for one operation, the best of several batches.
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

/// One measurement: its short name, its long one, how many operations a batch has, and a batch.
struct Bench {
    key: &'static str,
    name: &'static str,
    count: u32,
    batch: fn(u32) -> io::Result<Duration>,
}

/// How many batches the best is taken from.
const BATCHES: u32 = 5;

const fn bench(key: &'static str, name: &'static str, count: u32, batch: fn(u32) -> io::Result<Duration>) -> Bench {
    Bench { key, name, count, batch }
}

const ALL: [Bench; 13] = [
    bench("null_syscall", "null system call", 20_000, null_call),
    bench("fork", "fork+exit+wait", 50, forks),
    bench("fork_exec", "fork+exec+wait of true", 50, execs),
    bench("pipe_roundtrip", "pipe round trip", 500, round_trips),
    bench("page_fault", "page fault", 1024, faults),
    bench("file_create_delete", "file create+write+delete", 100, files),
    bench("seq_write_1m", "sequential write of 1 MiB", 1, |_| write_file(1 << 20, false)),
    bench("seq_write_16m", "sequential write of 16 MiB", 1, |_| write_file(16 << 20, false)),
    bench("seq_write_sync", "sequential write of 1 MiB and fsync", 1, |_| write_file(1 << 20, true)),
    bench("seq_read_1m", "sequential read of 1 MiB", 1, |_| read_file(1 << 20)),
    bench("seq_read_16m", "sequential read of 16 MiB", 1, |_| read_file(16 << 20)),
    bench("conductor_run", "conductor run of true", 1, |_| conductor(&["run", "--rm", "sample", "true"])),
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
            for _ in 0..BATCHES {
                best = best.min((bench.batch)(bench.count).about(bench.name)?);
            }
            writeln!(out, "{}\t{:.0}", bench.name, best.as_nanos() as f64 / f64::from(bench.count))?;
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

fn wait(child: Pid) -> io::Result<()> {
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

/// Touches new memory, a page at a time; the time of taking and returning it is part of each page's.
fn faults(count: u32) -> io::Result<Duration> {
    const PAGE: usize = 4096;
    let start = Instant::now();
    let mut memory = vec![0_u8; count as usize * PAGE];
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    drop(std::hint::black_box(memory));
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

fn write_chunks(file: &mut File, bytes: usize) -> io::Result<()> {
    let chunk = vec![0x5a; CHUNK];
    (0..bytes / CHUNK).try_for_each(|_| file.write_all(&chunk))
}

fn write_file(bytes: usize, sync: bool) -> io::Result<Duration> {
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

fn read_file(bytes: usize) -> io::Result<Duration> {
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

/// `exec` in a container that lives for the batch.
fn conductor_exec(count: u32) -> io::Result<Duration> {
    let name = format!("bench{}", std::process::id());
    conductor(&["run", "-d", "--rm", "--name", &name, "sample", "container_init"])?;
    let result = (0..count).try_fold(Duration::ZERO, |sum, _| Ok(sum + conductor(&["exec", &name, "--", "true"])?));
    // A failure of the measurement says more than one of the cleaning up.
    let stopped = conductor(&["stop", &name]);
    result.and_then(|time| stopped.map(|_| time))
}
