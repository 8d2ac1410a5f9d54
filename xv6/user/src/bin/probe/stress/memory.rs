//! Memory that threads share while it changes: pages that are replaced, protected, given back or copied on write must be gone from every CPU's TLB
//! when the call returns.
//!
//! Each round lives in a process of its own that makes bare calls (`user::raw::expendable`): one thread changes the pages, others use them
//! all the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{End, Worker, expect, thread};
use libc::{MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use user::raw::expendable::{call, load, sacrifice, store};
use user::{About, Failure};

const PAGE: usize = 4096;
/// Pages of the memory: few, and more than are forgotten one by one.
const SIZES: [usize; 2] = [4, 32];
/// How often they change in a round at most, and threads that use them meanwhile.
const CHANGES: u64 = 20;
const USERS: usize = 3;
/// No change begins so long after the first: each needs all CPUs, which a crowded host runs one after the other.
const LIMIT: Duration = Duration::from_millis(200);

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let (seed, pages) = (worker.dice.roll(), SIZES[worker.dice.below(SIZES.len())]);
    let mut life = || {
        let result = if seed % 2 == 0 { replaced(seed, pages) } else { copied(seed, pages) };
        if let Err(failure) = result {
            super::tell(&failure);
            std::process::exit(i32::from(super::FAILED));
        }
    };
    expect(sacrifice(&mut life).about("fork")?, End::Status(0))
}

/// A bare call that should succeed.
fn must(name: &str, number: i64, arguments: [usize; 6]) -> Result<usize, Failure> {
    call(number, arguments).map_err(std::io::Error::from_raw_os_error).about(name)
}

/// Fresh memory, at `at` if that is not 0.
fn map(at: usize, pages: usize) -> Result<usize, Failure> {
    let fixed = if at == 0 { 0 } else { MAP_FIXED };
    let (access, flags) = ((PROT_READ | PROT_WRITE) as usize, (MAP_PRIVATE | MAP_ANONYMOUS | fixed) as usize);
    must("mmap", libc::SYS_mmap, [at, pages * PAGE, access, flags, usize::MAX, 0])
}

/// What threads find at `base`, as long as `epoch` is not [`END`]: with each epoch all pages get its number. Odd epochs: about to change. Who
/// `rests` gives the CPU to others now and then; who does not keeps what its CPU knows of the pages.
fn watch(base: usize, pages: usize, epoch: &AtomicU64, start: usize, rests: bool) -> Result<(), Failure> {
    let mut page = start;
    loop {
        page = (page + 1) % pages;
        if rests && page == 0 {
            rustix::thread::sched_yield();
        }
        let before = epoch.load(Ordering::SeqCst);
        if before == END {
            return Ok(());
        }
        if before % 2 == 1 {
            std::hint::spin_loop();
            continue;
        }
        let found = load(base + page * PAGE);
        let after = epoch.load(Ordering::SeqCst);
        if before == after && found != (before / 2) as u8 {
            return Err(Failure::new(format!("page {page} held {found} in epoch {}", before / 2)));
        }
    }
}

const END: u64 = u64::MAX;

/// Replaces the pages in all ways that leave no hole, with others reading: nobody sees old ones once the new ones are there.
fn replaced(seed: u64, pages: usize) -> Result<(), Failure> {
    let base = map(0, pages)?;
    let epoch = AtomicU64::new(0);
    let change = |number: u64| -> Result<(), Failure> {
        let (length, both) = (pages * PAGE, (PROT_READ | PROT_WRITE) as usize);
        match (seed >> (number % 32)) % 4 {
            0 => drop(map(base, pages)?),
            1 => drop(must("madvise", libc::SYS_madvise, [base, length, MADV_DONTNEED as usize, 0, 0, 0])?),
            2 => {
                // Not to be written for a moment; it keeps what it holds.
                must("mprotect", libc::SYS_mprotect, [base, length, PROT_READ as usize, 0, 0, 0])?;
                must("mprotect", libc::SYS_mprotect, [base, length, both, 0, 0, 0])?;
                return Ok(());
            }
            _ => {
                let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
                must("mremap", libc::SYS_mremap, [map(0, pages)?, length, length, flags, base, 0])?;
            }
        }
        for page in 0..pages {
            let found = load(base + page * PAGE);
            super::ensure(found == 0, || format!("new page {page} holds {found}"))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let watchers: Vec<_> = (0..USERS)
            .map(|start| {
                thread(scope, {
                    let epoch = &epoch;
                    move || watch(base, pages, epoch, start, seed & 2 == 0)
                })
            })
            .collect();
        let mut result = Ok(());
        let start = Instant::now();
        for number in (1..=CHANGES).take_while(|_| start.elapsed() < LIMIT) {
            // Readers look on while it changes, but believe nothing until the new numbers are there.
            epoch.fetch_add(1, Ordering::SeqCst);
            result = change(number);
            if result.is_err() {
                break;
            }
            (0..pages).for_each(|page| store(base + page * PAGE, number as u8));
            epoch.fetch_add(1, Ordering::SeqCst);
            rustix::thread::sched_yield();
        }
        epoch.store(END, Ordering::SeqCst);
        let watched = watchers
            .into_iter()
            .map(|watcher| watcher.join().unwrap_or_else(|_| Err(Failure::new("a thread panicked"))));
        watched.fold(result, Result::and)
    })
}

/// Forks while others write: each finds what it wrote, and in the child's copy nothing changes any more.
fn copied(seed: u64, pages: usize) -> Result<(), Failure> {
    let base = map(0, pages)?;
    let end = AtomicU64::new(0);
    let write = |user: usize| -> Result<(), Failure> {
        let mut number = 0_u8;
        while end.load(Ordering::SeqCst) == 0 {
            number = number.wrapping_add(1);
            for page in 0..pages {
                store(base + page * PAGE + user, number);
            }
            for page in 0..pages {
                let found = load(base + page * PAGE + user);
                super::ensure(found == number, || format!("wrote {number}, found {found}"))?;
            }
            rustix::thread::sched_yield();
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..USERS).map(|user| thread(scope, move || write(user))).collect();
        let mut result = Ok(());
        let start = Instant::now();
        for _ in (0..1 + seed % CHANGES).take_while(|_| start.elapsed() < LIMIT) {
            result = result.and_then(|()| one_copy(base, pages));
        }
        end.store(1, Ordering::SeqCst);
        let wrote =
            writers.into_iter().map(|writer| writer.join().unwrap_or_else(|_| Err(Failure::new("a thread panicked"))));
        wrote.fold(result, Result::and)
    })
}

/// A child that makes bare calls alone, since other threads may have held any lock at the fork: it looks twice.
fn one_copy(base: usize, pages: usize) -> Result<(), Failure> {
    let child = must("fork", libc::SYS_fork, [0; 6])?;
    if child == 0 {
        let sum = || {
            let places = (0..pages).flat_map(|page| (0..USERS).map(move |user| base + page * PAGE + user));
            places.fold(0_u64, |sum, place| sum.wrapping_mul(31).wrapping_add(u64::from(load(place))))
        };
        let first = sum();
        let mut same = true;
        for _ in 0..4 {
            let _ = call(libc::SYS_sched_yield, [0; 6]);
            same &= sum() == first;
        }
        loop {
            let _ = call(libc::SYS_exit_group, [usize::from(!same), 0, 0, 0, 0, 0]);
        }
    }
    let child = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
    expect(child.ok_or_else(|| Failure::new("fork: no pid"))?, End::Status(0))
}
