//! Who may look into a process (ptrace(2), "Ptrace access mode checking"), and who owns its files.

use super::{Subject, View};
use crate::error::{Errno, Result};
use crate::task;
use crate::task::ptrace::{self, Mode};

/// `EACCES` unless the caller may inspect the view's process: it is its own, or the caller has the same ids and at
/// least its capabilities, or holds `CAP_SYS_PTRACE` over its user namespace.
pub fn may_inspect(view: &View) -> Result<()> {
    if let Subject::System = view.subject {
        return Ok(());
    }
    let Some(caller) = task::try_current() else { return Ok(()) };
    let process = view.process()?;
    ptrace::may_access(&caller, &process, Mode::File).map_err(|error| match error.errno {
        Errno::EPERM => Errno::EACCES.during("inspecting another's process"),
        _ => error,
    })
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
