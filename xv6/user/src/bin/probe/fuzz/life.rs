//! A life: a process that makes wild calls until it has made its share, or until one of them ends it. Half of them have a companion, a
//! thread that shares memory and descriptors and makes calls of its own meanwhile.
//!
//! Key types: [`Life`]; [`Board`] and [`Trail`], memory shared with those who watch: how often each call was made, and the last ones made.

use std::array;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use user::raw::expendable::{self, SHARED_WORDS, SharedWords, WildCall};

use super::arguments::{ARENA_PAGES, Maker, PAGE, SCRATCH, Taste};
use super::calls::AREAS;
use super::dice::Dice;
use super::exceptions::is_exception;

/// Calls that a life makes at most; its companion makes as many.
const CALLS: u64 = 500;

/// How often each call was made, and with success. Shared by all processes of the fuzzer.
#[derive(Clone, Copy)]
pub struct Board {
    /// By number; calls without a row are under 511.
    pub made: SharedWords,
    /// By number.
    pub succeeded: SharedWords,
    /// By number: lives that had to be killed in this call.
    pub stuck: SharedWords,
}

/// Where a number stands in a [`Board`].
pub fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(SHARED_WORDS - 1)
}

/// Calls that a trail remembers of each of two threads.
const REMEMBERED: usize = 16;
/// Words of one of them: its index, its number, its arguments.
const CALL_WORDS: usize = 8;
/// Where the calls begin; the word before counts them.
const FIRST: usize = 8;

/// What a life did last, for whoever watches it.
#[derive(Clone, Copy)]
pub struct Trail(pub SharedWords);

impl Trail {
    /// Forgets everything.
    pub fn clear(self) {
        self.0.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// How many calls were begun.
    pub fn begun(self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    fn note(self, thread: usize, index: u64, (number, args): &WildCall) {
        let at = FIRST + (thread * REMEMBERED + index as usize % REMEMBERED) * CALL_WORDS;
        let words = [index + 1, number.cast_unsigned()].into_iter().chain(args.iter().map(|&arg| arg as u64));
        for (slot, word) in self.0[at..at + CALL_WORDS].iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
        self.0[0].fetch_add(1, Ordering::Relaxed);
    }

    /// The calls that a thread (0, or 1 for the companion) made last, oldest first: the index and the call.
    pub fn last(self, thread: usize) -> Vec<(u64, WildCall)> {
        let words = &self.0[FIRST + thread * REMEMBERED * CALL_WORDS..][..REMEMBERED * CALL_WORDS];
        let value = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let mut calls: Vec<_> = words
            .chunks_exact(CALL_WORDS)
            .filter(|words| value(&words[0]) != 0)
            .map(|words| {
                (value(&words[0]), (value(&words[1]).cast_signed(), array::from_fn(|i| value(&words[2 + i]) as usize)))
            })
            .collect();
        calls.sort_unstable_by_key(|(index, _)| *index);
        calls
    }
}

/// What one life is to do.
#[derive(Clone)]
pub struct Life {
    /// What it draws its calls from.
    pub dice: Dice,
    /// Whether it has namespaces of its own.
    pub isolated: bool,
    /// Where it counts.
    pub board: Board,
    /// Where it tells what it does.
    pub trail: Trail,
}

/// What the companion does: it can be given nothing but a number.
static COMPANION: OnceLock<(Life, Taste)> = OnceLock::new();

extern "C" fn accompany(_: *mut libc::c_void) -> libc::c_int {
    if let Some((life, taste)) = COMPANION.get() {
        life.calls(1, *taste);
    }
    0
}

impl Life {
    /// Lives it, in a process that exists for it.
    pub fn live(mut self) {
        let Ok(arena) = arena(&mut self.dice) else { return };
        let area = if self.dice.one_in(2) { Some(self.dice.pick(&AREAS)) } else { None };
        let taste = Taste { arena, pid: std::process::id() as usize, area };
        if self.dice.one_in(2) {
            let companion = Life { dice: Dice::new(self.dice.roll(), 1), ..self.clone() };
            let flags = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
            if COMPANION.set((companion, taste)).is_ok() {
                // Without one it goes on alone.
                let _ = expendable::clone(flags, accompany, 0);
            }
        }
        self.calls(0, taste);
    }

    /// Makes the calls of one thread. No memory is allocated here, since two threads without a C library's knowledge do this.
    fn calls(&self, thread: usize, taste: Taste) {
        let mut scratch = [0; SCRATCH];
        let mut maker = Maker::new(self.dice.clone(), taste, &mut scratch);
        for index in 0..CALLS {
            let call = maker.call();
            if is_exception(&call, self.isolated) {
                continue;
            }
            self.trail.note(thread, index, &call);
            let (number, args) = call;
            let place = place(number);
            self.board.made[place].fetch_add(1, Ordering::Relaxed);
            if expendable::call(number, args).is_ok() {
                self.board.succeeded[place].fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Where the arena is: far from everything else, since calls write past its end.
const ARENA: usize = 0x2000_0000_0000;

/// Pages of every kind, side by side: private and shared ones, some only to read, some not there.
fn arena(dice: &mut Dice) -> io::Result<usize> {
    let call = |number: i64, args| expendable::call(number, args).map_err(io::Error::from_raw_os_error);
    let none = usize::MAX;
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED) as usize;
    let shared = (libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_FIXED) as usize;
    let base = call(libc::SYS_mmap, [ARENA, ARENA_PAGES * PAGE, 3, private, none, 0])?;
    let half = ARENA_PAGES / 2;
    call(libc::SYS_mmap, [base + half * PAGE, half / 2 * PAGE, 3, shared, none, 0])?;
    for _ in 0..4 {
        let page = base + dice.below(ARENA_PAGES) * PAGE;
        match dice.below(3) {
            0 => call(libc::SYS_munmap, [page, PAGE, 0, 0, 0, 0])?,
            protection => call(libc::SYS_mprotect, [page, PAGE, protection - 1, 0, 0, 0])?,
        };
    }
    Ok(base)
}
