//! Threads and processes: scheduling, birth and death, credentials, signals, groups and sessions, futexes.
//!
//! Key types: [`Task`], a thread; [`Process`], a thread group; [`Pid`], what a number in a pid table names; [`Cred`];
//! [`ProcessGroup`] and [`Session`]. A user thread lives in [`user::run`]: user code, then a system call or a fault, then signals.
//!
//! Neighbours: `syscall` calls in here; `mm`, `vfs`, `ns` and `cgroup` hold what a thread uses; `sync` sleeps through [`sched`].
//!
//! Locks, outermost first: `process::tree`, `Process::family`, a group's members, pid tables, thread lists, signal actions, process signals, thread signals,
//! a thread's parts. `hal::sync::Rank` has them in this order.

pub mod clone;
mod cputimer;
pub mod cred;
mod exec;
mod exit;
pub mod futex;
pub mod group;
pub mod iocount;
mod itimer;
pub mod locks;
pub mod oom;
mod parts;
mod pid;
pub mod pidfd;
pub mod process;
pub mod ptrace;
pub mod rlimit;
pub mod sched;
pub mod signal;
pub mod sleepers;
mod thread;
mod usage;
mod user;
pub mod wait;

pub use cputimer::CpuTimer;
pub use cred::{Cap, CapSet, Cred};
pub use exec::exec_commit;
pub use exit::{exit_group, exit_thread};
pub use group::{ControllingTty, ProcessGroup, Session};
pub use pid::Pid;
pub use process::{CpuTimes, Process, all_in};
pub use sched::{breathe, spawn_kernel, with_current};
pub use signal::{fatal_signal_pending, signal_pending};
pub use thread::{Restart, Task};
pub use usage::Usage;
pub use user::start_init;

use crate::error::{Errno, Error};
use alloc::sync::{Arc, Weak};
use hal::sync::Lazy;

/// The running thread. Panics on an idle or booting CPU, where no kernel code that needs one runs.
pub fn current() -> Arc<Task> {
    sched::current().expect("kernel code that needs a thread runs in one")
}

/// The running thread; `None` on an idle or booting CPU and in host tests.
pub fn try_current() -> Option<Arc<Task>> {
    sched::current()
}

/// `RLIMIT_FSIZE` of the running process; the kernel's own threads have no limit.
pub fn file_size_limit() -> u64 {
    let mut limit = rlimit::INFINITY;
    with_current(|task| limit = task.process.file_size_limit());
    limit
}

/// What a write past `RLIMIT_FSIZE` gets: `EFBIG`, and `SIGXFSZ`.
pub fn file_too_large() -> Error {
    if let Some(task) = try_current() {
        signal::send_to_task(&task, signal::Signal::XFSZ);
    }
    Errno::EFBIG.during("writing past the limit on a file's size")
}

/// Whether a signal waits for the running thread.
pub fn signal_pending_current() -> bool {
    let mut pending = false;
    with_current(|task| pending = signal_pending(task));
    pending
}

/// Bytes moved in one system call between two looks at what else waits.
const BREATH: usize = 64 * hal::frame::SIZE;

/// For loops that move many bytes: [`breathe`]s now and then as `done` grows, by `moved` just now. True if the thread is about to die and
/// should stop.
pub fn breathe_after(done: usize, moved: usize) -> bool {
    passes_mark(done, moved) && breathe_or_stop()
}

/// A piece may be of any size: what counts is that it passes a multiple of [`BREATH`], not that it ends there.
fn passes_mark(done: usize, moved: usize) -> bool {
    (done - moved) / BREATH != done / BREATH
}

/// For long loops: [`breathe`]s. True if the thread is about to die and should stop.
pub fn breathe_or_stop() -> bool {
    breathe();
    let mut dies = false;
    with_current(|task| dies = fatal_signal_pending(task));
    dies
}

/// The session of the running thread.
pub fn session_of_current() -> Arc<Session> {
    current().process.session()
}

/// The process that kernel threads belong to: pid 0, in no table, no memory, no files.
pub(crate) fn kernel_process() -> &'static Arc<Process> {
    static KERNEL: Lazy<Arc<Process>> = Lazy::new(|| {
        let pid = Pid::kernel();
        let session = Session::new(pid.clone());
        let group = ProcessGroup::new(pid.clone(), session);
        Process::new(pid, Weak::new(), group, rlimit::Limits::default(), 0)
    });
    &KERNEL
}

#[cfg(test)]
mod tests {
    use super::{BREATH, passes_mark};

    #[test]
    fn pieces_of_any_size_pass_the_mark() {
        for piece in [3, 8, 4096, BREATH, BREATH + 1] {
            let passed = (1..).map(|count| count * piece).take_while(|&done| done <= 4 * BREATH + piece);
            let marks = passed.filter(|&done| passes_mark(done, piece)).count();
            assert!((3..=5).contains(&marks), "{piece}: {marks}");
        }
    }
}
