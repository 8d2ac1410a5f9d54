//! Who may look into a process (ptrace(2), "Ptrace access mode checking"), and who owns its files.

use super::{Subject, View};
use crate::error::{Errno, Result};
use crate::task::{self, Cap, Cred};
use alloc::sync::Arc;

/// `EACCES` unless the caller may inspect the view's process: it is its own, or the caller has the same ids and at
/// least its capabilities, or holds `CAP_SYS_PTRACE` over its user namespace.
pub fn may_inspect(view: &View) -> Result<()> {
    if let Subject::System = view.subject {
        return Ok(());
    }
    let Some(caller) = task::try_current() else { return Ok(()) };
    let process = view.process()?;
    if Arc::ptr_eq(&caller.process, &process) {
        return Ok(());
    }
    let target = process.cred().ok_or(Errno::ESRCH)?;
    let cred = caller.cred();
    let allowed = cred.capable_in(&target.user, Cap::SysPtrace)
        || (same_ids(&cred, &target) && covers(&cred, &target) && process.is_dumpable());
    if allowed { Ok(()) } else { Err(Errno::EACCES.during("inspecting another's process")) }
}

fn same_ids(cred: &Cred, target: &Cred) -> bool {
    [target.uid, target.euid, target.suid].iter().all(|id| *id == cred.fsuid)
        && [target.gid, target.egid, target.sgid].iter().all(|id| *id == cred.fsgid)
}

/// A process that may do more than the caller is not the caller's to look into.
fn covers(cred: &Cred, target: &Cred) -> bool {
    Arc::ptr_eq(&cred.user, &target.user) && target.permitted.within(cred.effective)
}

/// The owner of a file about the subject: the process's effective ids; root for the machine's, and for processes that
/// are not dumpable.
pub fn owner_of(view: &View) -> Result<(u32, u32)> {
    if let Subject::System = view.subject {
        return Ok((0, 0));
    }
    let process = view.process()?;
    match process.cred() {
        Some(cred) if process.is_dumpable() => Ok((cred.euid, cred.egid)),
        _ => Ok((0, 0)),
    }
}
