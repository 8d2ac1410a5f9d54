//! Who may look into a process, or trace it (ptrace(2), "Ptrace access mode checking"). No locks.

use crate::error::{Errno, Result};
use crate::task::{Cap, Cred, Process, Task};
use alloc::sync::Arc;

/// Which of the caller's ids and capabilities count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Those for file access: a look through `/proc`.
    File,
    /// The real ones: ptrace(2), process_vm_readv(2).
    Real,
}

/// `EPERM` unless `caller` may look into `process`: it is its own, or the caller has the same ids and at least its capabilities and it is
/// dumpable, or holds `CAP_SYS_PTRACE` over its user namespace.
pub fn may_access(caller: &Task, process: &Arc<Process>, mode: Mode) -> Result<()> {
    if Arc::ptr_eq(&caller.process, process) {
        return Ok(());
    }
    let target = process.cred().ok_or(Errno::ESRCH)?;
    let cred = caller.cred();
    let allowed = cred.capable_in(&target.user, Cap::SysPtrace)
        || (same_ids(&cred, &target, mode) && covers(&cred, &target, mode) && process.is_dumpable());
    if allowed { Ok(()) } else { Err(Errno::EPERM.during("looking into another's process")) }
}

fn same_ids(cred: &Cred, target: &Cred, mode: Mode) -> bool {
    let (uid, gid) = match mode {
        Mode::File => (cred.fsuid, cred.fsgid),
        Mode::Real => (cred.uid, cred.gid),
    };
    [target.uid, target.euid, target.suid].iter().all(|id| *id == uid)
        && [target.gid, target.egid, target.sgid].iter().all(|id| *id == gid)
}

/// A process that may do more than the caller is not the caller's to look into.
fn covers(cred: &Cred, target: &Cred, mode: Mode) -> bool {
    let held = match mode {
        Mode::File => cred.effective,
        Mode::Real => cred.permitted,
    };
    Arc::ptr_eq(&cred.user, &target.user) && target.permitted.within(held)
}
