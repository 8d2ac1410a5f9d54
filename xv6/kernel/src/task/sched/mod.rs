//! The scheduler: per-CPU run queues, sleeping and waking, switching, idling.
//!
//! A CPU runs the thread with the least virtual time of its queue. Nothing ticks: the one-shot timer is armed only while somebody waits
//! in the queue. A woken thread joins the queue of the CPU that wakes it, where its data is warm and where the waker is often about to
//! sleep; if it still waits there after [`HELP`], an idle CPU is kicked and steals it. So work that merely alternates stays on one CPU, and
//! work that is truly parallel spreads out. A CPU that looks and finds nobody waiting looks ever more rarely, down to once a [`SLICE`]. The
//! kernel itself is never preempted; user code is, on the way back to user mode.
//!
//! Locks: a thread's `sleep` (`Rank::TaskPhase`), then a CPU's `queue` (`Rank::RunQueue`). A thread still on a CPU's stack (`on_cpu`) is
//! only ever queued on that CPU, so no CPU waits for a stack that another may want to leave.

mod cpu;
mod entity;
pub mod load;
mod queue;
mod start;

#[cfg(loom)]
pub use cpu::forget;
pub use cpu::{active, blocked, current, current_weak, describe, idle_ns, online, runnable, switches, with_current};
pub use entity::{Entity, IDLE};
pub(super) use start::{Start, new_context};
pub use start::{spawn_kernel, start_cpu};

use super::thread::WORK_RESCHEDULE;
use super::{Task, cputimer};
use crate::time::timer::{self, Timer};
use alloc::sync::Arc;
use cpu::{BLOCKED, CPUS, Cpu};
use entity::Phase;
use hal::sync::atomic::{Ordering, fence};

/// How long a thread runs while another waits, in ns.
pub const SLICE: u64 = 3_000_000;
/// How long a thread waits in a queue before an idle CPU is asked to take it, in ns; longer where that turned out to be for nothing.
const HELP: u64 = 500_000;
/// A thread that came into its queue more recently than this is not stolen, in ns.
const STEAL_AGE: u64 = 250_000;
/// How much less virtual time a woken thread must have had to take the CPU at once, in ns.
const WAKE_MARGIN: u64 = 1_000_000;

/// Sleeps until [`unpark`] (which may have come already), or until the monotonic clock passes `deadline`. May return early.
pub fn park(interruptible: bool, deadline: Option<u64>) {
    let task = current().expect("only a thread sleeps");
    debug_assert_eq!(hal::sync::held(), 0, "sleeping under a spin lock");
    let timer = deadline.map(|deadline| Timer::wake(deadline, task.clone()));
    let now = hal::time::now_ns();
    load::look(now, active);
    // Before anybody can wake it: a wake-up places it by what it has had.
    task.entity.charge(now);
    let sleeps = {
        let mut sleep = task.entity.sleep.lock();
        if sleep.token {
            sleep.token = false;
            false
        } else {
            sleep.phase = Phase::Parked;
            sleep.interruptible = interruptible;
            if !interruptible {
                BLOCKED.add(1);
            }
            task.entity.count_runnable(false);
            true
        }
    };
    if sleeps {
        task.switches[0].fetch_add(1, Ordering::Relaxed);
        switch_away(&task);
    }
    drop(timer);
}

/// Wakes a thread from [`park`], or makes its next `park` return at once. Allowed in interrupt handlers.
pub fn unpark(task: &Arc<Task>) {
    unpark_in_phase(task);
}

/// [`unpark`], and user code that the thread runs on another CPU is interrupted: it sees its work bits, set before, at once. Without that it would see
/// them when it next enters the kernel, which it need never do, since a CPU with one thread has no ticks.
pub fn interrupt(task: &Arc<Task>) {
    let phase = unpark_in_phase(task);
    // Pairs with `switch_to`: it says which CPU, and the thread then looks at its work; the work is there, then we look which CPU.
    fence(Ordering::SeqCst);
    let cpu = task.entity.last_cpu();
    if phase == Phase::Running && cpu != hal::cpu::id() {
        hal::cpu::kick(cpu);
    }
}

/// Unparks a thread, and tells where it was.
fn unpark_in_phase(task: &Arc<Task>) -> Phase {
    let mut sleep = task.entity.sleep.lock();
    let phase = sleep.phase;
    match phase {
        Phase::Parked => {
            let now = hal::time::now_ns();
            load::look(now, active);
            sleep.phase = Phase::Ready;
            if !sleep.interruptible {
                BLOCKED.sub(1);
            }
            task.entity.count_runnable(true);
            enqueue(task, now);
        }
        Phase::Running | Phase::Ready => sleep.token = true,
        Phase::Dead => {}
    }
    phase
}

/// Which CPU's queue a thread joins.
fn choose(task: &Task) -> usize {
    let entity = &task.entity;
    let last = entity.last_cpu();
    if entity.on_cpu.load(Ordering::Acquire) {
        return last;
    }
    let here = hal::cpu::id();
    let allowed = entity.affinity() & online();
    let may = |cpu: usize| allowed & (1 << cpu) != 0;
    if may(here) || allowed == 0 {
        return here;
    }
    if may(last) {
        return last;
    }
    let idle = (0..hal::cpu::MAX).find(|&cpu| may(cpu) && CPUS.of(cpu).idle.load(Ordering::Relaxed));
    idle.unwrap_or(allowed.trailing_zeros() as usize)
}

/// Puts a ready thread in a queue. The caller holds the thread's `sleep` lock.
fn enqueue(task: &Arc<Task>, now: u64) {
    let target = choose(task);
    let here = hal::cpu::id();
    let cpu = CPUS.of(target);
    let entity = &task.entity;
    let last = entity.last_cpu();
    // By the clock of the queue that it left: what it owed there it owes here.
    let lead = (last != target).then(|| CPUS.of(last).queue_at(now).0.lead(entity.vruntime()));
    let running = {
        let (mut queue, running) = cpu.queue_at(now);
        let lead = lead.unwrap_or_else(|| queue.lead(entity.vruntime()));
        let vruntime = queue.place(lead);
        entity.vruntime.store(vruntime, Ordering::Relaxed);
        queue.push(task.clone(), vruntime, now);
        running
    };
    let due = running.is_some_and(|running| entity.vruntime().saturating_add(WAKE_MARGIN) < running);
    // Pairs with the idle loop: it says idle, then looks at the queue; we queue, then look whether it is idle.
    fence(Ordering::SeqCst);
    if due && let Some(running) = cpu.current.try_lock().as_deref().and_then(Option::as_ref) {
        running.set_work(WORK_RESCHEDULE);
    }
    if target != here {
        hal::cpu::kick(target);
    } else if !cpu.idle.load(Ordering::Relaxed) {
        arm_slice(cpu, now);
    }
}

/// Arms the running CPU's timer for what must happen while somebody waits in its queue.
fn arm_slice(cpu: &Cpu, now: u64) {
    if cpu.slice_end.load(Ordering::Relaxed) == u64::MAX {
        cpu.slice_end.store(now + SLICE, Ordering::Relaxed);
    }
    // Only an idle CPU can help.
    let other_idle = (0..hal::cpu::MAX).any(|other| CPUS.of(other).idle.load(Ordering::Relaxed));
    timer::arm(now + if other_idle { cpu.help.load(Ordering::Relaxed) } else { SLICE });
}

/// What the timer interrupt means to the scheduler.
pub fn tick(now: u64) {
    CPUS.with(|cpu| {
        if let Some(running) = &*cpu.current.lock() {
            cputimer::ticked(running);
        }
        if cpu.queue.lock().len() == 0 || cpu.idle.load(Ordering::Relaxed) {
            cpu.slice_end.store(u64::MAX, Ordering::Relaxed);
            // Whoever waited has had the CPU by itself: an interrupt costs an emulated machine dearly.
            let help = cpu.help.load(Ordering::Relaxed);
            cpu.help.store((help * 2).min(SLICE), Ordering::Relaxed);
            return;
        }
        let here = hal::cpu::id();
        let idle = (0..hal::cpu::MAX).find(|&other| other != here && CPUS.of(other).idle.load(Ordering::Relaxed));
        // Waking another CPU takes the host long: only for somebody who has really waited.
        if let Some(other) = idle
            && cpu.queue.lock().has_waited(now.saturating_sub(STEAL_AGE))
        {
            cpu.help.store(HELP, Ordering::Relaxed);
            hal::cpu::kick(other);
        }
        let end = cpu.slice_end.load(Ordering::Relaxed);
        if now >= end
            && let Some(running) = &*cpu.current.lock()
        {
            running.set_work(WORK_RESCHEDULE);
        }
        // With all CPUs busy nobody can help before the slice ends.
        let next = if idle.is_some() || end == u64::MAX { now + HELP } else { end.max(now + HELP) };
        timer::arm(next);
    });
}

/// The handler of another CPU's kick: an idle CPU looks for work by itself, a busy one starts to share its time.
pub fn kicked() {
    CPUS.with(|cpu| {
        if !cpu.idle.load(Ordering::Relaxed) && cpu.queue.lock().len() != 0 {
            arm_slice(cpu, hal::time::now_ns());
        }
    });
}

/// The virtual time at which a child of the running thread begins: it owes what its parent does, so that forking is no way around that, and has no
/// credit.
pub fn birth_time() -> u64 {
    let now = hal::time::now_ns();
    CPUS.with(|cpu| {
        let (queue, running) = cpu.queue_at(now);
        queue.clock().max(running.unwrap_or(0))
    })
}

/// Lets another thread run if one should; the running one stays ready.
pub fn reschedule() {
    let Some(task) = current() else { return };
    task.clear_work(WORK_RESCHEDULE);
    let now = hal::time::now_ns();
    let allowed = task.entity.affinity() & online();
    if allowed != 0 && allowed & (1 << hal::cpu::id()) == 0 {
        // A running thread cannot be queued elsewhere: it sleeps for an instant, and wakes where it may run.
        park(false, Some(now));
        return;
    }
    task.entity.charge(now);
    if CPUS.with(|cpu| cpu.queue.lock().len() == 0) {
        return;
    }
    {
        let mut sleep = task.entity.sleep.lock();
        sleep.phase = Phase::Ready;
        CPUS.with(|cpu| cpu.queue.lock().push(task.clone(), task.entity.vruntime(), now));
    }
    task.switches[1].fetch_add(1, Ordering::Relaxed);
    switch_away(&task);
}

/// sched_yield(2): goes behind those who wait on this CPU.
pub fn yield_now() {
    let clock = CPUS.with(|cpu| cpu.queue.lock().clock());
    with_current(|task| {
        let vruntime = task.entity.vruntime().max(clock.saturating_add(WAKE_MARGIN));
        task.entity.vruntime.store(vruntime, Ordering::Relaxed);
    });
    reschedule();
}

/// For long loops in the kernel: lets interrupts in, and gives way if asked to. Hold no spin lock.
pub fn breathe() {
    hal::cpu::poll_interrupts();
    let mut asked = false;
    with_current(|task| asked = task.work_is(WORK_RESCHEDULE));
    if asked {
        reschedule();
    }
}

/// Ends the running thread: its stack must own nothing any more.
fn exit_current() -> ! {
    load::look(hal::time::now_ns(), active);
    with_current_arc(|task| {
        let mut sleep = task.entity.sleep.lock();
        sleep.phase = Phase::Dead;
        task.entity.count_runnable(false);
    });
    switch_to(pick());
    unreachable!("a dead thread is never resumed");
}

/// Calls `f` with a reference to the running thread that is gone afterwards.
fn with_current_arc(f: impl FnOnce(&Arc<Task>)) {
    let task = current().expect("a thread runs");
    f(&task);
}

/// Leaves the running thread, which is queued or parked by now, for the next one.
fn switch_away(task: &Arc<Task>) {
    match pick() {
        // Woken or chosen again before it was off the CPU.
        Some(next) if Arc::ptr_eq(&next, task) => task.entity.charge(hal::time::now_ns()),
        next => switch_to(next),
    }
}

/// Takes the next thread of this CPU, from its own queue or another's.
fn pick() -> Option<Arc<Task>> {
    let here = hal::cpu::id();
    let cpu = CPUS.of(here);
    let task = loop {
        let next = cpu.queue.lock().pop();
        let Some(task) = next else { break steal(here)? };
        let allowed = task.entity.affinity() & online();
        if allowed == 0 || allowed & (1 << here) != 0 || task.entity.on_cpu.load(Ordering::Acquire) {
            break task;
        }
        // Its affinity changed while it waited here, by this queue's clock.
        task.entity.last_cpu.store(here, Ordering::Relaxed);
        let _sleep = task.entity.sleep.lock();
        enqueue(&task, hal::time::now_ns());
    };
    task.entity.sleep.lock().phase = Phase::Running;
    Some(task)
}

/// Takes a thread that has waited on another CPU for a while.
fn steal(here: usize) -> Option<Arc<Task>> {
    let before = hal::time::now_ns().saturating_sub(STEAL_AGE);
    for step in 1..hal::cpu::MAX {
        let other = CPUS.of((here + step) % hal::cpu::MAX);
        let Some(mut queue) = other.queue.try_lock() else { continue };
        if queue.len() == 0 {
            continue;
        }
        let movable =
            |task: &Task| !task.entity.on_cpu.load(Ordering::Acquire) && task.entity.affinity() & (1 << here) != 0;
        if let Some((task, lead)) = queue.steal(before, movable) {
            drop(queue);
            let vruntime = CPUS.of(here).queue.lock().place_to_run(lead, hal::time::now_ns());
            task.entity.vruntime.store(vruntime, Ordering::Relaxed);
            return Some(task);
        }
    }
    None
}

/// Switches to `next`, or to the idle stack. Owns no reference across the switch but what the CPU's own fields hold.
fn switch_to(next: Option<Arc<Task>>) {
    let here = hal::cpu::id();
    let cpu = CPUS.of(here);
    let now = hal::time::now_ns();
    cpu::SWITCHES.add(1);
    let context = match &next {
        Some(next) => {
            next.entity.on_cpu.store(true, Ordering::Relaxed);
            next.entity.last_cpu.store(here, Ordering::Relaxed);
            next.entity.begin(now);
            cputimer::began(next, now);
            if let Some(mm) = &next.parts.lock().mm {
                mm.activate();
            }
            next.entity.context.clone()
        }
        None => cpu.idle_context.lock().clone().expect("a CPU that schedules has its idle context"),
    };
    let waiting = cpu.queue.lock().len() != 0;
    cpu.slice_end.store(u64::MAX, Ordering::Relaxed);
    if waiting && next.is_some() {
        arm_slice(cpu, now);
    }
    let previous = core::mem::replace(&mut *cpu.current.lock(), next);
    if let Some(previous) = &previous {
        previous.entity.charge(now);
        let vruntime = previous.entity.vruntime();
        cpu.queue.lock().advance(vruntime);
    }
    *cpu.previous.lock() = previous;
    hal::thread::switch_to(context);
    finish_switch();
}

/// The first thing on the new stack: the thread that ran before may now run elsewhere, or be dropped.
fn finish_switch() {
    let previous = CPUS.with(|cpu| cpu.previous.lock().take());
    if let Some(previous) = previous {
        previous.entity.on_cpu.store(false, Ordering::Release);
    }
}

/// Runs whatever there is to run, and sleeps when there is nothing. On the boot stack.
fn idle_loop() -> ! {
    let cpu = CPUS.of(hal::cpu::id());
    loop {
        if let Some(next) = pick() {
            switch_to(Some(next));
            continue;
        }
        let start = hal::time::now_ns();
        cpu.idle.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if cpu.queue.lock().rest(start) {
            hal::cpu::idle();
        }
        cpu.idle.store(false, Ordering::SeqCst);
        cpu.idle_ns.fetch_add(hal::time::now_ns().saturating_sub(start), Ordering::Relaxed);
    }
}
