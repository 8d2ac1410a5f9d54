//! Contexts as loom threads, and the switch between them with the real one's order of steps: leave `from`, then wait for `to` to be left by
//! whoever still is on it. What the stack pointer is to the machine, a turn is here: it says on which CPU the thread goes on.

use super::cpu;
use crate::sync::atomic::{AtomicBool, Ordering, Watch};
use core::sync::atomic::{AtomicBool as Plain, AtomicUsize};
use std::boxed::Box;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a loom thread ends: its context was dropped, or its CPU turned off.
pub(super) struct Gone;

/// No turn.
const NONE: usize = usize::MAX;

type Entry = Box<dyn FnOnce() + Send>;

struct Inner {
    on_cpu: AtomicBool,
    /// The saved registers, as a watched value: who resumes must see all of what who left has saved.
    saved: Watch,
    /// The CPU on which it goes on.
    turn: AtomicUsize,
    gone: Plain,
    thread: Mutex<Option<loom::thread::Thread>>,
    entry: Mutex<Option<Entry>>,
}

/// A kernel thread's context.
pub struct Context(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// A thread that will run `entry` at its first [`switch`]; it never returns.
    pub fn new(_stack_pages: usize, entry: Entry) -> Option<Context> {
        Some(Context::with(false, None, Some(entry)))
    }

    /// Adopts what is running now.
    pub fn idle() -> Context {
        Context::with(true, Some(loom::thread::current()), None)
    }

    /// A model has no stacks to show.
    pub fn trace(&self, _out: &mut dyn core::fmt::Write) -> bool {
        false
    }

    fn with(on_cpu: bool, thread: Option<loom::thread::Thread>, entry: Option<Entry>) -> Context {
        let inner = Inner {
            on_cpu: AtomicBool::new(on_cpu),
            saved: Watch::new(),
            turn: AtomicUsize::new(NONE),
            gone: Plain::new(false),
            thread: Mutex::new(thread),
            entry: Mutex::new(entry),
        };
        // Born here, before another CPU sees it.
        inner.on_cpu.load(Ordering::Relaxed);
        inner.saved.write().end();
        Context(Arc::new(inner))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        while self.0.on_cpu.load(Ordering::Acquire) && !cpu::is_off() {
            crate::cpu::pause();
        }
        self.0.gone.store(true, Ordering::Relaxed);
        if let Some(thread) = &*lock(&self.0.thread) {
            thread.unpark();
        }
    }
}

/// Leaves `from` and resumes `to`.
pub fn switch(from: &Context, to: &Context) {
    let (from, to) = (from.0.clone(), to.0.clone());
    if Arc::ptr_eq(&from, &to) {
        return;
    }
    debug_assert_eq!(crate::sync::held(), 0, "a context switch with a spin lock held");
    let cpu = cpu::id();
    from.saved.write().end();
    from.on_cpu.store(false, Ordering::Release);
    while to.on_cpu.swap(true, Ordering::Acquire) {
        crate::cpu::pause();
    }
    to.saved.write().end();
    resume(&to, cpu);
    drop(to);
    wait(from);
}

/// Gives `to` the CPU.
fn resume(to: &Arc<Inner>, cpu: usize) {
    let turn = to.turn.swap(cpu, Ordering::Relaxed);
    assert_eq!(turn, NONE, "a context that two CPUs resume");
    let entry = lock(&to.entry).take();
    if let Some(entry) = entry {
        let own = to.clone();
        let thread = cpu::spawn(move || {
            wait(own);
            entry();
            panic!("a kernel thread returned");
        });
        *lock(&to.thread) = Some(thread);
    } else if let Some(thread) = &*lock(&to.thread) {
        thread.unpark();
    }
}

/// Waits for a CPU.
fn wait(own: Arc<Inner>) {
    loop {
        let turn = own.turn.swap(NONE, Ordering::Relaxed);
        if turn != NONE {
            cpu::set_id(turn);
            return;
        }
        if own.gone.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Gone));
        }
        loom::thread::park();
    }
}
