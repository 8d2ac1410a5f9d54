//! futex(2) and what threads stand on: waiting, waking, requeueing, robust lists, the word cleared at a thread's end.

use libc::{
    FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
    MAP_ANONYMOUS, MAP_SHARED, PROT_READ, PROT_WRITE, SIGUSR1,
};
use user::raw::expendable::{catch, load, store};

use crate::child::{end, reap, spawn, until, until_asleep};
use crate::runner::{Area, plain};
use crate::sys::{Answer, Errno, Fd, kill, memory, mmap, must, sys};

pub const AREA: Area = Area {
    name: "futex",
    checks: &[
        plain("value_differs", |t| {
            let word = memory(1);
            t.put(sys!(SYS_futex, word, FUTEX_WAIT, 1, 0));
            t.put(sys!(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, 0));
        }),
        plain("times_out", |t| {
            let word = memory(1);
            t.put(sys!(SYS_futex, word, FUTEX_WAIT, 0, &[0i64, 1_000_000]));
            t.put(sys!(SYS_futex, word, FUTEX_WAIT_BITSET, 0, &[1i64, 0], 0, -1));
            t.put(sys!(SYS_futex, word, FUTEX_WAIT_BITSET | libc::FUTEX_CLOCK_REALTIME, 0, &[1i64, 0], 0, -1));
        }),
        plain("refused", |t| {
            let word = memory(1);
            t.put([
                sys!(SYS_futex, word + 1, FUTEX_WAIT, 0, 0),
                sys!(SYS_futex, 8, FUTEX_WAIT, 0, 0),
                sys!(SYS_futex, word, 99, 0, 0),
                sys!(SYS_futex, word, FUTEX_WAIT, 0, &[0i64, -1]),
            ]);
            t.put([
                sys!(SYS_futex, word, FUTEX_WAIT_BITSET, 0, 0, 0, 0),
                sys!(SYS_futex, word, FUTEX_WAKE_BITSET, 1, 0, 0, 0),
                sys!(SYS_futex, word, FUTEX_WAIT, 0, 8),
            ]);
            t.put([
                sys!(SYS_futex, word + 2, FUTEX_WAKE, 1),
                sys!(SYS_futex, word, FUTEX_WAKE, 1),
                sys!(SYS_futex, word, FUTEX_WAKE | libc::FUTEX_CLOCK_REALTIME, 1),
            ]);
        }),
        plain("wake_across_processes", |t| {
            let word = shared();
            let children = [waiter(word, -1), waiter(word, -1)];
            children.into_iter().for_each(until_asleep);
            t.put([wake(word, 1), wake(word, 10), wake(word, 10)]);
            t.put(children.map(reap));
        }),
        plain("private_does_not_cross", |t| {
            let word = shared();
            let child = waiter(word, -1);
            until_asleep(child);
            t.put(sys!(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1));
            t.put(wake(word, 1));
            t.put(reap(child));
        }),
        plain("anonymous_private_memory_does_not_cross", |t| {
            let word = memory(1);
            store(word, 0);
            let child = waiter(word, -1);
            until_asleep(child);
            t.put(wake(word, 1));
            end(child);
        }),
        plain("bitset", |t| {
            let word = shared();
            let child = waiter(word, 0b10);
            until_asleep(child);
            t.put([
                sys!(SYS_futex, word, FUTEX_WAKE_BITSET, 1, 0, 0, 0b01),
                sys!(SYS_futex, word, FUTEX_WAKE_BITSET, 1, 0, 0, 0b11),
            ]);
            t.put(reap(child));
        }),
        plain("interrupted", |t| {
            let word = shared();
            let child = spawn(|| {
                must(catch(SIGUSR1, 0, 0).map_err(Errno));
                i32::from(sys!(SYS_futex, word, FUTEX_WAIT, 0, 0) == Err(Errno(libc::EINTR)))
            });
            until_asleep(child);
            must(kill(child, SIGUSR1));
            t.put(reap(child));
        }),
        plain("requeue", |t| {
            let word = shared();
            let children = [waiter(word, -1), waiter(word, -1), waiter(word, -1)];
            children.into_iter().for_each(until_asleep);
            t.is("differs", sys!(SYS_futex, word, FUTEX_CMP_REQUEUE, 1, 10, word + 8, 5));
            t.put(sys!(SYS_futex, word, FUTEX_CMP_REQUEUE, 1, 10, word + 8, 0));
            t.put([wake(word, 10), wake(word + 8, 10)]);
            t.put(children.map(reap));
            t.is("negative", sys!(SYS_futex, word, FUTEX_CMP_REQUEUE, -1, 10, word + 8, 0));
        }),
        plain("wake_op", |t| {
            let word = shared();
            // Add 3 to the second word; wake there if it was 0.
            let operation = 1u32 << 28 | 3 << 12;
            let child = waiter(word + 8, -1);
            until_asleep(child);
            let woken = sys!(SYS_futex, word, FUTEX_WAKE_OP, 1, 1, word + 8, operation);
            t.put(woken);
            t.put(load(word + 8));
            if woken.is_err() {
                must(wake(word + 8, 1));
            }
            t.put(reap(child));
        }),
        plain("file_mappings_meet", |t| {
            crate::sys::file(c"f", &"\0".repeat(4096));
            let map =
                || must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED, must(crate::sys::open(c"f", libc::O_RDWR)), 0));
            let (one, other) = (map(), map());
            let child = waiter(one, -1);
            until_asleep(child);
            t.put(wake(other, 1));
            t.put(reap(child));
        }),
        plain("cleared_at_the_end_of_a_thread", |t| {
            let word = shared();
            store(word, 1);
            let child = spawn(|| {
                must(sys!(SYS_set_tid_address, word));
                0
            });
            // Nobody else has this memory's address space: the word is left alone at a process's end.
            must(reap(child));
            t.put(load(word));
        }),
        plain("thread_join", |t| {
            let thread = std::thread::spawn(|| 5);
            t.put(thread.join().unwrap_or(0));
            until("one thread", || std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1));
        }),
        plain("robust_list", |t| {
            let word = shared();
            let child = spawn(|| {
                // A list of one entry at word + 16, whose futex is 8 bytes after it.
                let head = word + 32;
                let tid = must(sys!(SYS_gettid)) as u32;
                put(word + 16, head as u64);
                put(word + 24, tid.into());
                put(head, (word + 16) as u64);
                put(head + 8, 8);
                put(head + 16, 0);
                must(sys!(SYS_set_robust_list, head, 24));
                0
            });
            must(reap(child));
            let mark: u32 = (0..4).map(|i| u32::from(load(word + 24 + i)) << (8 * i)).sum();
            t.put(crate::line::Hex((mark & 0xc000_0000).into()));
            t.put(mark & 0x3fff_ffff);
        }),
        plain("robust_list_refused", |t| {
            t.put([
                sys!(SYS_set_robust_list, memory(1), 25),
                sys!(SYS_get_robust_list, 1 << 22, &mut [0u64], &mut [0u64]),
                sys!(SYS_get_robust_list, 0, 8, 8),
            ]);
            let (mut head, mut length) = ([0usize], [0usize]);
            let list = memory(1);
            must(sys!(SYS_set_robust_list, list, 24));
            t.put(sys!(SYS_get_robust_list, 0, &mut head, &mut length));
            t.put([usize::from(head[0] == list), length[0]]);
        }),
        plain("unmapped_while_nobody_waits", |t| {
            let word = memory(1);
            must(sys!(SYS_munmap, word, 4096));
            t.put([sys!(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1), sys!(SYS_futex, word, FUTEX_WAIT, 0, 0)]);
        }),
        plain("membarrier", |t| {
            t.put([
                sys!(SYS_membarrier, 0, 0, 0).map(|commands| commands & 1),
                sys!(SYS_membarrier, 0, 1, 0),
                sys!(SYS_membarrier, 1 << 20, 0, 0),
            ]);
        }),
    ],
};

fn shared() -> usize {
    must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, Fd(-1), 0))
}

/// A child that waits for `word`, which is 0, with these bits.
fn waiter(word: usize, bits: i32) -> i32 {
    spawn(|| sys!(SYS_futex, word, FUTEX_WAIT_BITSET, 0, 0, 0, bits).map_or_else(|errno| errno.0, |value| value as i32))
}

fn wake(word: usize, count: i32) -> Answer {
    sys!(SYS_futex, word, FUTEX_WAKE, count)
}

fn put(address: usize, value: u64) {
    for (i, byte) in value.to_ne_bytes().into_iter().enumerate() {
        store(address + i, byte);
    }
}
