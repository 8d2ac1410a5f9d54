//! CPUs as loom threads: the first is the model's body, others are [`start`]ed. A CPU idles until it is kicked, its timer rings or the machine is
//! turned off, which unwinds its idle stack.

use super::thread::Gone;
use crate::PerCpu;
use crate::cpu::MAX;
use crate::sync::atomic::{AtomicBool, Ordering};
use core::cell::Cell;
use core::sync::atomic::{AtomicBool as Plain, AtomicU32 as Bits};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

/// What is known of one CPU.
struct Cpu {
    /// A kick came since it last idled. Loom knows it, so that "before it slept" and "after" are both explored.
    kicked: AtomicBool,
    /// The loom thread that sleeps on it.
    sleeper: Mutex<Option<loom::thread::Thread>>,
}

static CPUS: PerCpu<Cpu> =
    PerCpu::new([const { Cpu { kicked: AtomicBool::new(false), sleeper: Mutex::new(None) } }; MAX]);
static OFF: Plain = Plain::new(false);
/// Bit `n`: CPU `n` has been started.
static ONLINE: Bits = Bits::new(1);
type Threads = Mutex<Vec<loom::thread::JoinHandle<()>>>;
/// The loom threads that are CPUs, and those that are contexts.
static OTHER_CPUS: Threads = Mutex::new(Vec::new());
static CONTEXTS: Threads = Mutex::new(Vec::new());

loom::thread_local! {
    static ID: Cell<usize> = Cell::new(0);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new execution begins on CPU 0.
pub(super) fn begin() {
    OFF.store(false, Ordering::Relaxed);
    ONLINE.store(1, Ordering::Relaxed);
    lock(&OTHER_CPUS).clear();
    lock(&CONTEXTS).clear();
    for cpu in 0..MAX {
        lock(&CPUS.of(cpu).sleeper).take();
        // Born before the second CPU starts.
        CPUS.of(cpu).kicked.store(false, Ordering::Relaxed);
    }
}

/// The end of an execution: the CPUs end and forget what they ran, which ends that too.
pub(super) fn end() {
    join(&OTHER_CPUS);
    crate::thread::forget();
    join(&CONTEXTS);
}

fn join(threads: &Threads) {
    loop {
        let next = lock(threads).pop();
        let Some(thread) = next else { return };
        let _ = thread.join();
    }
}

/// Whether the machine is off.
pub(super) fn is_off() -> bool {
    OFF.load(Ordering::Relaxed)
}

/// A loom thread for a context.
pub(super) fn spawn(body: impl FnOnce() + Send + 'static) -> loom::thread::Thread {
    spawn_in(&CONTEXTS, body)
}

/// A loom thread with room for the kernel's stack frames, which ends quietly where a context or the machine ends.
fn spawn_in(threads: &Threads, body: impl FnOnce() + Send + 'static) -> loom::thread::Thread {
    let handle = loom::thread::Builder::new().stack_size(1 << 16).spawn(move || until_gone(body));
    let handle = handle.expect("loom starts every thread");
    let thread = handle.thread().clone();
    lock(threads).push(handle);
    thread
}

fn until_gone(body: impl FnOnce()) {
    if let Err(reason) = catch_unwind(AssertUnwindSafe(body))
        && !reason.is::<Gone>()
    {
        resume_unwind(reason);
    }
}

/// Starts CPU `id` with `body`, which may idle forever.
pub fn start(id: usize, body: impl FnOnce() + Send + 'static) {
    ONLINE.fetch_or(1 << id, Ordering::Relaxed);
    spawn_in(&OTHER_CPUS, move || {
        set_id(id);
        body();
    });
}

/// Goes on as CPU 0 with `body`, which may idle forever, until the machine is off and the other CPUs have ended too.
pub fn run(body: impl FnOnce()) {
    until_gone(body);
    join(&OTHER_CPUS);
}

/// Turns the machine off: CPUs that idle, now or later, end.
pub fn power_off() {
    OFF.store(true, Ordering::Relaxed);
    (0..MAX).for_each(kick);
}

/// The CPUs that have been started, a bit each.
pub(crate) fn online() -> u32 {
    ONLINE.load(Ordering::Relaxed)
}

pub(crate) fn id() -> usize {
    ID.with(Cell::get)
}

/// The running loom thread has CPU `id` now.
pub(super) fn set_id(id: usize) {
    ID.with(|own| own.set(id));
}

pub(crate) fn idle() {
    wait(true);
}

/// The running CPU is in user mode until an interrupt comes, which it takes.
pub fn compute() {
    wait(false);
}

/// Waits for an interrupt and takes it. Where the machine is off, an `idle` CPU ends.
fn wait(idle: bool) {
    CPUS.with(|cpu| {
        loop {
            if cpu.kicked.swap(false, Ordering::Acquire) {
                if idle && is_off() {
                    resume_unwind(Box::new(Gone));
                }
                crate::paging::tlb::answer();
                return;
            }
            if super::time::ring() {
                crate::irq::ring();
                return;
            }
            *lock(&cpu.sleeper) = Some(loom::thread::current());
            loom::thread::park();
            lock(&cpu.sleeper).take();
        }
    });
}

pub(crate) fn kick(target: usize) {
    let cpu = CPUS.of(target);
    cpu.kicked.swap(true, Ordering::Release);
    if let Some(sleeper) = lock(&cpu.sleeper).take() {
        sleeper.unpark();
    }
}
