//! Uses resources up: tasks, memory, disk, processor. Limits are tested with these.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::errno;
use rustix::process::{Signal, WaitOptions};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// Forks waiting children until it fails or there are `most` tasks; prints how many tasks there were, this one included, and the
/// errno; then ends the children.
pub fn forks(most: u64, out: &mut Out) -> Result<u8, Failure> {
    let (gate, opener) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).about("pipe")?;
    let mut children = Vec::new();
    let mut end = "ok".to_owned();
    while (children.len() as u64) + 1 < most {
        match fork() {
            Ok(Forked::Child) => {
                drop(opener);
                // Until the parent kills it or ends.
                let _ = rustix::io::read(&gate, &mut [0; 1]);
                std::process::exit(0);
            }
            Ok(Forked::Parent(child)) => children.push(child),
            Err(error) => {
                end = errno::name(&error);
                break;
            }
        }
    }
    writeln!(out, "{}\t{end}", children.len() + 1)?;
    for child in &children {
        rustix::process::kill_process(*child, Signal::KILL).about("kill")?;
    }
    for child in children {
        rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
    }
    Ok(0)
}

/// Takes and touches memory, a MiB at a time; then, with `hold`, keeps it until a signal ends the process.
pub fn memory(bytes: u64, hold: bool, out: &mut Out) -> Result<u8, Failure> {
    const STEP: u64 = 1 << 20;
    let mut kept = Vec::new();
    let mut taken = 0;
    while taken < bytes {
        let step = usize::try_from(STEP.min(bytes - taken)).unwrap_or(usize::MAX);
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(step).is_err() {
            writeln!(out, "mem {taken}\tENOMEM")?;
            return Ok(1);
        }
        block.resize(step, 1);
        kept.push(std::hint::black_box(block));
        taken += step as u64;
    }
    writeln!(out, "mem {taken}\tok")?;
    out.flush()?;
    if hold {
        loop {
            std::thread::park();
        }
    }
    drop(kept);
    Ok(0)
}

/// Writes to `path` until that fails; prints the bytes written and the errno.
pub fn fill(path: &str, remove: bool, out: &mut Out) -> Result<u8, Failure> {
    let mut file = File::create(path).about(path)?;
    let block = vec![0x5a; 1 << 16];
    let mut written = 0_u64;
    let error = loop {
        match file.write(&block) {
            Ok(count) => written += count as u64,
            Err(error) => break error,
        }
    };
    drop(file);
    writeln!(out, "fill {written}\t{}", errno::name(&error))?;
    if remove {
        std::fs::remove_file(path).about(path)?;
    }
    Ok(0)
}

/// Uses a processor up, for ever or for some seconds.
pub fn spin(seconds: Option<u64>) -> Result<u8, Failure> {
    let start = Instant::now();
    let limit = seconds.map(Duration::from_secs);
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
        if turns.is_multiple_of(1 << 16) && limit.is_some_and(|limit| start.elapsed() >= limit) {
            return Ok(0);
        }
    }
}

/// Starts `count` threads that all live at once and count under one lock; prints the sum, or how far it came.
pub fn threads(count: u64, out: &mut Out) -> Result<u8, Failure> {
    const TURNS: u64 = 1000;
    let started = Arc::new((Mutex::new(false), Condvar::new()));
    let sum = Arc::new(AtomicU64::new(0));
    let mut handles = Vec::new();
    let mut failure = None;
    for _ in 0..count {
        let (start, total) = (Arc::clone(&started), Arc::clone(&sum));
        let made = std::thread::Builder::new().stack_size(1 << 16).spawn(move || {
            let (open, changed) = &*start;
            let Ok(mut go) = open.lock() else { return };
            while !*go {
                match changed.wait(go) {
                    Ok(again) => go = again,
                    Err(_) => return,
                }
            }
            drop(go);
            for _ in 0..TURNS {
                total.fetch_add(1, Ordering::Relaxed);
            }
        });
        match made {
            Ok(handle) => handles.push(handle),
            Err(error) => {
                failure = Some(errno::name(&error));
                break;
            }
        }
    }
    let alive = handles.len();
    if let Ok(mut go) = started.0.lock() {
        *go = true;
        started.1.notify_all();
    }
    for handle in handles {
        handle.join().map_err(|_| Failure::new("a thread panicked"))?;
    }
    if let Some(why) = failure {
        writeln!(out, "threads {alive}\t{why}")?;
        return Ok(1);
    }
    let whole = sum.load(Ordering::Relaxed) == count * TURNS;
    writeln!(out, "threads {alive}\t{}", if whole { "ok" } else { "counts lost" })?;
    Ok(u8::from(!whole))
}

/// Reads one byte in each 2 MiB of `bytes` of fresh memory: zeros take no room, but each needs a page table of its own.
pub fn tables(bytes: u64, out: &mut Out) -> Result<u8, Failure> {
    const SPAN: u64 = 2 << 20;
    // No larger than what any machine would map at once.
    const BLOCK: u64 = 32 << 20;
    let mut kept = Vec::new();
    let mut sum = 0_u64;
    for _ in 0..bytes / BLOCK {
        // Fresh zeros: no page is touched before it is read.
        let block = vec![0_u8; usize::try_from(BLOCK).unwrap_or(usize::MAX)];
        let read = block.iter().step_by(usize::try_from(SPAN).unwrap_or(usize::MAX));
        sum += read.map(|byte| u64::from(std::hint::black_box(*byte))).sum::<u64>();
        kept.push(block);
    }
    writeln!(out, "tables {}\t{}", kept.len() as u64 * (BLOCK / SPAN), if sum == 0 { "ok" } else { "not zero" })?;
    Ok(0)
}
