//! counts: what exists in a guest, so that before and after compare: whoever leaks is found.
//!
//! [`Counts`] reads `/proc/xv6` once everything was written and what is only cached was dropped. Every page has an owner: free, cache, heap, stacks, page
//! tables, programs; the rest is the kernel's image, and what it forgot to give back. Of objects there are no more than before, of pages and bytes
//! up to a small difference: the shell that is asked has memory of its own, the program that reads ends in between, and a table of the heap that
//! has grown gives its room back in steps.
//! [`Counts::expect_back`] waits for that: an orphan is reaped, a namespace ends, when its turn comes.

use crate::deadline::scaled;
use crate::failure::Failure;
use crate::guest::Guest;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The numbers of `/proc/xv6` that must not be more. They may be fewer: what was ending when they were counted first is gone since.
const OBJECTS: [&str; 8] = ["processes", "threads", "cgroups", "mounts", "superblocks", "inodes", "dentries", "files"];

/// Pages without an owner, and page tables, may differ by so many: they are counted one after the other, while the counting program takes some.
const PAGES: u64 = 4;

/// Programs' pages may differ by so many: the shell's own memory grows with what it does.
const ANON: u64 = 32;

/// The heap may differ by so many bytes: what the least room of the tables is that all share.
const HEAP: u64 = 8 * 1024;

/// How long what ends by itself may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many of each kind.
    pub objects: BTreeMap<String, u64>,
    /// Bytes of the heap in use.
    pub heap: u64,
    /// Where these are: objects of each size, bytes of what is larger.
    pub heap_parts: BTreeMap<String, u64>,
    /// Pages of programs' own memory.
    pub anon: u64,
    /// Pages of programs' page tables.
    pub tables: u64,
    /// Pages that are none of these, nor free, cache or the kernel's stacks with their tables: they belong to nothing.
    pub pages: u64,
}

impl Counts {
    /// Counts what is there now.
    ///
    /// # Errors
    /// As [`Guest::ok`]; `Setup` when a number is missing.
    pub fn of(guest: &mut Guest) -> Result<Self, Failure> {
        // Whose process ends meanwhile has no memory any more.
        let look =
            "sync; echo 3 > /proc/sys/vm/drop_caches; cat /proc/xv6 /proc/[0-9]*/smaps_rollup 2> /dev/null; true";
        let text = guest.ok(look)?;
        let number = |name: &str| -> Result<u64, Failure> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|number| number.parse().ok()).ok_or_else(|| Failure::setup("/proc/xv6", format!("no {name}")))
        };
        let anonymous = |line: &str| line.strip_prefix("Anonymous:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok();
        let anon = text.lines().filter_map(anonymous).sum::<u64>() / 4;
        let mut pages = number("frames_total")? - number("frames_free")?;
        let tables = number("page_table_bytes")? / 4096;
        // Kernel stacks are as many as threads, and some that are kept for the next.
        for kind in ["page_cache_bytes", "heap_bytes", "kernel_stack_bytes", "kernel_table_bytes"] {
            pages = pages.saturating_sub(number(kind)? / 4096);
        }
        let objects = OBJECTS.map(|name| number(name).map(|count| (name.to_string(), count)));
        let heap_part = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            name.starts_with("heap_").then_some((name.to_string(), count.parse().ok()?))
        };
        Ok(Self {
            objects: objects.into_iter().collect::<Result<_, _>>()?,
            heap: number("heap_live_bytes")?,
            heap_parts: text.lines().filter_map(heap_part).collect(),
            anon,
            tables,
            pages: pages.saturating_sub(anon + tables),
        })
    }

    /// The same objects with any amount of memory: before what the first of its kind leaves for the next ones.
    #[must_use]
    pub fn in_any_memory(&self) -> Self {
        Self { heap: u64::MAX / 2, anon: u64::MAX / 2, tables: u64::MAX / 2, pages: u64::MAX / 2, ..self.clone() }
    }

    /// Whether no more exists than `before`.
    pub fn is_back(&self, before: &Self) -> bool {
        let no_more =
            self.objects.iter().all(|(kind, count)| before.objects.get(kind).is_some_and(|most| count <= most));
        no_more
            && self.pages <= before.pages + PAGES
            && self.tables <= before.tables + PAGES
            && self.anon <= before.anon + ANON
            && self.heap <= before.heap + HEAP
    }

    /// Waits until no more exists than now; tells what does then.
    ///
    /// # Panics
    /// When something stays: `what` has left it.
    pub fn expect_back(&self, guest: &mut Guest, what: &str) -> Self {
        let start = Instant::now();
        loop {
            let now = Self::of(guest).expect("the guest answers");
            if now.is_back(self) {
                return now;
            }
            assert!(start.elapsed() < scaled(PATIENCE), "{what} left something:\nbefore {self:?}\nafter  {now:?}");
        }
    }
}
