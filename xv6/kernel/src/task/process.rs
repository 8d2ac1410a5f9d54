//! [`Process`]: a thread group, as the rest of the system knows it: pid, parent and children, group, limits, exit status.
//!
//! Its threads are [`Task`]s. A process is born in `clone`, becomes a zombie in `exit`, and is reaped in `wait`.
//!
//! Locks: [`tree`], one spin lock for every change of who is whose parent, child or group member; `family`, `threads` and `limits` are
//! small spin locks inside it, taken one at a time; `signals` (`Rank::ProcessSignals`) may be taken under `tree`.

use super::cred::Cred;
use super::group::{ProcessGroup, Session};
use super::rlimit::{Limits, Resource};
use super::signal::{ProcessSignals, Signal};
use super::{Pid, Task, Usage};
use crate::cgroup::TaskCharge;
use crate::ns::PidNamespace;
use crate::sync::WaitQueue;
use crate::vfs::text::Running;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI16, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use hal::sync::{Rank, SpinGuard, SpinLock};

static TREE: SpinLock<()> = SpinLock::new(Rank::TaskTree, "process tree", ());

/// Serialises every change of the process tree: parents, children, groups, sessions, exits.
pub fn tree() -> SpinGuard<'static, ()> {
    TREE.lock()
}

/// Who a process belongs to.
pub(super) struct Family {
    pub(super) parent: Weak<Process>,
    /// By their number in the initial namespace.
    pub(super) children: BTreeMap<u32, Arc<Process>>,
    pub(super) group: Arc<ProcessGroup>,
}

/// The threads that live.
#[derive(Default)]
pub(super) struct Threads {
    pub(super) list: Vec<Arc<Task>>,
}

/// What stays of a process after its last thread, for wait(2) and `/proc`.
pub(super) struct Remains {
    pub(super) comm: [u8; 16],
    pub(super) cred: Arc<Cred>,
}

/// CPU time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
}

impl CpuTimes {
    /// The sum of both.
    pub fn plus(self, other: CpuTimes) -> CpuTimes {
        CpuTimes { user: self.user + other.user, system: self.system + other.system }
    }
}

/// Alive: it has threads.
const ALIVE: u8 = 0;
/// All threads have ended; the parent has not waited yet.
const ZOMBIE: u8 = 1;
/// Waited for: gone from all tables.
const REAPED: u8 = 2;

/// A process.
pub struct Process {
    /// Its id.
    pub pid: Arc<Pid>,
    /// When it started, on the monotonic clock.
    pub start_ns: u64,
    pub(super) family: SpinLock<Family>,
    /// The parent's number in this process's own namespace, 0 if it has none there: getppid(2) takes no lock.
    parent_number: AtomicU32,
    pub(super) threads: SpinLock<Threads>,
    pub(super) signals: SpinLock<ProcessSignals>,
    pub(super) limits: SpinLock<Limits>,
    pub(super) remains: SpinLock<Option<Remains>>,
    /// The first thread's place in its cgroup, once that thread has ended: uncharged when the process is reaped.
    pub(super) leader_charge: SpinLock<Option<TaskCharge>>,
    /// What ended threads, and waited-for children, have used.
    pub(super) spent: SpinLock<(Usage, Usage)>,
    /// The peak of the memories that it has left, by execve(2) or at its end.
    pub(super) peak: AtomicUsize,
    pub(super) exe: SpinLock<Option<Arc<Running>>>,
    /// Whom it traces.
    pub(super) tracer: super::ptrace::TracerCell,
    /// Who traced its first thread, which has ended: it is told of the process's end.
    pub(super) traced_by: SpinLock<Weak<Process>>,
    /// `SIGKILL` came: nothing holds its threads any more.
    pub(super) killed: AtomicBool,
    pub(super) timers: super::itimer::Timers,
    pub(super) cpu_timers: super::cputimer::CpuTimers,
    /// `RLIMIT_FSIZE`, for writes to see without a lock.
    file_size_limit: AtomicU64,
    state: AtomicU8,
    /// The status as wait(2) encodes it, valid once a zombie.
    pub(super) status: AtomicU32,
    /// Set when the whole group must end (exit_group, a fatal signal, exec from another thread).
    pub(super) exiting: AtomicBool,
    /// A thread executes a program and waits for the others to end.
    pub(super) executing: AtomicBool,
    /// An init that ends: its children leave no zombies.
    pub(super) vanishing_children: AtomicBool,
    /// The signal the parent gets at exit (clone(2)); 0 for none.
    pub(super) exit_signal: AtomicU8,
    /// `PR_SET_CHILD_SUBREAPER`.
    pub(super) subreaper: AtomicBool,
    /// An ancestor is a subreaper: orphans must look for it.
    pub(super) has_subreaper: AtomicBool,
    /// It has executed a program since its fork (setpgid(2) is then `EACCES` for its parent).
    pub(super) executed: AtomicBool,
    /// `PR_SET_DUMPABLE`.
    pub(super) dumpable: AtomicU8,
    /// Who goes first when memory runs out (`/proc/PID/oom_score_adj`), -1000 (never) to 1000.
    pub(super) oom_score_adj: AtomicI16,
    /// What personality(2) set.
    pub personality: AtomicU32,
    /// `PR_SET_PDEATHSIG`.
    pub(super) parent_death_signal: AtomicU8,
    /// The number of the parent's thread that made it, in that thread's own namespace; 0: none of the parent's did.
    pub(super) made_by: AtomicU32,
    /// Threads that called execve(2) and wait to be alone wait here; so do those who wait for stops to end.
    pub(super) threads_gone: WaitQueue,
    /// Threads of this process that wait for its children.
    pub(super) child_changed: WaitQueue,
    /// Whoever watches this process end (pidfds).
    pub exited: WaitQueue,
}

impl Process {
    pub(super) fn new(
        pid: Arc<Pid>,
        parent: Weak<Process>,
        group: Arc<ProcessGroup>,
        limits: Limits,
        exit_signal: u8,
    ) -> Arc<Process> {
        let family = Family { parent, children: BTreeMap::new(), group };
        Arc::new(Process {
            start_ns: hal::time::now_ns(),
            family: SpinLock::new(Rank::Task, "process family", family),
            parent_number: AtomicU32::new(0),
            threads: SpinLock::new(Rank::Threads, "thread list", Threads::default()),
            signals: SpinLock::new(Rank::ProcessSignals, "process signals", ProcessSignals::default()),
            cpu_timers: super::cputimer::CpuTimers::new(limits.get(Resource::Cpu)),
            file_size_limit: AtomicU64::new(limits.get(Resource::FileSize).0),
            limits: SpinLock::new(Rank::Leaf, "resource limits", limits),
            remains: SpinLock::new(Rank::Leaf, "process remains", None),
            leader_charge: SpinLock::new(Rank::Charge, "leader's charge", None),
            spent: SpinLock::new(Rank::Leaf, "process usage", Default::default()),
            peak: AtomicUsize::new(0),
            exe: SpinLock::new(Rank::Leaf, "program file", None),
            tracer: super::ptrace::no_tracer(),
            traced_by: SpinLock::new(Rank::Leaf, "former tracer", Weak::new()),
            killed: AtomicBool::new(false),
            timers: super::itimer::Timers::default(),
            state: AtomicU8::new(ALIVE),
            status: AtomicU32::new(0),
            exiting: AtomicBool::new(false),
            executing: AtomicBool::new(false),
            vanishing_children: AtomicBool::new(false),
            exit_signal: AtomicU8::new(exit_signal),
            subreaper: AtomicBool::new(false),
            has_subreaper: AtomicBool::new(false),
            executed: AtomicBool::new(false),
            dumpable: AtomicU8::new(1),
            oom_score_adj: AtomicI16::new(0),
            personality: AtomicU32::new(0),
            parent_death_signal: AtomicU8::new(0),
            made_by: AtomicU32::new(0),
            threads_gone: WaitQueue::new(),
            child_changed: WaitQueue::new(),
            exited: WaitQueue::new(),
            pid,
        })
    }

    /// Lets the process be found by its pid. Under the tree lock, once it has its relatives.
    pub(super) fn publish(self: &Arc<Self>) {
        self.pid.set_process(Arc::downgrade(self));
    }

    /// The parent; `None` for the first process, for kernel threads, and once reaped.
    pub fn parent(&self) -> Option<Arc<Process>> {
        self.family.lock().parent.upgrade()
    }

    /// The parent's number as `namespace` sees it; 0 if it does not.
    pub fn parent_nr(&self, namespace: &PidNamespace) -> u32 {
        self.parent().map_or(0, |parent| parent.pid.nr_or_zero(namespace))
    }

    /// The parent's number in the process's own namespace; 0 if it is not seen there.
    pub fn own_parent_nr(&self) -> u32 {
        self.parent_number.load(Ordering::Relaxed)
    }

    /// Names the parent, whose thread `made_by` made the process, if it is not 0. Under the tree lock.
    pub(super) fn set_parent(&self, parent: Option<&Arc<Process>>, made_by: u32) {
        self.made_by.store(made_by, Ordering::Relaxed);
        let number = match (parent, self.pid.namespace()) {
            (Some(parent), Some(namespace)) => parent.pid.nr_or_zero(namespace),
            _ => 0,
        };
        self.parent_number.store(number, Ordering::Relaxed);
        let new = parent.map_or_else(Weak::new, Arc::downgrade);
        let old = core::mem::replace(&mut self.family.lock().parent, new);
        drop(old);
    }

    /// The children, zombies too, oldest first by pid.
    pub fn children(&self) -> Vec<Arc<Process>> {
        self.family.lock().children.values().cloned().collect()
    }

    /// The process group.
    pub fn group(&self) -> Arc<ProcessGroup> {
        self.family.lock().group.clone()
    }

    /// The session.
    pub fn session(&self) -> Arc<Session> {
        self.family.lock().group.session.clone()
    }

    /// True if it leads its session.
    pub fn is_session_leader(&self) -> bool {
        Arc::ptr_eq(&self.session().pid, &self.pid)
    }

    /// The threads that live now.
    pub fn threads(&self) -> Vec<Arc<Task>> {
        self.threads.lock().list.clone()
    }

    /// How many threads live now.
    pub fn thread_count(&self) -> usize {
        self.threads.lock().list.len()
    }

    /// The first thread, or the oldest that lives; `None` for a zombie.
    pub fn leader(&self) -> Option<Arc<Task>> {
        self.threads.lock().list.first().cloned()
    }

    /// True once all threads have ended (reaped or not).
    pub fn is_zombie(&self) -> bool {
        self.state.load(Ordering::Acquire) != ALIVE
    }

    /// True once waited for.
    pub fn is_reaped(&self) -> bool {
        self.state.load(Ordering::Acquire) == REAPED
    }

    pub(super) fn set_zombie(&self) {
        self.state.store(ZOMBIE, Ordering::Release);
    }

    /// Zombie to reaped; false if somebody else was faster.
    pub(super) fn claim(&self) -> bool {
        self.state.compare_exchange(ZOMBIE, REAPED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// True while it is stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        self.signals.lock().stopped.is_some()
    }

    /// True if it is number 1 of its pid namespace.
    pub fn is_ns_init(&self) -> bool {
        self.pid.own() == 1
    }

    /// Whether others with its user id may look into it (`PR_SET_DUMPABLE`).
    pub fn is_dumpable(&self) -> bool {
        self.dumpable.load(Ordering::Relaxed) == 1
    }

    /// `/proc/PID/oom_score_adj`.
    pub fn oom_score_adj(&self) -> i16 {
        self.oom_score_adj.load(Ordering::Relaxed)
    }

    /// Sets `/proc/PID/oom_score_adj`.
    pub fn set_oom_score_adj(&self, value: i16) {
        self.oom_score_adj.store(value, Ordering::Relaxed);
    }

    /// The wait(2) status of a zombie.
    pub fn status(&self) -> u32 {
        self.status.load(Ordering::Acquire)
    }

    /// The name of the first thread (comm).
    pub fn comm(&self) -> Vec<u8> {
        match self.leader() {
            Some(task) => task.comm(),
            None => {
                self.remains.lock().as_ref().map_or_else(Vec::new, |remains| super::thread::comm_text(&remains.comm))
            }
        }
    }

    /// The first thread's credentials (kept for a zombie).
    pub fn cred(&self) -> Option<Arc<Cred>> {
        match self.leader() {
            Some(task) => Some(task.cred()),
            None => self.remains.lock().as_ref().map(|remains| remains.cred.clone()),
        }
    }

    /// The program.
    pub fn exe(&self) -> Option<Arc<Running>> {
        self.exe.lock().clone()
    }

    /// One limit of getrlimit(2): (soft, hard).
    pub fn limit(&self, resource: Resource) -> (u64, u64) {
        self.limits.lock().get(resource)
    }

    /// The soft `RLIMIT_FSIZE`.
    pub fn file_size_limit(&self) -> u64 {
        self.file_size_limit.load(Ordering::Relaxed)
    }
}

impl Process {
    /// Sets one limit.
    pub fn set_limit(&self, resource: Resource, soft: u64, hard: u64) {
        self.limits.lock().set(resource, soft, hard);
        match resource {
            Resource::FileSize => self.file_size_limit.store(soft, Ordering::Relaxed),
            Resource::Cpu => self.cpu_limit_changed(),
            _ => {}
        }
    }

    /// The real-time alarm: (time left, interval) in ns; 0 left when it is not set.
    pub fn alarm(&self) -> (u64, u64) {
        self.timers.real()
    }

    /// Sets the alarm to ring in `value` ns (0: never), and every `interval` ns after (0: once); returns what was left.
    pub fn set_alarm(self: &Arc<Self>, value: u64, interval: u64) -> (u64, u64) {
        self.timers.set_real(self, value, interval)
    }

    /// The signal it gets when its parent ends.
    pub fn parent_death_signal(&self) -> Option<Signal> {
        Signal::new(u32::from(self.parent_death_signal.load(Ordering::Relaxed)))
    }

    /// Sets the signal it gets when its parent ends.
    pub fn set_parent_death_signal(&self, signal: Option<Signal>) {
        self.parent_death_signal.store(signal.map_or(0, Signal::number) as u8, Ordering::Relaxed);
    }

    /// `PR_SET_DUMPABLE`.
    pub fn set_dumpable(&self, dumpable: bool) {
        self.dumpable.store(dumpable.into(), Ordering::Relaxed);
    }

    /// Whether orphans below it become its children.
    pub fn is_subreaper(&self) -> bool {
        self.subreaper.load(Ordering::Relaxed)
    }

    /// Makes it adopt orphans below it, or not. Processes that exist already know of it, too.
    pub fn set_subreaper(self: &Arc<Self>, on: bool) {
        self.subreaper.store(on, Ordering::Relaxed);
        if on {
            let mut left = self.children();
            while let Some(child) = left.pop() {
                child.has_subreaper.store(true, Ordering::Relaxed);
                left.extend(child.children());
            }
        }
    }
}

/// Every process that `namespace` sees, zombies too, in ascending order of pid. A fork in progress is either in the list or will find the signals
/// that are sent to the processes listed.
pub fn all_in(namespace: &PidNamespace) -> Vec<Arc<Process>> {
    let _tree = tree();
    namespace.pids().iter().filter_map(|pid| pid.process()).filter(|process| !process.is_reaped()).collect()
}
