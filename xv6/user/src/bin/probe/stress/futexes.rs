//! Futexes: threads under one mutex, a bounded queue with condition variables, barriers, and two processes that take turns by a word
//! that they share. Whatever is counted adds up, and nobody sleeps for ever.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Condvar, Mutex, PoisonError};

use super::{End, FAILED, Worker, child, ensure, expect, tell, thread};
use user::raw::expendable::{call, load, sacrifice, store};
use user::{About, Failure};

const THREADS: u64 = 5;
const TURNS: u64 = 60;
/// What the queue holds at most.
const ROOM: usize = 3;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    match worker.dice.below(4) {
        0 => expect(child(|| locked().map(|()| 0))?, End::Status(0)),
        1 => expect(child(|| queued().map(|()| 0))?, End::Status(0)),
        2 => expect(child(|| together().map(|()| 0))?, End::Status(0)),
        _ => expect(sacrifice(&mut in_turn).about("fork")?, End::Status(0)),
    }
}

/// Who has the mutex is alone, even if it gives way in between.
fn locked() -> Result<(), Failure> {
    let count = Mutex::new(0_u64);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let count = &count;
            thread(scope, move || {
                for turn in 0..TURNS {
                    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                    let before = *count;
                    if (turn + number) % 3 == 0 {
                        rustix::thread::sched_yield();
                    }
                    *count = before + 1;
                }
            });
        }
    });
    let count = *count.lock().unwrap_or_else(PoisonError::into_inner);
    ensure(count == THREADS * TURNS, || format!("{count} turns of {}", THREADS * TURNS))
}

/// What some put into a queue is what the others take out of it.
fn queued() -> Result<(), Failure> {
    let (queue, changed, sum) = (Mutex::new(VecDeque::new()), Condvar::new(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            thread(scope, || {
                for turn in 1..=TURNS {
                    let lock = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let full = |queue: &mut VecDeque<u64>| queue.len() == ROOM;
                    changed.wait_while(lock, full).unwrap_or_else(PoisonError::into_inner).push_back(turn);
                    changed.notify_all();
                }
            });
            thread(scope, || {
                for _ in 0..TURNS {
                    let lock = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let empty = |queue: &mut VecDeque<u64>| queue.is_empty();
                    let turn = changed.wait_while(lock, empty).unwrap_or_else(PoisonError::into_inner).pop_front();
                    sum.fetch_add(turn.unwrap_or(0), Ordering::Relaxed);
                    changed.notify_all();
                }
            });
        }
    });
    let (sum, expected) = (sum.load(Ordering::Relaxed), THREADS * TURNS * (TURNS + 1) / 2);
    ensure(sum == expected, || format!("{sum} of {expected} came out of the queue"))
}

/// At each barrier all have made as many steps.
fn together() -> Result<(), Failure> {
    let (barrier, steps) = (Barrier::new(THREADS as usize), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                thread(scope, || {
                    for turn in 1..=TURNS {
                        steps.fetch_add(1, Ordering::SeqCst);
                        barrier.wait();
                        let now = steps.load(Ordering::SeqCst);
                        ensure(now == turn * THREADS, || format!("{now} steps at barrier {turn}"))?;
                        barrier.wait();
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Failure::new("a thread panicked"))))
    })
}

/// Two processes wait for each other by futex(2) on memory that they share.
fn in_turn() {
    let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as usize;
    let access = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let Ok(word) = call(libc::SYS_mmap, [0, 4096, access, flags, usize::MAX, 0]) else { std::process::exit(1) };
    let take_turns = |own: u8| {
        for _ in 0..TURNS {
            while load(word) != own {
                // EAGAIN: it is our turn already.
                let _ = call(libc::SYS_futex, [word, libc::FUTEX_WAIT as usize, usize::from(1 - own), 0, 0, 0]);
            }
            store(word, 1 - own);
            let _ = call(libc::SYS_futex, [word, libc::FUTEX_WAKE as usize, 1, 0, 0, 0]);
        }
    };
    let both = || {
        let other = child(|| {
            take_turns(1);
            Ok(0)
        })?;
        take_turns(0);
        expect(other, End::Status(0))
    };
    if let Err(failure) = both() {
        tell(&failure);
        std::process::exit(i32::from(FAILED));
    }
}
