//! Out of memory: when reclaim finds nothing, the biggest process is ended so that the others live.
//!
//! Who that is, `task` decides: it registers a [`Killer`] at boot, which never picks pid 1 and leaves a line in the log. The memory of who was
//! chosen is taken from outside ([`AddressSpace::take_back`]): on its own way out the process may wait for
//! a lock that is held by who waits here. So nobody who waits here fails as long as there is somebody to be ended.

use super::reclaim::{self, For};
use super::{AddressSpace, flusher, frames};
use crate::error::{Errno, Result};
use crate::sync::WaitQueue;
use crate::task;
use core::sync::atomic::Ordering;
use hal::sync::Once;

/// Sends `SIGKILL` to the process that uses the most memory, and takes the memory of those that have got it; `false` if there is none to be ended.
pub type Killer = fn() -> bool;

static KILLER: Once<Killer> = Once::new();
/// Nobody wakes it: its waits end by their deadline.
static PAUSE: WaitQueue = WaitQueue::new();

/// How long one round waits, and how many rounds write-back may go without a page before it counts as stuck.
const ROUND_NS: u64 = 10_000_000;
const STUCK: usize = 50;

/// Registers who picks the victim.
pub fn set_killer(killer: Killer) {
    KILLER.call_once(|| killer);
}

/// Waits for dirty pages to become clean ones, and ends processes, until there is room for `pages`. `ENOMEM` if there is none left to be ended, or
/// if the caller is to end itself.
pub(super) fn wait_for_room(pages: usize, purpose: For) -> Result<()> {
    let (mut unwritten, mut idle) = (usize::MAX, 0);
    while !task::try_current().is_none_or(|task| task::fatal_signal_pending(&task)) {
        let now = frames::unwritten();
        idle = if now < unwritten { 0 } else { idle + 1 };
        unwritten = now;
        if unwritten > 0 && idle < STUCK {
            flusher::hurry();
        } else if !KILLER.get().is_some_and(|kill| kill()) {
            break;
        } else if frames::has_room(pages) {
            return Ok(());
        }
        PAUSE.wait_until::<()>(hal::time::now_ns() + ROUND_NS, || None);
        if frames::has_room(pages) || reclaim::reclaim(pages, purpose) {
            return Ok(());
        }
    }
    Err(Errno::ENOMEM.during("looking for a free page"))
}

impl AddressSpace {
    /// Takes the private memory of a process that was ended, which from now on gets none: each of its faults fails, also those of system calls on
    /// its behalf, so that nothing sees zeros where there was data. Does nothing while the space is busy; call again.
    pub fn take_back(&self) {
        let Some(layout) = self.layout.try_lock() else { return };
        self.doomed.store(true, Ordering::Release);
        for area in layout.areas.iter().filter(|area| !area.is_shared()) {
            self.zap(area, area.range());
        }
    }
}
