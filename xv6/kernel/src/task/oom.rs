//! The out-of-memory killer's choice: which process ends so that the others live. `mm::oom` calls it when reclaim finds nothing.
//!
//! Who takes most pays: a container (the processes that share a cgroup namespace's root) counts as one, with the memory files that it has filled; so
//! does a cgroup of the host's, and each process of the root group by itself. Of that one the process with the most present memory ends; never
//! the machine's first, and nobody new while one that was chosen is still on its way out. No locks held across.

use super::{Process, all_in, signal};
use crate::cgroup::{self, Cgroup, path_from};
use crate::mm::Payer;
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use hal::log::Level;

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

fn resident(process: &Process) -> usize {
    process.threads().iter().find_map(|task| task.mm()).map_or(0, |mm| mm.resident_bytes())
}

/// The group that a process counts with: its container's, else its own.
fn group_of(process: &Process) -> Option<Arc<Cgroup>> {
    let task = process.threads().into_iter().next()?;
    let container = task.try_ns().map(|ns| ns.cgroup.root.clone()).filter(|root| !root.is_root());
    Some(container.unwrap_or_else(|| task.cgroup()))
}

/// Ends the biggest process of whoever takes most (`SIGKILL`'s status) with a line in the log; `false` if there is none to be ended.
pub fn kill_biggest() -> bool {
    let mut all: Vec<Suspects> = Vec::new();
    for process in all_in(PidNamespace::initial()) {
        let size = resident(&process);
        if size == 0 || process.pid.nr_in(PidNamespace::initial()) == Some(1) {
            continue;
        }
        if process.exiting.load(Ordering::Acquire) {
            // Its memory comes back without another victim.
            return true;
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
    let Some(worst) = all.into_iter().max_by_key(Suspects::total) else { return false };
    let (size, process) = &worst.biggest;
    let (nr, name) = (process.pid.nr_in(PidNamespace::initial()).unwrap_or(0), process.comm());
    hal::log::record(
        Level::Error,
        format_args!(
            "Out of memory: Killed process {nr} ({}) rss:{}kB cgroup:{} holding:{}kB",
            name.escape_ascii(),
            size >> 10,
            path_from(&cgroup::root(), &worst.group).escape_ascii(),
            worst.total() >> 10,
        ),
    );
    signal::begin_exit(process, signal::Signal::KILL.number());
    true
}
