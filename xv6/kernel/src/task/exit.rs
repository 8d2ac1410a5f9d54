//! The end of threads and processes: exit(2), exit_group(2), reparenting, zombies, the end of a pid namespace.
//!
//! A thread ends on its way to user mode, never in the middle of a system call, so its kernel stack owns nothing when it goes. What it held is
//! dropped first (files may sleep), then it leaves its process; the last thread turns the process into a zombie.
//!
//! Locks: `process::tree` for everything between relatives; files, memory and namespaces are dropped outside all locks.

use super::process::{self, Remains};
use super::signal::{self, ChildEvent, SigInfo, Signal};
use super::{Process, Task, futex, group, ptrace};
use crate::mm;
use crate::ns::PidNamespace;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// exit(2): ends the calling thread, and its process if it is the last, with exit status `code`.
pub fn exit_thread(task: &Arc<Task>, code: i32) {
    if !task.process.exiting.load(Ordering::Acquire) && Arc::ptr_eq(&task.tid(), &task.process.pid) {
        task.process.status.store(exit_status(code), Ordering::Release);
    }
    task.trace.lock().set_exit_status(exit_status(code));
    task.exiting.store(true, Ordering::Release);
    task.set_work(super::thread::WORK_SIGNAL);
}

/// exit_group(2): ends every thread of the calling process, with exit status `code`.
pub fn exit_group(task: &Arc<Task>, code: i32) {
    signal::begin_exit(&task.process, exit_status(code));
}

fn exit_status(code: i32) -> u32 {
    ((code as u32) & 0xff) << 8
}

/// Leaves the user memory: robust futexes and the thread id's word are released, and a parent in vfork(2) goes on.
pub(super) fn leave_memory(task: &Arc<Task>) {
    futex::release_robust(task);
    let word = task.clear_child_tid.swap(0, Ordering::Relaxed);
    // Somebody else sees this memory only if it is shared; the parts and `mm` here are two references.
    if word != 0 && task.mm().is_some_and(|mm| Arc::strong_count(&mm) > 2) && mm::user::write(word, &0u32).is_ok() {
        futex::wake_address(task, word, 1);
    }
    let memory = task.parts.lock().mm.take();
    if let Some(memory) = &memory {
        task.process.note_peak(memory.resident_peak());
        hal::paging::activate_kernel();
    }
    drop(memory);
    let waiter = task.vfork.lock().take();
    if let Some(waiter) = waiter {
        waiter.finish();
    }
}

/// Makes every other thread of the process end, and waits for it: for execve(2). The caller then has the process's pid as its thread id. False if
/// the process itself is ending.
pub(super) fn end_other_threads(task: &Arc<Task>) -> bool {
    let process = &task.process;
    {
        let _signals = process.signals.lock();
        if process.exiting.load(Ordering::Acquire) || process.executing.swap(true, Ordering::AcqRel) {
            return false;
        }
    }
    let threads = {
        // Under the tree lock, where a clone in progress looks whether it may still add a thread.
        let _tree = process::tree();
        process.threads()
    };
    for other in threads {
        if !Arc::ptr_eq(&other, task) {
            other.exiting.store(true, Ordering::Release);
            signal::wake(&other);
        }
    }
    process.threads_gone.wait(|| (process.thread_count() == 1).then_some(()));
    process.executing.store(false, Ordering::Release);
    if !Arc::ptr_eq(&task.tid(), &process.pid) {
        task.set_tid(&process.pid);
        // The first thread's charge was kept for the process; this thread's own takes its place.
        let kept = process.leader_charge.lock().take();
        drop(kept);
    }
    !process.exiting.load(Ordering::Acquire)
}

/// The last thing a thread does before it leaves its stack.
pub(super) fn finish_thread(task: &Arc<Task>) {
    task.exiting.store(true, Ordering::Release);
    leave_memory(task);
    let (files, fs) = {
        let mut parts = task.parts.lock();
        (parts.files.take(), parts.fs.take())
    };
    drop((files, fs));
    let process = task.process.clone();
    let ns = task.parts.lock().ns.take();
    drop(ns);
    let is_first = Arc::ptr_eq(&task.tid(), &process.pid);
    let mut charge = task.take_charge();
    if let Some(charge) = &mut charge {
        charge.exited();
    }
    if is_first {
        *process.leader_charge.lock() = charge;
    } else {
        drop(charge);
    }
    process.keep_usage(task);
    ptrace::tracing_thread_ended(task);
    ptrace::thread_ended(task);
    let last = {
        let mut threads = process.threads.lock();
        threads.list.retain(|other| !Arc::ptr_eq(other, task));
        if threads.list.is_empty() {
            *process.remains.lock() = Some(Remains { comm: task.comm_raw(), cred: task.cred() });
        }
        threads.list.is_empty()
    };
    if last {
        end_process(&process);
    } else {
        process.threads_gone.wake_all();
        signal::report_if_at_rest(&process);
    }
}

/// Signals to send once the tree lock is released.
type Letters = Vec<(Arc<Process>, SigInfo)>;

/// Turns a process without threads into a zombie, gives its children away and tells its parent.
fn end_process(process: &Arc<Process>) {
    if process.is_ns_init() {
        end_namespace(process);
    }
    process.timers.cancel();
    let exe = process.exe.lock().take();
    drop(exe);
    let leads = process.is_session_leader();
    if leads {
        let session = process.session();
        if let Some(tty) = session.tty() {
            tty.leader_exited();
        }
    }
    let mut letters = Letters::new();
    let mut dead_children = Vec::new();
    let parent = {
        let _tree = process::tree();
        let children = core::mem::take(&mut process.family.lock().children);
        for child in children.into_values() {
            adopt(process, child, &mut letters, &mut dead_children);
        }
        let mine = process.group();
        let parent = process.parent();
        // Our exit may orphan our own group: whoever is stopped in it must not stay so for ever.
        let counted = parent.as_ref().is_some_and(|parent| {
            let theirs = parent.group();
            !Arc::ptr_eq(&theirs, &mine) && Arc::ptr_eq(&theirs.session, &mine.session)
        });
        if counted && mine.is_orphaned_without(Some(process)) && mine.has_stopped() {
            hang_up(&mine, &mut letters);
        }
        process.set_zombie();
        parent
    };
    for (target, info) in letters {
        signal::send_info_to_process(&target, info);
    }
    for child in dead_children {
        if let Some(parent) = child.parent()
            && signal::notify_parent(&child, &parent, &ChildEvent::Exited(child.status()))
        {
            reap(&child);
        }
    }
    ptrace::tracer_ended(process);
    ptrace::process_ended(process, parent.as_ref());
    process.exited.wake_all();
    let vanishes = match &parent {
        Some(parent) => signal::notify_parent(process, parent, &ChildEvent::Exited(process.status())),
        None => true,
    };
    if vanishes {
        reap(process);
    }
    for (namespace, _) in process.pid.numbers() {
        if namespace.is_dead() {
            namespace.drained.wake_all();
        }
    }
    if process.pid.global() == 1 {
        hal::log::record(
            hal::log::Level::Emergency,
            format_args!("init (pid 1) ended with status {:#x}: powering off", process.status()),
        );
        crate::power::halt_after_init(process.status());
    }
}

/// Gives `child` of the ending `process` to its new parent. Under the tree lock.
fn adopt(process: &Arc<Process>, child: Arc<Process>, letters: &mut Letters, dead: &mut Vec<Arc<Process>>) {
    let reaper = find_reaper(process, &child);
    child.set_parent(reaper.as_ref(), 0);
    if let Some(number) = Signal::new(u32::from(child.parent_death_signal.load(Ordering::Relaxed))) {
        letters.push((child.clone(), SigInfo::kernel(number)));
    }
    // A child made with another signal tells its new parent by SIGCHLD.
    child.exit_signal.store(Signal::CHLD.number() as u8, Ordering::Relaxed);
    let group = child.group();
    let mine = process.group();
    if !Arc::ptr_eq(&group, &mine)
        && Arc::ptr_eq(&group.session, &mine.session)
        && group.is_orphaned()
        && group.has_stopped()
    {
        hang_up(&group, letters);
    }
    if child.is_zombie() {
        dead.push(child.clone());
    }
    if let Some(reaper) = reaper {
        reaper.family.lock().children.insert(child.pid.global(), child);
    }
}

fn hang_up(group: &Arc<group::ProcessGroup>, letters: &mut Letters) {
    for member in group.members() {
        letters.push((member.clone(), SigInfo::kernel(Signal::HUP)));
        letters.push((member, SigInfo::kernel(Signal::CONT)));
    }
}

/// Who takes the children of an ending process (prctl(2), `PR_SET_CHILD_SUBREAPER`; pid_namespaces(7)).
fn find_reaper(process: &Arc<Process>, child: &Arc<Process>) -> Option<Arc<Process>> {
    let namespace = process.pid.namespace()?;
    if process.has_subreaper.load(Ordering::Relaxed) {
        let mut at = process.parent();
        while let Some(ancestor) = at {
            let same = ancestor.pid.namespace().is_some_and(|theirs| Arc::ptr_eq(theirs, namespace));
            if !same || ancestor.is_ns_init() {
                break;
            }
            if ancestor.subreaper.load(Ordering::Relaxed) && !ancestor.is_zombie() {
                return Some(ancestor);
            }
            at = ancestor.parent();
        }
    }
    let mut namespace = Some(namespace);
    while let Some(ns) = namespace {
        if let Some(init) = ns.init()
            && !Arc::ptr_eq(&init, process)
            && !Arc::ptr_eq(&init, child)
            && !init.is_zombie()
        {
            return Some(init);
        }
        namespace = ns.parent.as_ref();
    }
    None
}

/// The end of a pid namespace: its init dies, so everything inside is killed and awaited (pid_namespaces(7)). Runs in the init's last thread.
fn end_namespace(init: &Arc<Process>) {
    let Some(namespace) = init.pid.namespace().cloned() else { return };
    namespace.close();
    // Children of an ending init vanish without becoming zombies; see `notify_parent`.
    init.vanishing_children.store(true, Ordering::Release);
    for process in others(&namespace, init) {
        signal::send_to_process(&process, Signal::KILL);
    }
    for child in init.children() {
        if child.is_zombie() {
            reap(&child);
        }
    }
    namespace.drained.wait(|| others(&namespace, init).iter().all(|process| process.is_zombie()).then_some(()));
}

fn others(namespace: &PidNamespace, init: &Arc<Process>) -> Vec<Arc<Process>> {
    process::all_in(namespace).into_iter().filter(|process| !Arc::ptr_eq(process, init)).collect()
}

/// Removes a zombie for good; false if somebody else did so already. Its times go to the parent.
pub(super) fn reap(process: &Arc<Process>) -> bool {
    if !process.claim() {
        return false;
    }
    let parent = {
        let _tree = process::tree();
        let parent = process.parent();
        if let Some(parent) = &parent {
            parent.family.lock().children.remove(&process.pid.global());
        }
        let group = process.group();
        group.remove(process);
        process.set_parent(None, 0);
        process.pid.set_process(Weak::new());
        parent
    };
    if let Some(parent) = parent {
        parent.inherit_usage(process);
    }
    let charge = process.leader_charge.lock().take();
    drop(charge);
    true
}
