//! [`Parts`]: what threads may share: memory, open files, directories, namespaces, credentials, signal actions.
//!
//! They are `Arc`s that a thread swaps as a whole. The running thread reads its own through `task.files()` and friends, `/proc` reads others'
//! through the `try_` forms, which know that a thread may have ended.
//!
//! Locks: a thread's `parts` (`Rank::TaskParts`), held for a swap or for taking references, also out of what it holds (`Rank::Files`).

use super::Task;
use super::cred::Cred;
use super::signal::Actions;
use crate::error::{Errno, Result};
use crate::mm::AddressSpace;
use crate::ns::NsProxy;
use crate::vfs::{FdTable, File, FsContext, Path};
use alloc::sync::Arc;

/// What threads may share.
pub(super) struct Parts {
    pub(super) mm: Option<Arc<AddressSpace>>,
    pub(super) files: Option<Arc<FdTable>>,
    pub(super) fs: Option<Arc<FsContext>>,
    pub(super) ns: Option<Arc<NsProxy>>,
    pub(super) cred: Arc<Cred>,
    pub(super) actions: Arc<Actions>,
}

impl Parts {
    /// A kernel thread's: nothing but root's credentials.
    pub(super) fn for_kernel() -> Parts {
        Parts { mm: None, files: None, fs: None, ns: None, cred: Cred::root(), actions: Arc::default() }
    }
}

impl Task {
    /// The user memory; `None` for kernel threads and at the end of a thread's life.
    pub fn mm(&self) -> Option<Arc<AddressSpace>> {
        self.parts.lock().mm.clone()
    }

    /// The open files of the running thread. Others' are [`Task::try_files`].
    pub fn files(&self) -> Arc<FdTable> {
        self.try_files().expect("a running user thread has files")
    }

    /// The open file behind `fd`, or `EBADF`; without a reference to the table in between.
    pub fn file(&self, fd: u32) -> Result<Arc<File>> {
        self.parts.lock().files.as_ref().ok_or(Errno::EBADF)?.get(fd)
    }

    /// Root and working directory of the running thread, and its credentials: what a path walk needs, under one lock.
    pub fn standing(&self) -> (Path, Path, Arc<Cred>) {
        let parts = self.parts.lock();
        let (root, cwd) = parts.fs.as_ref().expect("a running user thread has a file-system context").both();
        (root, cwd, parts.cred.clone())
    }

    /// Root, working directory and umask of the running thread. Others' are [`Task::try_fs`].
    pub fn fs(&self) -> Arc<FsContext> {
        self.try_fs().expect("a running user thread has a file-system context")
    }

    /// The namespaces of the running thread. Others' are [`Task::try_ns`].
    pub fn ns(&self) -> Arc<NsProxy> {
        self.try_ns().expect("a running user thread has namespaces")
    }

    /// The open files, unless the thread has ended or is the kernel's.
    pub fn try_files(&self) -> Option<Arc<FdTable>> {
        self.parts.lock().files.clone()
    }

    /// Root, working directory and umask, unless the thread has ended or is the kernel's.
    pub fn try_fs(&self) -> Option<Arc<FsContext>> {
        self.parts.lock().fs.clone()
    }

    /// The namespaces, unless the thread has ended or is the kernel's.
    pub fn try_ns(&self) -> Option<Arc<NsProxy>> {
        self.parts.lock().ns.clone()
    }

    /// The credentials.
    pub fn cred(&self) -> Arc<Cred> {
        self.parts.lock().cred.clone()
    }

    /// Replaces the credentials.
    pub fn set_cred(&self, cred: Cred) {
        let old = core::mem::replace(&mut self.parts.lock().cred, Arc::new(cred));
        drop(old);
    }

    /// Changes the credentials.
    pub fn change_cred(&self, change: impl FnOnce(&mut Cred)) {
        let mut cred = (*self.cred()).clone();
        change(&mut cred);
        self.set_cred(cred);
    }

    /// Replaces what is given, all at once (unshare(2), setns(2)).
    pub fn replace_shared(
        &self,
        files: Option<Arc<FdTable>>,
        fs: Option<Arc<FsContext>>,
        ns: Option<NsProxy>,
        cred: Option<Arc<Cred>>,
    ) {
        let mut new = (files, fs, ns.map(Arc::new), cred);
        {
            let mut parts = self.parts.lock();
            if new.0.is_some() {
                core::mem::swap(&mut parts.files, &mut new.0);
            }
            if new.1.is_some() {
                core::mem::swap(&mut parts.fs, &mut new.1);
            }
            if new.2.is_some() {
                core::mem::swap(&mut parts.ns, &mut new.2);
            }
            if let Some(cred) = &mut new.3 {
                core::mem::swap(&mut parts.cred, cred);
            }
        }
        // The old ones are dropped outside the lock: closing files may sleep.
        drop(new);
    }

    /// The signal actions.
    pub(super) fn actions(&self) -> Arc<Actions> {
        self.parts.lock().actions.clone()
    }
}
