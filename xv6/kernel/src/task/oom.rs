//! The out-of-memory killer's choice: which process ends so that the others live. `mm::oom` calls it when reclaim finds nothing.
//!
//! Who takes most pays: a container (the processes that share a cgroup namespace's root) counts as one, with the memory files that it has filled; so
//! does a cgroup of the host's, and each process of the root group by itself. Of that one the process with the most present memory ends, with all that
//! share this memory; never the machine's first. Nobody new is chosen while one that ends still has memory, which is taken from it here, unless
//! that takes too long ([`PATIENCE_NS`]): what it holds otherwise (open memory files) goes when it does.
//!
//! Locks: one choice at a time, by a flag that nobody waits for; others' memory is only tried, since anything may be locked by who calls.

use super::{Process, all_in, signal};
use crate::cgroup::{self, Cgroup, path_from};
use crate::mm::{self, AddressSpace, Payer};
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use hal::log::Level;

/// Somebody is choosing.
static CHOOSING: AtomicBool = AtomicBool::new(false);
/// Since when the memory of those that end has not become less, on the monotonic clock; 0 if nobody has looked.
static SINCE_NS: AtomicU64 = AtomicU64::new(0);
/// How long processes that end may keep memory before somebody else is chosen.
const PATIENCE_NS: u64 = 2_000_000_000;

/// Who pays for the memory files that the running thread makes.
pub fn payer() -> Option<Arc<dyn Payer>> {
    super::try_current().map(|task| task.cgroup() as Arc<dyn Payer>)
}

/// Processes that count as one.
struct Suspects {
    group: Arc<Cgroup>,
    /// Present memory of all.
    size: usize,
    /// The biggest, and its own size.
    biggest: (usize, Arc<Process>),
}

impl Suspects {
    /// All that the memory of this one is: memory files too, except for the root group, whose count is everybody's.
    fn total(&self) -> usize {
        self.size + if self.group.is_root() { 0 } else { self.group.memory_files() }
    }
}

/// What `look` finds of a process's memory, if it still has any.
fn with_memory<T>(process: &Process, look: impl FnOnce(&AddressSpace) -> T) -> Option<T> {
    let space = process.threads().iter().find_map(|task| task.mm())?;
    let found = look(&space);
    // The last to let go closes files, which locks that the caller holds may forbid.
    mm::release(space);
    Some(found)
}

fn resident(process: &Process) -> usize {
    with_memory(process, AddressSpace::resident_bytes).unwrap_or(0)
}

fn is_first(process: &Process) -> bool {
    process.pid.nr_in(PidNamespace::initial()) == Some(1)
}

/// The group that a process counts with: its container's, else its own.
fn group_of(process: &Process) -> Option<Arc<Cgroup>> {
    let task = process.threads().into_iter().next()?;
    let container = task.try_ns().map(|ns| ns.cgroup.root.clone()).filter(|root| !root.is_root());
    Some(container.unwrap_or_else(|| task.cgroup()))
}

/// Ends the biggest process of whoever takes most (`SIGKILL`'s status) with a line in the log, or helps one that is ending to give its memory
/// back; `false` if there is none to be ended.
pub fn kill_biggest() -> bool {
    if CHOOSING.swap(true, Ordering::Acquire) {
        return true;
    }
    let helped = wait_for_the_ending() || choose().inspect(end).is_some();
    CHOOSING.store(false, Ordering::Release);
    helped
}

/// Ends a process for which there is no memory though nobody else can be ended.
pub fn kill_for_want(process: &Arc<Process>) {
    if !process.exiting.load(Ordering::Acquire)
        && let Some(group) = group_of(process)
    {
        let size = resident(process);
        end(&Suspects { group, size, biggest: (size, process.clone()) });
    }
}

/// Whether a process that ends still has memory to give back: what can be taken from it is.
fn wait_for_the_ending() -> bool {
    let all = all_in(PidNamespace::initial());
    let first = all.iter().find(|process| is_first(process)).and_then(|first| with_memory(first, core::ptr::from_ref));
    let (mut before, mut after) = (0, 0);
    for process in all.iter().filter(|process| process.exiting.load(Ordering::Acquire)) {
        with_memory(process, |space| {
            before += space.resident_bytes();
            if first.is_none_or(|first| !core::ptr::eq(space, first)) {
                space.take_back();
            }
            after += space.resident_bytes();
        });
    }
    let now = hal::time::now_ns();
    if after < before || SINCE_NS.load(Ordering::Relaxed) == 0 {
        SINCE_NS.store(now, Ordering::Relaxed);
    }
    before > 0 && now < SINCE_NS.load(Ordering::Relaxed) + PATIENCE_NS
}

/// The biggest process of whoever takes most.
fn choose() -> Option<Suspects> {
    let mut all: Vec<Suspects> = Vec::new();
    for process in all_in(PidNamespace::initial()) {
        let size = resident(&process);
        if size == 0 || is_first(&process) || process.exiting.load(Ordering::Acquire) {
            continue;
        }
        let Some(group) = group_of(&process) else { continue };
        let known = all.iter_mut().find(|known| !group.is_root() && Arc::ptr_eq(&known.group, &group));
        match known {
            Some(known) => {
                known.size += size;
                if size > known.biggest.0 {
                    known.biggest = (size, process);
                }
            }
            None => {
                // No memory even for this list: the first that came will have to do.
                if all.try_reserve(1).is_err() {
                    break;
                }
                all.push(Suspects { group, size, biggest: (size, process) });
            }
        }
    }
    all.into_iter().max_by_key(Suspects::total)
}

/// Ends the biggest of `worst`, and whoever shares its memory but the machine's first.
fn end(worst: &Suspects) {
    let (size, process) = &worst.biggest;
    let (nr, name) = (process.pid.nr_in(PidNamespace::initial()).unwrap_or(0), process.comm());
    hal::log::record(
        Level::Error,
        format_args!(
            "Out of memory: Killed process {nr} ({}) rss:{}kB cgroup:{} holding:{}kB free:{}kB",
            name.escape_ascii(),
            size >> 10,
            path_from(&cgroup::root(), &worst.group).escape_ascii(),
            worst.total() >> 10,
            mm::stats().free >> 10,
        ),
    );
    SINCE_NS.store(0, Ordering::Relaxed);
    let memory = with_memory(process, core::ptr::from_ref);
    signal::begin_exit(process, signal::Signal::KILL.number());
    for other in all_in(PidNamespace::initial()) {
        if memory.is_some() && with_memory(&other, core::ptr::from_ref) == memory && !is_first(&other) {
            signal::begin_exit(&other, signal::Signal::KILL.number());
        }
    }
}
