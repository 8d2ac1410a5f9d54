//! Out of memory: when reclaim finds nothing, the biggest process is ended so that the others live.
//!
//! Who that is, `task` decides: it registers a [`Killer`] at boot, which never picks pid 1 and leaves a line in the log.

use super::{frames, reclaim};
use crate::error::{Errno, Result};
use crate::sync::WaitQueue;
use crate::task;
use hal::sync::Once;

/// Sends `SIGKILL` to the process that uses the most memory; `false` if there is none to be ended.
pub type Killer = fn() -> bool;

static KILLER: Once<Killer> = Once::new();
/// Nobody wakes it: its waits end by their deadline.
static PAUSE: WaitQueue = WaitQueue::new();

/// How long the ended process is given to let go of its memory: rounds of [`ROUND_NS`].
const ROUNDS: usize = 200;
const ROUND_NS: u64 = 10_000_000;

/// Registers who picks the victim.
pub fn set_killer(killer: Killer) {
    KILLER.call_once(|| killer);
}

/// Ends a process and waits until there is room for `pages`. `ENOMEM` if that does not help, or if the caller is to end itself.
pub(super) fn wait_for_room(pages: usize) -> Result<()> {
    let none = Errno::ENOMEM.during("looking for a free page");
    for round in 0..ROUNDS {
        // The flusher may still turn dirty pages into clean ones: give it a moment before the axe, and the victim its time after.
        if round % 20 == 3 && !KILLER.get().is_some_and(|kill| kill()) {
            break;
        }
        let killed = task::try_current().is_none_or(|task| task::fatal_signal_pending(&task));
        if killed {
            break;
        }
        PAUSE.wait_until::<()>(hal::time::now_ns() + ROUND_NS, || None);
        if frames::has_room(pages) || reclaim::reclaim(pages) {
            return Ok(());
        }
    }
    Err(none)
}
