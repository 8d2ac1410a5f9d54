//! Waiting for children: wait4(2), waitid(2).
//!
//! Locks: none held while a child is examined; a zombie is claimed atomically, so two waiters never report the same one.

use super::signal::{self, Signal};
use super::{Process, Task, Usage, exit, ptrace};
use crate::error::{Errno, Result};
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Zombies looked at in one go: others may be claimed by another thread meanwhile.
const BATCH: usize = 16;

bitflags::bitflags! {
    /// wait4(2)'s and waitid(2)'s options.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct WaitOptions: u32 {
        /// Do not wait.
        const NOHANG = 1;
        /// Stopped children (`WUNTRACED` is the same).
        const STOPPED = 2;
        /// Ended children.
        const EXITED = 4;
        /// Continued children.
        const CONTINUED = 8;
        /// Leave the child as it is, to be waited for again.
        const NOWAIT = 0x0100_0000;
        /// Only children of this thread: those of the process, here.
        const NOTHREAD = 0x2000_0000;
        /// Children whatever signal they report by.
        const ALL = 0x4000_0000;
        /// Only children that report by another signal than `SIGCHLD`.
        const CLONE = 0x8000_0000;
    }
}

/// Which children to wait for.
#[derive(Clone)]
pub enum Which {
    /// Any.
    Any,
    /// The one with this pid, in the caller's namespace.
    Pid(u32),
    /// Those in the group with this pid.
    Group(u32),
    /// This very one (a pidfd's).
    Process(Arc<Process>),
}

/// What happened to a child.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its pid in the caller's namespace.
    pub pid: u32,
    /// Its real user id, as the caller's user namespace shows it.
    pub uid: u32,
    /// wait4(2)'s status word.
    pub status: u32,
    /// What it has used, its children included.
    pub usage: Usage,
    /// It is a tracee's stop.
    pub trapped: bool,
}

impl Report {
    /// `si_code` and `si_status` of waitid(2).
    pub fn code(&self) -> (i32, i32) {
        match self.status {
            status if self.trapped => (signal::CLD_TRAPPED, (status >> 8) as i32),
            0xffff => (signal::CLD_CONTINUED, Signal::CONT.number() as i32),
            status if status & 0xff == 0x7f => (signal::CLD_STOPPED, (status >> 8) as i32),
            status if status & 0x7f == 0 => (signal::CLD_EXITED, (status >> 8) as i32),
            status => (signal::CLD_KILLED, (status & 0x7f) as i32),
        }
    }
}

/// Waits until a child that `which` names has something to report that `options` ask for. `None` with `NOHANG` if none has yet; `ECHILD` if there
/// is no such child; `ERESTARTSYS` when a signal must be handled first.
pub fn wait(task: &Arc<Task>, which: &Which, options: WaitOptions) -> Result<Option<Report>> {
    let look = || match look(task, which, options) {
        Ok(None) if !options.contains(WaitOptions::NOHANG) => None,
        other => Some(other),
    };
    task.process.child_changed.wait_interruptible(None, look)?
}

fn look(task: &Arc<Task>, which: &Which, options: WaitOptions) -> Result<Option<Report>> {
    let namespace = task.pid_ns();
    let mut found = false;
    if let Some(report) = ptrace::take_report(task, which, options, &mut found) {
        return Ok(Some(report));
    }
    let mut children = false;
    for child in candidates(&task.process, which, &namespace, options, &mut children) {
        let elsewhere = matches!(which, Which::Group(pid) if child.group().pid.nr_in(&namespace) != Some(*pid));
        if elsewhere || child.is_reaped() {
            continue;
        }
        found = true;
        if let Some(status) = take_event(&task.process, &child, options) {
            let cred = child.cred();
            let uid = cred.map_or(0, |cred| task.cred().user.uid_from_kernel(cred.uid));
            let usage = child.usage().plus(child.child_usage());
            let report = Report { pid: child.pid.nr_or_zero(&namespace), uid, status, usage, trapped: false };
            let ended = status & 0x7f != 0x7f && status != 0xffff;
            if ended && !options.contains(WaitOptions::NOWAIT) && !exit::reap(&child) {
                // Another thread was faster with this one.
                continue;
            }
            return Ok(Some(report));
        }
    }
    if found || children { Ok(None) } else { Err(Errno::ECHILD.into()) }
}

/// The children that may have something to report, of the right kind; those of a group are yet to be told apart, by a lock of their own. When only ends
/// are asked for, those that live are not even cloned: a process with thousands of children may wait for them one by one.
fn candidates(
    process: &Process,
    which: &Which,
    namespace: &PidNamespace,
    options: WaitOptions,
    found: &mut bool,
) -> Vec<Arc<Process>> {
    let family = process.family.lock();
    let matches = |child: &&Arc<Process>| {
        let named = match which {
            Which::Any | Which::Group(_) => true,
            Which::Pid(pid) => child.pid.nr_in(namespace) == Some(*pid),
            Which::Process(process) => Arc::ptr_eq(process, child),
        };
        named && is_of_kind(child, options)
    };
    let children = family.children.values().filter(matches);
    if options.intersects(WaitOptions::STOPPED | WaitOptions::CONTINUED) || matches!(which, Which::Group(_)) {
        return children.cloned().collect();
    }
    *found = children.clone().any(|child| !child.is_zombie());
    children.filter(|child| child.is_zombie()).take(BATCH).cloned().collect()
}

/// `__WCLONE` and `__WALL`: children that report by another signal than `SIGCHLD` are waited for only if asked.
fn is_of_kind(child: &Process, options: WaitOptions) -> bool {
    let by_clone = u32::from(child.exit_signal.load(Ordering::Relaxed)) != Signal::CHLD.number();
    options.contains(WaitOptions::ALL) || by_clone == options.contains(WaitOptions::CLONE)
}

/// What the child has to report, as a status word.
fn take_event(parent: &Arc<Process>, child: &Process, options: WaitOptions) -> Option<u32> {
    if child.is_zombie() {
        return options.contains(WaitOptions::EXITED).then(|| child.status());
    }
    // Of its own tracees a parent hears by their stops as such.
    let tracer = child.leader().and_then(|leader| ptrace::tracer_of(&leader));
    if tracer.is_some_and(|tracer| Arc::ptr_eq(&tracer, parent)) {
        return None;
    }
    let keep = options.contains(WaitOptions::NOWAIT);
    let mut signals = child.signals.lock();
    if options.contains(WaitOptions::STOPPED)
        && signals.stop_unreported()
        && let Some(signal) = signals.stopped
    {
        signals.set_stop_unreported(keep);
        return Some(signal.number() << 8 | 0x7f);
    }
    if options.contains(WaitOptions::CONTINUED) && signals.continue_unreported() {
        signals.set_continue_unreported(keep);
        return Some(0xffff);
    }
    None
}
