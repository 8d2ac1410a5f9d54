//! How threads and CPUs begin.
//!
//! A fresh context enters [`first`] on its own stack, finishes the switch that led there, and runs what the thread's [`Start`] says. When
//! that returns, the stack owns nothing any more and the thread is gone for good.

use super::super::parts::Parts;
use super::super::thread::WORK_SIGNAL;
use super::super::{Process, Task, kernel_process, thread, user};
use super::cpu::{CPUS, ONLINE};
use super::{Entity, current, exit_current, finish_switch, idle_loop, unpark};
use crate::error::{Errno, Result};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use hal::thread::Context;
use hal::user::UserContext;

/// Pages of a kernel stack.
const STACK_PAGES: usize = 8;

/// What a thread does.
pub enum Start {
    /// Runs user code from these registers.
    User(Box<UserContext>),
    /// Runs a kernel function.
    Kernel(fn()),
}

/// A context for a new thread; `ENOMEM` without memory for its stack.
pub fn new_context() -> Result<Arc<Context>> {
    // Threads stop before they eat what the kernel keeps back for itself.
    crate::mm::reserve((STACK_PAGES + 2) * hal::frame::SIZE)?;
    Context::new(STACK_PAGES, Box::new(first)).map(Arc::new).ok_or(Errno::ENOMEM.during("making a kernel stack"))
}

fn first() {
    hal::thread::finish_switch();
    finish_switch();
    run_start();
    exit_current();
}

/// Apart from [`first`], so that nothing it owned is on the stack at the end.
fn run_start() {
    let task = current().expect("a fresh thread is the running one");
    let start = task.entity.start.lock().take();
    match start {
        Some(Start::User(mut context)) => user::run(&task, &mut context),
        Some(Start::Kernel(body)) => body(),
        None => unreachable!("a thread starts once"),
    }
}

/// Starts a kernel thread. `EAGAIN`/`ENOMEM` without memory for it.
pub fn spawn_kernel(name: &'static str, body: fn()) -> Result<()> {
    let process: &Arc<Process> = kernel_process();
    let entity = Entity::new(new_context()?, Start::Kernel(body), 0, u64::MAX, 0);
    let task = Task::new(thread::Blueprint {
        tid: process.pid.clone(),
        process: process.clone(),
        entity,
        parts: Parts::for_kernel(),
        signals: Default::default(),
        charge: None,
        comm: thread::comm_bytes(name.as_bytes()),
    });
    // No signal comes for it, and it is on no way to user mode.
    task.clear_work(WORK_SIGNAL);
    unpark(&task);
    Ok(())
}

/// Makes the running CPU one that schedules: what runs now becomes its idle thread. Never returns.
pub fn start_cpu() -> ! {
    let id = hal::cpu::id();
    *CPUS.of(id).idle_context.lock() = Some(hal::thread::adopt());
    ONLINE.fetch_or(1 << id, Ordering::SeqCst);
    idle_loop()
}
