//! Wait queues, mutexes, readers-writer locks and pollers, over the real scheduler. A lost wake-up shows as a deadlock.

use crate::sched::{end, model};
use hal::sync::atomic::{AtomicUsize, Ordering};
use hal::sync::{Rank as SpinRank, SpinLock};
use kernel::sync::{Mutex, Poller, Rank, RwLock, WaitQueue};
use kernel::task::{Task, sched, signal};
use std::sync::Arc;

static QUEUE: WaitQueue = WaitQueue::new();
static OTHER: WaitQueue = WaitQueue::new();
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn clear() {
    COUNT.store(0, Ordering::Relaxed);
    // Pollers leave their entries behind, until a wake-up finds them retired.
    QUEUE.wake_all();
    OTHER.wake_all();
}

/// Takes one of [`COUNT`].
fn take() -> Option<()> {
    let now = COUNT.load(Ordering::Relaxed);
    (now > 0 && COUNT.compare_exchange(now, now - 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()).then_some(())
}

fn give() {
    COUNT.fetch_add(1, Ordering::Relaxed);
    QUEUE.wake_one();
}

fn wait() {
    QUEUE.wait(take);
    end();
}

#[test]
fn a_wait_sees_the_wake_up() {
    fn wake() {
        give();
        end();
    }
    model(1, clear, &[wait, wake]);
}

/// The wake-up that a waiter with a deadline got, but no longer wanted, goes to the next.
#[test]
fn a_wake_up_for_one_that_gives_up_is_passed_on() {
    fn nap() {
        if QUEUE.wait_until(hal::time::now_ns(), take).is_some() {
            give();
        }
        end();
    }
    fn wake() {
        give();
        end();
    }
    model(1, clear, &[nap, wait, wake]);
}

#[test]
fn a_poller_is_woken_by_either_queue() {
    fn poll() {
        while take().is_none() {
            let mut poller = Poller::new();
            poller.register(&OTHER);
            poller.register(&QUEUE);
            if take().is_some() {
                break;
            }
            poller.wait(None).expect("no signal comes");
        }
        OTHER.wake_all();
        end();
    }
    fn wake() {
        give();
        end();
    }
    model(1, clear, &[poll, wake]);
}

static SLEEPER: SpinLock<Option<Arc<Task>>> = SpinLock::new(SpinRank::Wait, "sleeper", None);

/// Lets the others run until `condition` holds.
fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        hal::cpu::pause();
        sched::reschedule();
    }
}

/// The signal comes at any moment: before the wait, between its look and its sleep, or together with the wake-up.
#[test]
fn a_signal_ends_a_wait() {
    fn wait() {
        *SLEEPER.lock() = sched::current();
        let _ = QUEUE.wait_interruptible(None, take);
        end();
    }
    fn interrupt() {
        let mut sleeper = None;
        until(|| {
            sleeper = SLEEPER.lock().take();
            sleeper.is_some()
        });
        sleeper.iter().for_each(signal::wake);
        end();
    }
    model(1, clear, &[wait, interrupt]);
}

static MUTEX: Mutex<usize> = Mutex::new(Rank::Leaf, "model", 0);

#[test]
fn a_mutex_admits_one_and_wakes_the_next() {
    fn add() {
        *MUTEX.lock() += 1;
        end();
    }
    model(1, || *MUTEX.lock() = 0, &[add, add]);
}

/// The look after registering finds nothing, and then sleeps on a lock. What unparks it there may be the wake-up, which must not be spent on that.
#[test]
fn a_condition_that_sleeps_sees_the_wake_up() {
    fn wait() {
        let mut looks = 0;
        QUEUE.wait(|| {
            looks += 1;
            let taken = take();
            if looks == 2 {
                *MUTEX.lock() += 1;
            }
            taken
        });
        end();
    }
    fn wake() {
        let guard = MUTEX.lock();
        give();
        // The waiter may find the lock taken once more, and sleep again.
        sched::reschedule();
        drop(guard);
        end();
    }
    fn clear_both() {
        clear();
        *MUTEX.lock() = 0;
    }
    model(1, clear_both, &[wait, wake]);
}

static RWLOCK: RwLock<usize> = RwLock::new(Rank::Leaf, "model", 0);

#[test]
fn a_writer_is_alone_and_readers_are_woken() {
    fn write() {
        *RWLOCK.write() += 1;
        end();
    }
    fn read() {
        assert!(*RWLOCK.read() <= 1);
        end();
    }
    model(1, || *RWLOCK.write() = 0, &[write, read]);
}
