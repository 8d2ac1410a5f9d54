//! Children that end in every way: by themselves, by executing a program, by a signal, alone or with threads, waited for in any order;
//! and a grandchild whose parent is gone. Each has to end as it was told to.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{End, Worker, child, ensure, pipe};
use rustix::process::{Signal, WaitOptions, kill_process, wait};
use user::raw::{Forked, fork};
use user::{About, Failure};

/// The most children at once, and threads of each.
const CHILDREN: usize = 6;
const THREADS: usize = 4;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let mut children = HashMap::new();
    for _ in 0..=worker.dice.below(CHILDREN) {
        let threads = worker.dice.below(THREADS);
        let status = worker.dice.below(100) as u8;
        let (pid, end) = match worker.dice.below(6) {
            0 => (child(|| Ok(status))?, End::Status(status)),
            1 => (child(|| Err(execute(status)))?, End::Status(status)),
            2 => (child(|| with_threads(threads, || Ok(status)))?, End::Status(status)),
            // Not the first thread executes: the others end, and it takes the first one's id.
            3 => (child(|| with_threads(threads, || another_executes(status)))?, End::Status(status)),
            4 => (child(|| with_threads(threads, spin))?, End::Killed(Signal::KILL)),
            _ => (child(|| with_threads(threads, sleep))?, End::Killed(Signal::TERM)),
        };
        children.insert(pid, end);
    }
    for (&pid, end) in &children {
        if let End::Killed(signal) = end {
            kill_process(pid, *signal).about("kill")?;
        }
    }
    let told = Command::new("sh").args(["-c", "exit 7"]).status().about("sh")?;
    ensure(told.code() == Some(7), || format!("sh ended with {told}"))?;
    while !children.is_empty() {
        let (pid, status) = wait(WaitOptions::empty()).about("wait")?.ok_or_else(|| Failure::new("wait: nothing"))?;
        let end = children.remove(&pid).ok_or_else(|| Failure::new(format!("wait: a strange child {pid}")))?;
        ensure(end.is(status), || format!("child {pid} ended with {status:?}, not {end:?}"))?;
    }
    orphan()
}

/// Becomes a shell that exits with `status`; returns only on failure.
fn execute(status: u8) -> Failure {
    Failure::new(format!("exec: {}", Command::new("sh").args(["-c", &format!("exit {status}")]).exec()))
}

/// Runs `then` beside threads that never end: one sleeps, one gives way all the time, one takes memory and gives it back.
fn with_threads(count: usize, then: impl FnOnce() -> Result<u8, Failure>) -> Result<u8, Failure> {
    for thread in 0..count {
        let life = move || {
            loop {
                match thread % 3 {
                    0 => std::thread::park(),
                    1 => rustix::thread::sched_yield(),
                    _ => drop(std::hint::black_box(vec![1_u8; 300_000])),
                }
            }
        };
        std::thread::Builder::new().stack_size(1 << 16).spawn(life).about("thread")?;
    }
    then()
}

fn another_executes(status: u8) -> Result<u8, Failure> {
    let thread = std::thread::spawn(move || execute(status));
    Err(thread.join().unwrap_or_else(|_| Failure::new("a thread panicked")))
}

fn spin() -> Result<u8, Failure> {
    loop {
        std::hint::spin_loop();
    }
}

fn sleep() -> Result<u8, Failure> {
    loop {
        std::thread::park();
    }
}

/// A grandchild lives on without its parent, and ends by itself: its one byte comes, then the pipe's end.
fn orphan() -> Result<(), Failure> {
    let (mut reader, mut writer) = pipe()?;
    let parent = child(|| {
        if let Forked::Child = fork().about("fork")? {
            rustix::thread::sched_yield();
            writer.write_all(b"o").about("pipe")?;
            std::process::exit(0);
        }
        Ok(0)
    })?;
    drop(writer);
    super::expect(parent, End::Status(0))?;
    let mut text = String::new();
    reader.read_to_string(&mut text).about("pipe")?;
    ensure(text == "o", || format!("the orphan wrote {text:?}"))
}
