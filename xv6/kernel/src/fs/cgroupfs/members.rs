//! Control files about processes: `cgroup.procs`, `cgroup.threads`, `cgroup.kill`.
//!
//! Who is in a group is asked of the processes themselves: each thread knows its charge, and a list here would have to
//! be kept in step.

use crate::cgroup::{Cgroup, is_within, tree};
use crate::error::{Errno, Result};
use crate::fs::text::number;
use crate::ns::PidNamespace;
use crate::task::signal::{Signal, send_to_process};
use crate::task::{self, Cap, Process};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

/// The processes that live in a group for which `wanted` holds.
fn processes_where(wanted: impl Fn(&Arc<Cgroup>) -> bool) -> Vec<Arc<Process>> {
    let mut all = task::all_in(PidNamespace::initial());
    all.retain(|process| process.leader().is_some_and(|thread| wanted(&thread.cgroup())));
    all
}

/// `cgroup.procs`: a pid a line, as the reader's pid namespace numbers them; 0 for one it does not see.
pub fn processes(group: &Arc<Cgroup>) -> Result<String> {
    let ns = task::current().pid_ns();
    let mut text = String::new();
    for process in processes_where(|its| Arc::ptr_eq(its, group)) {
        let _ = writeln!(text, "{}", process.pid.nr_or_zero(&ns));
    }
    Ok(text)
}

/// `cgroup.threads`: likewise for threads.
pub fn threads(group: &Arc<Cgroup>) -> Result<String> {
    let ns = task::current().pid_ns();
    let mut text = String::new();
    for process in processes_where(|its| Arc::ptr_eq(its, group)) {
        for thread in process.threads() {
            let _ = writeln!(text, "{}", thread.tid().nr_or_zero(&ns));
        }
    }
    Ok(text)
}

/// A write to `cgroup.procs`: moves the process with this pid (0: the writer's own) and all its threads. `ESRCH`: no
/// such process; `EACCES`: the writer may not write `cgroup.procs` of the nearest group that holds both ends; else as
/// [`tree::may_enter`].
pub fn enter(group: &Arc<Cgroup>, message: &[u8]) -> Result<()> {
    let writer = task::current();
    let process = match number::<u32>(message)? {
        0 => writer.process.clone(),
        pid => writer
            .pid_ns()
            .find(pid)
            .and_then(|pid| pid.process().or_else(|| Some(pid.task()?.process.clone())))
            .ok_or(Errno::ESRCH)?,
    };
    let visible = writer.ns().cgroup.root.clone();
    let _tree = tree::lock();
    let from = process.leader().ok_or(Errno::ESRCH)?.cgroup();
    tree::may_enter(&visible, &from, group)?;
    let shared = group.ancestry().find(|above| is_within(&from, above)).ok_or(Errno::ENOENT)?;
    let cred = writer.cred();
    let owner = shared.owner("cgroup.procs").map_or(0, |owner| owner.uid);
    if !cred.capable(Cap::DacOverride) && owner != cred.fsuid {
        return Err(Errno::EACCES.during("moving a process between cgroups of others"));
    }
    for thread in process.threads() {
        thread.with_charge(|charge| charge.move_to(group));
    }
    Ok(())
}

/// A write of `1` to `cgroup.kill`: `SIGKILL` for every process in the group and below it.
pub fn kill(group: &Arc<Cgroup>, message: &[u8]) -> Result<()> {
    if number::<i32>(message)? != 1 {
        return Err(Errno::ERANGE.into());
    }
    // A process that forks while we look leaves a child that was not on the list; once killed it cannot fork again, so
    // the list soon has nobody new.
    let mut killed: BTreeSet<u32> = BTreeSet::new();
    loop {
        let mut victims = processes_where(|its| is_within(its, group));
        victims.retain(|process| killed.insert(process.pid.global()));
        if victims.is_empty() {
            return Ok(());
        }
        victims.iter().for_each(|process| send_to_process(process, Signal::KILL));
    }
}
