//! The point of no return of execve(2): a loaded [`Image`] becomes the running process's program.
//!
//! Locks: none held across; each swapped part has its own.

use super::signal::{self, AltStack};
use super::thread::{Task, comm_bytes};
use super::{exit, process, ptrace};
use crate::error::{Errno, Result};
use crate::exec::Image;
use crate::vfs::FdTable;
use alloc::sync::Arc;
use core::mem;
use core::sync::atomic::Ordering;
use hal::user::UserContext;

/// Where a program starts.
pub(super) struct Start {
    pub(super) entry: usize,
    pub(super) sp: usize,
}

impl Start {
    pub(super) fn of(image: &Image) -> Start {
        Start { entry: image.entry, sp: image.sp }
    }
}

/// Makes `image` the program of the calling thread's process: ends the other threads, takes the new memory, resets handlers, closes
/// close-on-exec files, honours set-user-ID, lets a vfork(2) parent go on. `EAGAIN` if another thread ends the process or executes a program first:
/// until then nothing has changed.
pub fn exec_commit(task: &Arc<Task>, user: &mut UserContext, image: Image) -> Result<()> {
    let former = task.tid();
    if !exit::end_other_threads(task) {
        return Err(Errno::EAGAIN.during("executing a program while the process ends"));
    }
    exit::leave_memory(task);
    let (entry, sp) = (image.entry, image.sp);
    image.space.activate();
    let files = task.files();
    // A table shared with another process (CLONE_FILES) is no longer shared after an exec.
    let files: Arc<FdTable> = if Arc::strong_count(&files) > 2 { Arc::new(files.fork()) } else { files };
    let actions = task.actions().exec();
    // Whoever traces a program gets no more power by it (ptrace(2), execve(2)).
    let (set_uid, set_gid) = if ptrace::holds_back(task) { (None, None) } else { (image.set_uid, image.set_gid) };
    let cred = Arc::new(task.cred().after_exec(set_uid, set_gid));
    // What is replaced may be the last of its kind, and ends when nothing is locked.
    let replaced = {
        let mut parts = task.parts.lock();
        let files = parts.files.replace(files.clone());
        let (actions, cred) = (mem::replace(&mut parts.actions, actions), mem::replace(&mut parts.cred, cred));
        (files, actions, cred, parts.mm.replace(image.space))
    };
    if let (.., Some(memory)) = &replaced {
        task.process.note_peak(memory.resident_peak());
    }
    drop(replaced);
    files.close_on_exec();
    {
        let mut own = task.signals.lock();
        own.alt_stack = AltStack::default();
        own.fault = [0; 3];
    }
    task.clear_child_tid.store(0, Ordering::Relaxed);
    let old_exe = task.process.exe.lock().replace(image.exe);
    drop(old_exe);
    task.set_comm_raw(comm_bytes(&image.comm));
    let process = &task.process;
    process.dumpable.store(1, Ordering::Relaxed);
    process.exit_signal.store(signal::Signal::CHLD.number() as u8, Ordering::Relaxed);
    {
        let _tree = process::tree();
        process.executed.store(true, Ordering::Relaxed);
    }
    user.reset(entry, sp);
    // No system call's result goes into the new program's registers, and none restarts.
    user.regs.orig_rax = u64::MAX;
    ptrace::executed(task, user, &former);
    Ok(())
}
