//! Job control (credentials(7), tcsetpgrp(3)): whose terminal it is, and who may use it now.
//!
//! [`Control`] ties a terminal to one session and one foreground process group, both by weak references: the terminal never keeps
//! a process group alive. A process outside the foreground group that reads, or changes settings, is sent `SIGTTIN` or
//! `SIGTTOU`; if it ignores or blocks that, or nobody is there to continue it, it gets `EIO` or its way, as POSIX has it.

use super::Tty;
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::ns::PidNamespace;
use crate::task::signal::{SigInfo, Signal};
use crate::task::{self, ProcessGroup, Session, Task};
use alloc::sync::{Arc, Weak};

/// A terminal's tie to processes.
#[derive(Default)]
pub(super) struct Control {
    session: Weak<Session>,
    foreground: Weak<ProcessGroup>,
}

impl Tty {
    /// The session that this terminal controls.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.control.lock().session.upgrade()
    }

    /// The foreground process group.
    pub(super) fn foreground(&self) -> Option<Arc<ProcessGroup>> {
        self.control.lock().foreground.upgrade()
    }

    /// True if this is `task`'s controlling terminal.
    fn controls(&self, task: &Task) -> bool {
        self.session().is_some_and(|session| Arc::ptr_eq(&session, &task.process.session()))
    }

    /// Keeps the caller out if it is in the background: sends `signal` to its group and has the call restarted, or fails with `EIO`.
    pub(super) fn check_background(&self, signal: Signal) -> Result<()> {
        let Some(task) = task::try_current() else { return Ok(()) };
        let group = task.process.group();
        let in_front = self.foreground().is_none_or(|front| Arc::ptr_eq(&front, &group));
        if !self.controls(&task) || in_front {
            return Ok(());
        }
        if task::signal::is_blocked_or_ignored(&task, signal) {
            // A reader would never get anything; a writer may go on.
            return if signal == Signal::TTIN { Err(Errno::EIO.into()) } else { Ok(()) };
        }
        if group.is_orphaned() {
            return Err(Errno::EIO.into());
        }
        group.signal(&SigInfo::kernel(signal));
        Err(Errno::ERESTARTSYS.into())
    }

    /// An open(2) without `O_NOCTTY` by a session leader that has no terminal makes this its controlling terminal.
    pub(super) fn adopt_on_open(self: &Arc<Self>) {
        if let Some(task) = task::try_current()
            && task.process.is_session_leader()
            && task.process.session().tty().is_none()
            && self.session().is_none()
        {
            self.take_session(&task);
        }
    }

    fn take_session(self: &Arc<Self>, task: &Task) {
        let session = task.process.session();
        *self.control.lock() =
            Control { session: Arc::downgrade(&session), foreground: Arc::downgrade(&task.process.group()) };
        session.set_tty(Some(self.clone()));
    }

    /// `TIOCSCTTY`: only a session leader without a terminal; one that belongs to another session is taken by force only.
    pub(super) fn set_controlling(self: &Arc<Self>, force: bool) -> Result<()> {
        let task = task::current();
        if self.controls(&task) && task.process.is_session_leader() {
            return Ok(());
        }
        if !task.process.is_session_leader() || task.process.session().tty().is_some() {
            return Err(Errno::EPERM.into());
        }
        if let Some(other) = self.session() {
            if !force || !task.cred().capable(task::Cap::SysAdmin) {
                return Err(Errno::EPERM.into());
            }
            other.set_tty(None);
        }
        self.take_session(&task);
        Ok(())
    }

    /// `TIOCNOTTY`: the caller's session gives the terminal up; if its leader does, the foreground group is hung up.
    pub(super) fn give_up(&self) -> Result<()> {
        let task = task::current();
        if !self.controls(&task) {
            return Err(Errno::ENOTTY.into());
        }
        if task.process.is_session_leader() {
            task.process.session().set_tty(None);
            self.release();
        }
        Ok(())
    }

    /// The session is gone from the terminal: its foreground group learns of it by `SIGHUP`. (One that is stopped has just been orphaned, which
    /// continues it.)
    pub(super) fn release(&self) {
        let control = core::mem::take(&mut *self.control.lock());
        if let Some(group) = control.foreground.upgrade() {
            group.signal(&SigInfo::kernel(Signal::HUP));
        }
    }

    /// The terminal is gone: the session's leader and the foreground group learn of it.
    pub(super) fn signal_hangup(&self) {
        if let Some(session) = self.session() {
            session.set_tty(None);
            if let Some(leader) = session.leader() {
                task::signal::send_to_process(&leader, Signal::HUP);
                task::signal::send_to_process(&leader, Signal::CONT);
            }
        }
        self.release();
    }

    /// `TIOCGPGRP`: the foreground group's number as the caller's pid namespace counts; 0 for one it cannot see.
    pub(super) fn foreground_number(&self, arg: usize) -> Result<usize> {
        let task = task::current();
        if !self.controls(&task) {
            return Err(Errno::ENOTTY.into());
        }
        let namespace = task.pid_ns();
        let number = self.foreground().map_or(0, |group| group.pid.nr_or_zero(&namespace));
        user::write(arg, &number)?;
        Ok(0)
    }

    /// `TIOCSPGRP`: the group must exist in the caller's session.
    pub(super) fn set_foreground(&self, arg: usize) -> Result<usize> {
        let number: i32 = user::read(arg)?;
        let task = task::current();
        if !self.controls(&task) {
            return Err(Errno::ENOTTY.into());
        }
        self.check_background(Signal::TTOU)?;
        let group = find_group(&task.pid_ns(), number)?;
        if !Arc::ptr_eq(&group.session, &task.process.session()) {
            return Err(Errno::EPERM.into());
        }
        self.control.lock().foreground = Arc::downgrade(&group);
        Ok(0)
    }

    /// `TIOCGSID`.
    pub(super) fn session_number(&self, arg: usize) -> Result<usize> {
        let task = task::current();
        let session = self.session().filter(|_| self.controls(&task)).ok_or(Errno::ENOTTY)?;
        user::write(arg, &session.pid.nr_or_zero(&task.pid_ns()))?;
        Ok(0)
    }
}

fn find_group(namespace: &PidNamespace, number: i32) -> Result<Arc<ProcessGroup>> {
    let number = u32::try_from(number).map_err(|_| Errno::EINVAL)?;
    Ok(namespace.find(number).and_then(|pid| pid.group()).ok_or(Errno::ESRCH)?)
}
