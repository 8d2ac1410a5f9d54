//! Memory is each process's own: several processes that have the same addresses take turns, and each must find what it wrote there, while pages
//! come, go and are shared with forks and threads. What a CPU remembers of one address space would show in the next here.

use std::hint::black_box;
use std::io::{self, Write};

use super::bench::wait;
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// Processes that take turns.
const PROCESSES: u64 = 6;
const PAGE: usize = 4096;
/// The memory of each is a few tables of page-table entries wide, or more than a dozen.
const SIZES: [usize; 2] = [5 << 20, 28 << 20];
/// The pages used: many at the start, then some far apart.
const NEAR: usize = 48;
const FAR: usize = 16;

/// Lets the processes take turns for `rounds` rounds; status 1, with a line on standard error, if any finds what it did not write.
pub fn run(rounds: u64, out: &mut Out) -> Result<u8, Failure> {
    let mut children = Vec::new();
    for process in 1..=PROCESSES {
        match fork().about("fork")? {
            Forked::Child => {
                std::process::exit(i32::from(complain(Memory::new(process).live(rounds))));
            }
            Forked::Parent(child) => children.push(child),
        }
    }
    let mut status = 0;
    for child in children {
        status |= u8::from(wait(child).is_err());
    }
    writeln!(out, "spaces\t{}", if status == 0 { "each its own" } else { "mixed up" })?;
    Ok(status)
}

/// Says on standard error what went wrong; true if anything did.
fn complain(result: io::Result<()>) -> bool {
    if let Err(error) = &result {
        let _ = writeln!(io::stderr(), "probe: spaces: {error}");
    }
    result.is_err()
}

/// One process's memory, and what it should hold.
struct Memory {
    process: u64,
    seed: u64,
    written: u64,
    bytes: Vec<u8>,
    expected: Vec<u64>,
}

impl Memory {
    fn new(process: u64) -> Memory {
        let bytes = vec![0; SIZES[process as usize % SIZES.len()]];
        let seed = process.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Memory { process, seed, written: 0, bytes, expected: vec![0; NEAR + FAR] }
    }

    fn random(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 16) as usize % below
    }

    /// Changes something, gives way, and looks, again and again.
    fn live(&mut self, rounds: u64) -> io::Result<()> {
        for _ in 0..rounds {
            match self.random(16) {
                // More pages than are worth forgetting one by one.
                0 => (0..NEAR).for_each(|page| self.write(page)),
                // New memory, most likely where the old was.
                1 => {
                    let size = std::mem::take(&mut self.bytes).len();
                    self.bytes = vec![0; size];
                    self.expected.fill(0);
                }
                2 => self.share_with_a_fork()?,
                3 => self.share_with_a_thread()?,
                _ => {
                    for _ in 0..1 + self.random(6) {
                        let page = self.random(NEAR + FAR);
                        self.write(page);
                    }
                }
            }
            rustix::thread::sched_yield();
            match self.random(4) {
                0 => self.check()?,
                _ => {
                    let page = self.random(NEAR + FAR);
                    self.check_page(page)?;
                }
            }
        }
        self.check()
    }

    fn write(&mut self, page: usize) {
        self.written += 1;
        let value = self.process << 48 | self.written;
        self.expected[page] = value;
        let place = self.place(page);
        self.bytes[place..][..8].copy_from_slice(&value.to_le_bytes());
        black_box(&mut self.bytes);
    }

    fn check(&self) -> io::Result<()> {
        (0..NEAR + FAR).try_for_each(|page| self.check_page(page))
    }

    fn check_page(&self, page: usize) -> io::Result<()> {
        let mut word = [0; 8];
        word.copy_from_slice(&black_box(&self.bytes)[self.place(page)..][..8]);
        let (found, expected) = (u64::from_le_bytes(word), self.expected[page]);
        if found == expected {
            return Ok(());
        }
        Err(io::Error::other(format!("process {}: page {page} holds {found:#x}, not {expected:#x}", self.process)))
    }

    /// A child sees the same, and what it writes is not seen here.
    fn share_with_a_fork(&mut self) -> io::Result<()> {
        match fork()? {
            Forked::Child => {
                let seen = self.check();
                self.process += PROCESSES;
                (0..NEAR).step_by(3).for_each(|page| self.write(page));
                rustix::thread::sched_yield();
                std::process::exit(i32::from(complain(seen.and_then(|()| self.check()))));
            }
            Forked::Parent(child) => {
                self.write(1);
                let ended = wait(child);
                self.check()?;
                ended
            }
        }
    }

    /// Another thread sees the same while memory comes and goes beside it.
    fn share_with_a_thread(&mut self) -> io::Result<()> {
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| (0..8).try_for_each(|_| self.check()));
            for round in 0..8u8 {
                let block = black_box(vec![round + 1; 64 * PAGE]);
                rustix::thread::sched_yield();
                if block.chunks(PAGE).any(|page| page[0] != round + 1) {
                    return Err(io::Error::other(format!("process {}: new memory changed", self.process)));
                }
            }
            reader.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })
    }

    /// Where in the memory a page used lies.
    fn place(&self, page: usize) -> usize {
        let apart = (self.bytes.len() / PAGE - NEAR) / FAR;
        PAGE * if page < NEAR { page } else { NEAR + (page - NEAR) * apart }
    }
}
