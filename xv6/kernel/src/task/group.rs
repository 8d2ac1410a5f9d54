//! Process groups and sessions (credentials(7), setpgid(2), setsid(2)), and their tie to a controlling terminal.
//!
//! A [`ProcessGroup`] belongs to one [`Session`] for life. Both are kept alive by their members; the terminal keeps only weak
//! references. The terminal itself is a [`ControllingTty`], implemented by `tty`.
//!
//! Locks: `members` and `tty`, spin locks of `Rank::Group`; membership changes happen under `process::tree()`.

use super::signal::{self, SigInfo};
use super::{Pid, Process, Task, process};
use crate::error::{Errno, Result};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::Ordering;
use hal::sync::{Rank, SpinLock};

/// What a session needs of its terminal.
pub trait ControllingTty: Send + Sync {
    /// Its device number (`tty_nr` in `/proc/PID/stat`).
    fn device(&self) -> u64;
    /// The foreground process group.
    fn foreground(&self) -> Option<Arc<ProcessGroup>>;
    /// The session leader is gone: give the terminal up, signal the foreground group with `SIGHUP`.
    fn leader_exited(&self);
    /// For `tty`'s own downcast.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// A session.
pub struct Session {
    /// The leader's pid, which names the session.
    pub pid: Arc<Pid>,
    tty: SpinLock<Option<Arc<dyn ControllingTty>>>,
}

impl Session {
    pub(super) fn new(pid: Arc<Pid>) -> Arc<Session> {
        let session = Arc::new(Session { pid, tty: SpinLock::new(Rank::Leaf, "session terminal", None) });
        session.pid.set_session(&session);
        session
    }

    /// The controlling terminal.
    pub fn tty(&self) -> Option<Arc<dyn ControllingTty>> {
        self.tty.lock().clone()
    }

    /// Sets the controlling terminal, or gives it up; the old one is returned.
    pub fn set_tty(&self, tty: Option<Arc<dyn ControllingTty>>) -> Option<Arc<dyn ControllingTty>> {
        core::mem::replace(&mut *self.tty.lock(), tty)
    }

    /// The leading process, while it lives.
    pub fn leader(&self) -> Option<Arc<Process>> {
        self.pid.process()
    }
}

/// A process group.
pub struct ProcessGroup {
    /// The pid that names the group (its first leader's).
    pub pid: Arc<Pid>,
    /// The session it belongs to.
    pub session: Arc<Session>,
    members: SpinLock<Vec<Weak<Process>>>,
}

impl ProcessGroup {
    pub(super) fn new(pid: Arc<Pid>, session: Arc<Session>) -> Arc<ProcessGroup> {
        let members = SpinLock::new(Rank::Group, "process group", Vec::new());
        let group = Arc::new(ProcessGroup { pid, session, members });
        group.pid.set_group(&group);
        group
    }

    pub(super) fn add(&self, process: &Arc<Process>) {
        self.members.lock().push(Arc::downgrade(process));
    }

    pub(super) fn remove(&self, process: &Arc<Process>) {
        self.members.lock().retain(|member| !core::ptr::eq(member.as_ptr(), Arc::as_ptr(process)));
    }

    /// The processes in it now (zombies too).
    pub fn members(&self) -> Vec<Arc<Process>> {
        self.members.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// True if no member has a parent in another group of the same session (setpgid(2)): nobody is there to continue it once stopped.
    /// The machine's process 1 continues nobody; a container's may be a shell with jobs.
    pub fn is_orphaned(&self) -> bool {
        self.is_orphaned_without(None)
    }

    /// As [`ProcessGroup::is_orphaned`], as if `leaving` were gone already.
    pub(super) fn is_orphaned_without(&self, leaving: Option<&Arc<Process>>) -> bool {
        !self.members().iter().any(|member| {
            if leaving.is_some_and(|leaving| Arc::ptr_eq(leaving, member)) || member.is_zombie() {
                return false;
            }
            member.parent().is_some_and(|parent| {
                let group = parent.group();
                parent.pid.global() != 1
                    && !core::ptr::eq(Arc::as_ptr(&group), self)
                    && Arc::ptr_eq(&group.session, &self.session)
            })
        })
    }

    /// True if a member is stopped.
    pub(super) fn has_stopped(&self) -> bool {
        self.members().iter().any(|member| member.is_stopped())
    }

    /// Sends a signal from the kernel to every member.
    pub fn signal(&self, info: &SigInfo) {
        for member in self.members() {
            signal::send_info_to_process(&member, info.clone());
        }
    }
}

/// setpgid(2): moves `target`, the caller's process or a child of it, to the group that `pgid` names in the caller's namespace (0: its own).
pub fn set_group(caller: &Task, target: &Arc<Process>, pgid: u32) -> Result<()> {
    let namespace = caller.pid_ns();
    let own = &caller.process;
    let _tree = process::tree();
    if !Arc::ptr_eq(target, own) {
        let is_child = target.parent().is_some_and(|parent| Arc::ptr_eq(&parent, own));
        if !is_child || target.is_zombie() {
            return Err(Errno::ESRCH.into());
        }
        if !Arc::ptr_eq(&target.session(), &own.session()) {
            return Err(Errno::EPERM.into());
        }
        if target.executed.load(Ordering::Relaxed) {
            return Err(Errno::EACCES.into());
        }
    }
    if target.is_session_leader() {
        return Err(Errno::EPERM.during("moving a session leader to another group"));
    }
    let old = target.group();
    let number = if pgid == 0 { target.pid.nr_in(&namespace).ok_or(Errno::ESRCH)? } else { pgid };
    let group = if target.pid.nr_in(&namespace) == Some(number) {
        match target.pid.group() {
            Some(group) => group,
            None => ProcessGroup::new(target.pid.clone(), old.session.clone()),
        }
    } else {
        let group = namespace.find(number).and_then(|pid| pid.group()).ok_or(Errno::EPERM)?;
        if !Arc::ptr_eq(&group.session, &own.session()) || group.members().is_empty() {
            return Err(Errno::EPERM.into());
        }
        group
    };
    join(target, &old, group);
    Ok(())
}

fn join(target: &Arc<Process>, old: &Arc<ProcessGroup>, new: Arc<ProcessGroup>) {
    if Arc::ptr_eq(old, &new) {
        return;
    }
    old.remove(target);
    new.add(target);
    target.family.lock().group = new;
}

/// setsid(2): a new session and group, both led by `process`, without a terminal. `EPERM` if it leads a group already.
pub fn new_session(process: &Arc<Process>) -> Result<()> {
    let _tree = process::tree();
    if process.pid.group().is_some_and(|group| !group.members().is_empty()) {
        return Err(Errno::EPERM.during("making a session as the leader of a group"));
    }
    let old = process.group();
    let session = Session::new(process.pid.clone());
    let group = ProcessGroup::new(process.pid.clone(), session);
    join(process, &old, group);
    Ok(())
}
