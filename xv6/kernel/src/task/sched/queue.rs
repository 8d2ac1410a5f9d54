//! [`RunQueue`]: the threads that wait for one CPU, the one that has had the least (weighted) time first.
//!
//! Virtual run time is nanoseconds scaled by the weight of the thread's niceness (sched(7)). A thread that comes from a sleep is
//! placed no further back than [`BONUS`] before the queue's own clock: it goes early, but brings no credit from its sleep. What it had too much of
//! before its sleep it still owes afterwards.
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
    sequence: u64,
}

impl RunQueue {
    /// An empty queue.
    pub const fn new() -> RunQueue {
        RunQueue { heap: BinaryHeap::new(), clock: 0, sequence: 0 }
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
        self.sequence += 1;
        self.heap.push(Node { vruntime, sequence: self.sequence, since: now, task });
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
}
