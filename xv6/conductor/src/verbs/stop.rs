//! `conductor stop`: TERM, a grace, KILL; then the container is gone with all it had.

use crate::args::Stop;
use crate::error::Result;
use crate::store::{self, Record, Store};
use crate::{cgroup, process};
use rustix::process::Signal;
use std::time::Duration;

/// Runs the verb. Tries every container named; the first failure decides the status.
pub fn run(args: &Stop) -> Result<u8> {
    super::for_each(&args.containers, |key| stop(&store::find(key)?, Duration::from_secs(args.time)))
}

/// Ends a container and removes it.
pub fn stop(record: &Record, grace: Duration) -> Result<()> {
    let id = &record.config.id;
    if record.is_running() {
        let init = process::pidfd(record.state.pid)?;
        // An init without a handler never sees TERM (pid_namespaces(7)): the grace would be waited in vain.
        let listens = process::catches(record.state.pid, Signal::TERM);
        if listens && !grace.is_zero() {
            process::send(&init, Signal::TERM)?;
        }
        if !listens || !process::wait(&init, grace)? {
            process::send(&init, Signal::KILL)?;
            cgroup::kill(id)?;
            process::wait(&init, Duration::from_secs(60))?;
        }
    }
    let store = Store::open()?;
    if store::folder(id).exists() { store.remove(&record.config) } else { Ok(()) }
}
