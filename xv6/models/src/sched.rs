//! Threads on two CPUs: the real run queues, parking, stealing and switching, started as the kernel starts them. A thread that is lost shows as a
//! deadlock, a thread on two CPUs as a data race on its saved registers, a dead thread that runs as a panic.

use hal::model::{Bound, check, power_off, run, start};
use hal::sync::atomic::{AtomicBool, Ordering};
use hal::sync::{Rank, SpinLock};
use kernel::task::{Task, sched, spawn_kernel};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Threads that have not ended; the last one turns the machine off.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Runs `threads` on two CPUs in all executions with at most `preemptions` (and as many more as `XV6_MODEL_DEPTH` says, for a long run by hand).
/// `clear` sets what they share to how it begins: before the second CPU starts, as `hal::model` wants it, and again at the end.
pub fn model(preemptions: usize, clear: fn(), threads: &'static [fn()]) {
    let more = std::env::var("XV6_MODEL_DEPTH").ok().and_then(|depth| depth.parse::<usize>().ok()).unwrap_or(0);
    check(Bound::Preemptions(preemptions + more), move || {
        hal::irq::on_timer(kernel::time::timer::interrupt);
        hal::irq::on_kick(sched::kicked);
        forget();
        clear();
        LIVE.store(threads.len(), Ordering::Relaxed);
        for body in threads {
            spawn_kernel("model", *body).expect("memory for a thread");
        }
        start(1, || sched::start_cpu());
        run(|| sched::start_cpu());
        forget();
        clear();
        assert_eq!(LIVE.load(Ordering::Relaxed), 0, "a CPU stopped while threads live");
    });
}

/// Nothing runs and nothing is armed.
fn forget() {
    sched::forget();
    kernel::time::timer::forget();
}

/// The end of each thread's body.
pub fn end() {
    if LIVE.fetch_sub(1, Ordering::Relaxed) == 1 {
        power_off();
    }
}

static SLEEPER: SpinLock<Option<Arc<Task>>> = SpinLock::new(Rank::Wait, "sleeper", None);
static READY: AtomicBool = AtomicBool::new(false);

fn clear() {
    *SLEEPER.lock() = None;
    READY.store(false, Ordering::Relaxed);
}

/// Parks until [`READY`].
fn sleep() {
    *SLEEPER.lock() = sched::current();
    while !READY.load(Ordering::Relaxed) {
        sched::park(false, None);
    }
    let task = SLEEPER.lock().take();
    drop(task);
    end();
}

fn wake() {
    READY.store(true, Ordering::Relaxed);
    let sleeper = SLEEPER.lock().clone();
    if let Some(task) = sleeper {
        sched::unpark(&task);
    }
}

/// xv6's classic: the condition is looked at, the wake-up comes, and only then the thread sleeps; or it still leaves its CPU when another one is
/// to run it.
#[test]
fn a_thread_that_goes_to_sleep_is_woken_once_and_not_lost() {
    fn wake_and_end() {
        wake();
        end();
    }
    model(1, clear, &[sleep, wake_and_end]);
}

/// The waker stays on its CPU; an idle one that is kicked takes the woken thread from its queue, while that CPU wants it too.
#[test]
fn a_woken_thread_is_stolen_by_one_cpu() {
    fn wake_and_share() {
        wake();
        hal::cpu::kick(1 - hal::cpu::id());
        sched::reschedule();
        end();
    }
    model(1, clear, &[sleep, wake_and_share]);
}

/// Three threads that only give way: all are run to their end, by whichever CPU.
#[test]
fn threads_that_give_way_all_end() {
    fn give_way() {
        sched::reschedule();
        end();
    }
    model(1, || {}, &[give_way, give_way, give_way]);
}

/// The deadline and the wake-up come at once.
#[test]
fn a_deadline_and_a_wake_up_are_one_wake_up() {
    fn nap() {
        *SLEEPER.lock() = sched::current();
        sched::park(false, Some(hal::time::now_ns()));
        let task = SLEEPER.lock().take();
        drop(task);
        end();
    }
    fn wake_and_end() {
        wake();
        end();
    }
    model(1, clear, &[nap, wake_and_end]);
}
