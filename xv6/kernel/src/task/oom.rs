//! The out-of-memory killer's choice: which process ends so that the others live. `mm::oom` calls it when reclaim finds nothing.
//!
//! The process with the most present memory ends; never the first one, and nobody new while one that was chosen is still on its way out.
//! No locks held across.

use super::{Process, all_in, signal};
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use hal::log::Level;

fn resident(process: &Process) -> usize {
    process.threads().iter().find_map(|task| task.mm()).map_or(0, |mm| mm.resident_bytes())
}

/// Ends the biggest process (`SIGKILL`'s status) with a line in the log; `false` if there is none to be ended.
pub fn kill_biggest() -> bool {
    let mut biggest: Option<(usize, Arc<Process>)> = None;
    for process in all_in(PidNamespace::initial()) {
        let size = resident(&process);
        if size == 0 || process.pid.nr_in(PidNamespace::initial()) == Some(1) {
            continue;
        }
        if process.exiting.load(Ordering::Acquire) {
            // Its memory comes back without another victim.
            return true;
        }
        if biggest.as_ref().is_none_or(|(most, _)| size > *most) {
            biggest = Some((size, process));
        }
    }
    let Some((size, process)) = biggest else { return false };
    let (nr, name) = (process.pid.nr_in(PidNamespace::initial()).unwrap_or(0), process.comm());
    hal::log::record(
        Level::Error,
        format_args!("Out of memory: Killed process {nr} ({}) rss:{}kB", name.escape_ascii(), size >> 10),
    );
    signal::begin_exit(&process, signal::Signal::KILL.number());
    true
}
