//! procfs (proc(5)): processes and the kernel's numbers as files, seen from one pid namespace.
//!
//! [`ProcFs`] is one mount and shows the pid namespace its mounter was in. Every file is a [`Row`] of a table and a
//! function that makes its text when it is read: `system` has the tables of `/proc` itself, `process` those of
//! `/proc/PID` and `/proc/PID/task/TID`, the other files make the texts, one subject each. `node` turns rows into
//! inodes, `lists` has the folders whose entries are not rows (pids, threads, descriptors). This file system and
//! cgroupfs are views: the only ones that look up into `task`.
//!
//! Locks: none of its own.

mod access;
mod idmap;
mod limits;
mod lists;
mod mem;
mod memory;
mod mounts;
mod namespaces;
mod node;
mod process;
mod smaps;
mod stat;
mod status;
mod sysctl;
mod system;
mod usage;

use crate::error::{Errno, Result};
use crate::ns::PidNamespace;
use crate::task::{Process, Task};
use crate::vfs::fstype::Source;
use crate::vfs::inode::{FileSystem, InodeRef, StatFs};
use crate::vfs::{File, FsType, MountArgs, Path, new_dev};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

/// statfs(2)'s `f_type` of proc.
const MAGIC: u64 = 0x9fa0;

/// One mount.
pub struct ProcFs {
    dev: u64,
    ns: Arc<PidNamespace>,
    this: Weak<ProcFs>,
}

/// The type `proc`.
pub static TYPE: FsType = FsType { name: "proc", source: Source::Any, mount, in_user_ns: true };

/// Makes an instance that shows the caller's pid namespace.
fn mount(_args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    let ns = crate::task::try_current().map_or_else(|| PidNamespace::initial().clone(), |task| task.pid_ns());
    Ok(Arc::new_cyclic(|this| ProcFs { dev: new_dev(), ns, this: this.clone() }))
}

/// Makes a file's text.
type Show = fn(&View) -> Result<Vec<u8>>;
/// Takes a message.
type Store = fn(&View, &[u8]) -> Result<()>;

/// One file or folder with a fixed name.
pub struct Row {
    name: &'static str,
    mode: u16,
    what: What,
    /// Only for those who may inspect the process (ptrace(2), "Ptrace access mode checking").
    private: bool,
}

/// What a row is.
#[derive(Clone, Copy)]
enum What {
    /// A file.
    Text(Show),
    /// A file that takes messages too.
    Knob(Show, Store),
    /// A symlink with a text.
    Link(Show),
    /// A link that leads to a place without walking its text; the second function makes the text.
    Magic(fn(&View) -> Result<Path>, Show),
    /// A process's memory.
    Memory,
    /// A folder of rows.
    Rows(&'static [Row]),
    /// A process's own folder, of rows.
    Process(&'static [Row]),
    /// A folder of other things.
    List(&'static dyn lists::List),
}

impl Row {
    const fn text(name: &'static str, show: Show) -> Row {
        Row { name, mode: 0o444, what: What::Text(show), private: false }
    }

    const fn knob(name: &'static str, show: Show, store: Store) -> Row {
        Row { name, mode: 0o644, what: What::Knob(show, store), private: false }
    }

    const fn link(name: &'static str, show: Show) -> Row {
        Row { name, mode: 0o777, what: What::Link(show), private: false }
    }

    const fn magic(name: &'static str, place: fn(&View) -> Result<Path>, show: Show) -> Row {
        Row { name, mode: 0o777, what: What::Magic(place, show), private: true }
    }

    const fn memory(name: &'static str) -> Row {
        Row { name, mode: 0o600, what: What::Memory, private: true }
    }

    const fn rows(name: &'static str, rows: &'static [Row]) -> Row {
        Row { name, mode: 0o555, what: What::Rows(rows), private: false }
    }

    const fn list(name: &'static str, list: &'static dyn lists::List) -> Row {
        Row { name, mode: 0o555, what: What::List(list), private: false }
    }

    const fn private(self) -> Row {
        Row { mode: self.mode & 0o700, private: true, ..self }
    }
}

/// The process whose folder, `/proc/PID`, `file` is: `EBADF` for other files, `ESRCH` if it is gone.
pub fn process_of(file: &File) -> Result<Arc<Process>> {
    let node = file.inode.as_any().downcast_ref::<node::ProcNode>();
    node.and_then(|node| node.of_process()).ok_or(Errno::EBADF)?.process()
}

/// Whom a file is about.
#[derive(Clone)]
enum Subject {
    /// The machine.
    System,
    /// A process.
    Process(Weak<Process>),
    /// One thread of a process.
    Thread(Weak<Process>, Weak<Task>),
}

/// What a file's text is made from: the mount and the subject.
#[derive(Clone)]
pub struct View {
    fs: Arc<ProcFs>,
    subject: Subject,
    /// The number of a descriptor folder's entry.
    number: u32,
}

impl View {
    /// The pid namespace the mount shows.
    fn ns(&self) -> &PidNamespace {
        &self.fs.ns
    }

    /// The process, `ESRCH` once it was reaped.
    fn process(&self) -> Result<Arc<Process>> {
        let process = match &self.subject {
            Subject::System => None,
            Subject::Process(process) | Subject::Thread(process, _) => process.upgrade(),
        };
        process.filter(|process| !process.is_reaped()).ok_or(Errno::ESRCH.into())
    }

    /// The thread, or the process's first one; `ESRCH` for a zombie.
    fn thread(&self) -> Result<Arc<Task>> {
        match &self.subject {
            Subject::Thread(_, thread) => thread.upgrade().ok_or(Errno::ESRCH.into()),
            _ => self.process()?.leader().ok_or(Errno::ESRCH.into()),
        }
    }

    /// True for `/proc/PID/task/TID`.
    fn is_thread(&self) -> bool {
        matches!(self.subject, Subject::Thread(..))
    }
}

impl FileSystem for ProcFs {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        let fs = self.this.upgrade().expect("a borrowed file system is alive");
        node::root(View { fs, subject: Subject::System, number: 0 })
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs { magic: MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() })
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn is_fixed(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
