//! [`RunQueue`]: the threads that wait for one CPU, the one that has had the least (weighted) time first.
//!
//! Virtual run time is nanoseconds scaled by the weight of the thread's niceness (sched(7)). The queue's clock goes on as those do who have had
//! the least, and by itself while the CPU rests. A thread that comes from a sleep is placed no further back than [`BONUS`] before it: it
//! goes early, but brings no credit. What it had too much of before its sleep it owes afterwards, less what the clock has gone on meanwhile.
//! Plain data; the CPU's lock guards it.

use super::super::Task;
use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Ordering;

/// How far before the queue's clock a woken thread may be placed, in ns.
const BONUS: i64 = 3_000_000;

/// The most that a thread has to wait for having had more than its share before, in ns of virtual time.
const DEBT: i64 = 10_000_000_000;

/// The weight of niceness 0.
const NORMAL_WEIGHT: u64 = 1024;

/// Linux's weights for niceness -20 to 19: each step is about 10 % of CPU.
const WEIGHTS: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501,
    1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];

/// Scales `ns` of run time to virtual time for a niceness.
pub fn scaled(ns: u64, nice: i8) -> u64 {
    let weight = WEIGHTS[(i32::from(nice) + 20).clamp(0, 39) as usize];
    if weight == NORMAL_WEIGHT { ns } else { ns.saturating_mul(NORMAL_WEIGHT) / weight }
}

struct Node {
    vruntime: u64,
    sequence: u64,
    /// When it came into this queue.
    since: u64,
    task: Arc<Task>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    // Reversed: the heap's greatest is the one to run first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.vruntime, other.sequence).cmp(&(self.vruntime, self.sequence))
    }
}

/// Threads that a queue always keeps room for: what a crowd of them took beyond that, it gives back.
const ROOM: usize = 64;

/// The threads that wait for one CPU.
pub struct RunQueue {
    heap: BinaryHeap<Node>,
    /// The queue's clock: the virtual time up to which all had their share. Never goes back.
    clock: u64,
    /// Up to when the clock has been set while the CPU rests; `None` while it has something to run.
    resting: Option<u64>,
    sequence: u64,
}

impl RunQueue {
    /// An empty queue.
    pub const fn new() -> RunQueue {
        RunQueue { heap: BinaryHeap::new(), clock: 0, resting: None, sequence: 0 }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether somebody has waited here since `before` or longer.
    pub fn has_waited(&self, before: u64) -> bool {
        self.heap.iter().any(|node| node.since <= before)
    }

    /// The queue's clock.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// The CPU has nothing to run from `now` on; false if somebody waits.
    pub fn rest(&mut self, now: u64) -> bool {
        if self.heap.is_empty() {
            self.resting.get_or_insert(now);
        }
        self.heap.is_empty()
    }

    /// Sets the clock as of `now`, when the thread that runs, if any, has reached `running`: nothing ticks, so whoever asks or joins does this first.
    pub fn keep_time(&mut self, now: u64, running: Option<u64>) {
        if let Some(since) = &mut self.resting {
            self.clock += now.saturating_sub(*since);
            *since = now;
        }
        if let Some(vruntime) = running {
            self.advance(vruntime);
        }
    }

    /// Moves the clock on to what the running thread has reached.
    pub fn advance(&mut self, vruntime: u64) {
        let first = self.heap.peek().map_or(vruntime, |node| node.vruntime.min(vruntime));
        self.clock = self.clock.max(first);
    }

    /// Where a thread belongs that comes from elsewhere, `lead` before (or behind) the clock of the queue it was in last.
    pub fn place(&self, lead: i64) -> u64 {
        self.clock.saturating_add_signed(lead.clamp(-BONUS, DEBT))
    }

    /// How far `vruntime` is before the clock.
    pub fn lead(&self, vruntime: u64) -> i64 {
        vruntime.wrapping_sub(self.clock) as i64
    }

    /// Adds a thread that is at `vruntime`.
    pub fn push(&mut self, task: Arc<Task>, vruntime: u64, now: u64) {
        self.resting = None;
        self.sequence += 1;
        self.heap.push(Node { vruntime, sequence: self.sequence, since: now, task });
    }

    /// Where a thread belongs that comes from elsewhere to run at once, as [`RunQueue::place`].
    pub fn place_to_run(&mut self, lead: i64, now: u64) -> u64 {
        self.keep_time(now, None);
        self.resting = None;
        self.place(lead)
    }

    /// Takes the thread to run next.
    pub fn pop(&mut self) -> Option<Arc<Task>> {
        let node = self.heap.pop()?;
        if self.heap.capacity() > ROOM && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(ROOM.max(2 * self.heap.len()));
        }
        self.clock = self.clock.max(node.vruntime);
        Some(node.task)
    }

    /// Takes, for another CPU, the first thread that has waited since `before` or longer and that `may_move` accepts; with its
    /// lead over the clock.
    pub fn steal(&mut self, before: u64, may_move: impl Fn(&Task) -> bool) -> Option<(Arc<Task>, i64)> {
        let mut kept = BinaryHeap::new();
        let mut found = None;
        while let Some(node) = self.heap.pop() {
            if node.since <= before && may_move(&node.task) {
                found = Some((self.lead(node.vruntime), node.task));
                break;
            }
            kept.push(node);
        }
        self.heap.append(&mut kept);
        found.map(|(lead, task)| (task, lead))
    }
}

#[cfg(test)]
mod tests {
    use super::{RunQueue, scaled};

    #[test]
    fn niceness_scales_time() {
        assert_eq!(scaled(1000, 0), 1000);
        assert!(scaled(1000, 19) > 50_000);
        assert!(scaled(1000, -20) < 20);
    }

    #[test]
    fn a_sleeper_brings_no_credit() {
        let mut queue = RunQueue::new();
        queue.advance(1_000_000_000);
        assert_eq!(queue.clock(), 1_000_000_000);
        assert!(queue.place(-1_000_000_000) > 900_000_000);
        assert_eq!(queue.place(queue.lead(1_000_000_007)), 1_000_000_007);
        queue.advance(5);
        assert_eq!(queue.clock(), 1_000_000_000);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_debt_is_paid_by_sleeping_while_others_run_or_nobody_does() {
        let mut queue = RunQueue::new();
        queue.advance(1_000_000_000);
        let owes = 1_500_000_000;
        assert_eq!(queue.lead(owes), 500_000_000);
        // Somebody runs, and nothing switches.
        queue.keep_time(7, Some(1_200_000_000));
        assert_eq!(queue.lead(owes), 300_000_000);
        assert!(queue.rest(1000), "nobody waits");
        assert!(queue.rest(2000), "nobody waits");
        queue.keep_time(100_001_000, None);
        queue.keep_time(200_001_000, None);
        assert_eq!(queue.lead(owes), 100_000_000);
        assert_eq!(queue.place_to_run(0, 300_001_000), 1_500_000_000);
        queue.keep_time(900_001_000, None);
        assert_eq!(queue.clock(), 1_500_000_000, "the rest is over");
    }

    #[test]
    fn who_comes_meets_the_one_that_has_long_run_as_an_equal() {
        let mut queue = RunQueue::new();
        // Alone for two seconds, without a switch that would have set the clock.
        queue.keep_time(2_000_000_000, Some(2_000_000_000));
        assert!(queue.place(-5_000_000_000) > 1_900_000_000);
    }
}
