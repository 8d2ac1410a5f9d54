//! Hogs: each kind takes memory of another sort until it has had what was asked for, is refused, or is ended. `load::memory` takes the plain sort.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Barrier};
use std::thread::Builder;

use libc::{MAP_ANONYMOUS, MAP_SHARED, PROT_READ, PROT_WRITE, SYS_mmap};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{WaitOptions, waitpid};
use user::raw::expendable::{call, sacrifice, store};
use user::{About, Failure, Out};

use super::errno;

const PAGE: usize = 4096;
/// Bytes of stack that each thread uses.
const STACK: usize = 1 << 20;

/// Takes `bytes` of a kind; prints `KIND<TAB>BYTES<TAB>ok` or the refusal. Who is ended by a signal has its status. `None`: no such kind.
pub fn run(kind: &str, bytes: usize, path: Option<&str>, out: &mut Out) -> Option<Result<u8, Failure>> {
    let taken = match (kind, path) {
        ("shared", None) => touched(bytes, MAP_SHARED | MAP_ANONYMOUS, None),
        ("mapped", Some(path)) => dirtied(path, bytes),
        ("memfd", None) => memfd(bytes),
        ("stacks", None) => stacks(bytes),
        _ => return None,
    };
    Some(taken.and_then(|end| match end {
        End::Taken(bytes, how) => writeln!(out, "{kind}\t{bytes}\t{how}").map(|()| 0).map_err(Failure::from),
        End::Signal(number) => Ok(128 + number as u8),
    }))
}

/// How it ended.
enum End {
    /// So many bytes were taken, then it was refused or had enough.
    Taken(usize, String),
    /// A signal ended it.
    Signal(i32),
}

/// Maps memory and stores to each page, in a process that exists for that.
fn touched(bytes: usize, flags: i32, file: Option<&File>) -> Result<End, Failure> {
    let descriptor = file.map_or(usize::MAX, |file| file.as_raw_fd() as usize);
    let arguments = [0, bytes, (PROT_READ | PROT_WRITE) as usize, flags as usize, descriptor, 0];
    let child = sacrifice(&mut || match call(SYS_mmap, arguments) {
        Ok(start) => (start..start + bytes).step_by(PAGE).for_each(|page| store(page, 1)),
        Err(_) => std::process::exit(1),
    })
    .about("fork")?;
    let (_, status) =
        waitpid(Some(child), WaitOptions::empty()).about("wait")?.unwrap_or_else(|| unreachable!("it was waited for"));
    Ok(match status.terminating_signal() {
        Some(signal) => End::Signal(signal),
        None if status.exit_status() == Some(0) => End::Taken(bytes, "ok".to_owned()),
        None => End::Taken(0, "not mapped".to_owned()),
    })
}

/// A file's pages, all dirty through a mapping: no write(2) is there to slow down.
fn dirtied(path: &str, bytes: usize) -> Result<End, Failure> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).about(path)?;
    file.set_len(bytes as u64).about(path)?;
    touched(bytes, MAP_SHARED, Some(&file))
}

/// A file without a name, that nobody maps.
fn memfd(bytes: usize) -> Result<End, Failure> {
    let mut file = File::from(memfd_create("hog", MemfdFlags::CLOEXEC).about("memfd_create")?);
    let block = vec![1; 1 << 16];
    let mut taken = 0;
    while taken < bytes {
        match file.write(&block) {
            Ok(count) => taken += count,
            Err(error) => return Ok(End::Taken(taken, errno::name(&error))),
        }
    }
    Ok(End::Taken(taken, "ok".to_owned()))
}

/// Threads that use their stacks, all at once.
fn stacks(bytes: usize) -> Result<End, Failure> {
    let count = bytes / STACK;
    let all_there = Arc::new(Barrier::new(count));
    let threads = (0..count).map(|_| {
        let all_there = Arc::clone(&all_there);
        Builder::new().stack_size(STACK + (1 << 16)).spawn(move || {
            std::hint::black_box([1_u8; STACK]);
            all_there.wait();
        })
    });
    for thread in threads.collect::<Result<Vec<_>, _>>().about("a thread")? {
        thread.join().map_err(|_| Failure::new("a thread panicked"))?;
    }
    Ok(End::Taken(bytes, "ok".to_owned()))
}
