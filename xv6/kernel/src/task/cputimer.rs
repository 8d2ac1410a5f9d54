//! What a process is due at an amount of CPU time: `RLIMIT_CPU` (setrlimit(2)), `ITIMER_VIRTUAL` and `ITIMER_PROF` (setitimer(2)).
//!
//! Nothing ticks. A process that has something due carries a hint how long its threads may run until it is worth looking again
//! ([`CpuTimers::nap`]); a CPU that gives itself to such a thread arms its timer for that ([`began`]), the interrupt asks the thread to look
//! ([`ticked`]), and on its way to user mode it does ([`check`]). A process with nothing due pays one load at each of these.
//!
//! Locks: `state`, a leaf.

use super::process::CpuTimes;
use super::rlimit::{INFINITY, Resource};
use super::signal::{self, Signal};
use super::thread::WORK_CPU_TIME;
use super::{Process, Task};
use crate::time::{SECOND, timer};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use hal::sync::{Rank, SpinLock};

/// The shortest time between two looks.
const GRAIN: u64 = 500_000;

/// Nothing is due, ever.
const NEVER: u64 = u64::MAX;

/// A timer of setitimer(2) that goes by CPU time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuTimer {
    /// `ITIMER_VIRTUAL`: time in user mode; `SIGVTALRM`.
    Virtual,
    /// `ITIMER_PROF`: all CPU time; `SIGPROF`.
    Profile,
}

impl CpuTimer {
    /// The time that counts for it.
    fn of(self, times: CpuTimes) -> u64 {
        match self {
            CpuTimer::Virtual => times.user,
            CpuTimer::Profile => times.user + times.system,
        }
    }

    fn signal(self) -> Signal {
        match self {
            CpuTimer::Virtual => Signal::VTALRM,
            CpuTimer::Profile => Signal::PROF,
        }
    }
}

/// When it rings, in CPU time of the process, and how much later again (0: not).
#[derive(Clone, Copy)]
struct Setting {
    due: u64,
    interval: u64,
}

struct State {
    /// When `SIGXCPU` is due next, and `SIGKILL`.
    warn: u64,
    kill: u64,
    timers: [Setting; 2],
}

/// A process's due times.
pub(super) struct CpuTimers {
    /// CPU time of a thread until it should look; [`NEVER`] if nothing is due.
    nap: AtomicU64,
    state: SpinLock<State>,
}

impl CpuTimers {
    /// Those of a new process under the given `RLIMIT_CPU`: timers are not inherited.
    pub(super) fn new(limit: (u64, u64)) -> CpuTimers {
        let off = Setting { due: NEVER, interval: 0 };
        let state = State { warn: at(limit.0), kill: at(limit.1), timers: [off; 2] };
        let nap = state.warn.min(state.kill);
        CpuTimers { nap: AtomicU64::new(nap), state: SpinLock::new(Rank::Leaf, "CPU timers", state) }
    }

    fn nap(&self) -> Option<u64> {
        Some(self.nap.load(Ordering::Relaxed)).filter(|&nap| nap != NEVER)
    }
}

/// A limit in seconds as a due time; 0 means the first second, as on Linux.
fn at(seconds: u64) -> u64 {
    if seconds == INFINITY { NEVER } else { seconds.max(1).saturating_mul(SECOND) }
}

/// A CPU gives itself to `task`.
pub(super) fn began(task: &Task, now: u64) {
    if let Some(nap) = task.process.cpu_timers.nap() {
        timer::arm(now.saturating_add(nap));
    }
}

/// The timer interrupt found `task` running.
pub(super) fn ticked(task: &Task) {
    if task.process.cpu_timers.nap().is_some() {
        task.set_work(WORK_CPU_TIME);
    }
}

/// Sends what is due, and arms for the next. On the way to user mode.
pub(super) fn check(task: &Arc<Task>) {
    task.clear_work(WORK_CPU_TIME);
    let process = &task.process;
    let times = process.times();
    let total = times.user + times.system;
    let running = process.thread_count().max(1) as u64;
    let mut due = [None; 3];
    let mut rest = NEVER;
    {
        let mut state = process.cpu_timers.state.lock();
        for (timer, signal) in [CpuTimer::Virtual, CpuTimer::Profile].into_iter().zip(&mut due) {
            let setting = &mut state.timers[timer as usize];
            let now = timer.of(times);
            if setting.due <= now {
                *signal = Some(timer.signal());
                setting.due = if setting.interval == 0 { NEVER } else { now.saturating_add(setting.interval) };
            }
            rest = rest.min(setting.due.saturating_sub(now));
        }
        if total >= state.kill {
            due[2] = Some(Signal::KILL);
        } else if total >= state.warn {
            due[2] = Some(Signal::XCPU);
            // And every second from now on (setrlimit(2)).
            state.warn = (total / SECOND + 1) * SECOND;
        }
        rest = rest.min(state.warn.min(state.kill).saturating_sub(total));
        let pending = state.warn.min(state.kill).min(state.timers[0].due).min(state.timers[1].due) != NEVER;
        let nap = if pending { (rest / running).max(GRAIN) } else { NEVER };
        process.cpu_timers.nap.store(nap, Ordering::Relaxed);
    }
    for signal in due.into_iter().flatten() {
        signal::send_to_process(process, signal);
    }
    began(task, hal::time::now_ns());
}

impl Process {
    /// A CPU timer: (time left, interval) in ns; 0 left when it is not set.
    pub fn cpu_timer(&self, timer: CpuTimer) -> (u64, u64) {
        let now = timer.of(self.times());
        let setting = self.cpu_timers.state.lock().timers[timer as usize];
        let left = if setting.due == NEVER { 0 } else { setting.due.saturating_sub(now).max(1) };
        (left, setting.interval)
    }

    /// Sets a CPU timer to ring after `value` ns more (0: never), and every `interval` ns after (0: once); returns what was left.
    pub fn set_cpu_timer(&self, timer: CpuTimer, value: u64, interval: u64) -> (u64, u64) {
        let old = self.cpu_timer(timer);
        let due = if value == 0 { NEVER } else { timer.of(self.times()).saturating_add(value) };
        self.cpu_timers.state.lock().timers[timer as usize] = Setting { due, interval };
        self.look_at_cpu_time();
        old
    }

    /// `RLIMIT_CPU` has changed.
    pub(super) fn cpu_limit_changed(&self) {
        let (soft, hard) = self.limit(Resource::Cpu);
        {
            let mut state = self.cpu_timers.state.lock();
            (state.warn, state.kill) = (at(soft), at(hard));
        }
        self.look_at_cpu_time();
    }

    /// Has every thread look, those at once that run elsewhere.
    fn look_at_cpu_time(&self) {
        self.cpu_timers.nap.store(GRAIN, Ordering::Relaxed);
        for thread in self.threads() {
            thread.set_work(WORK_CPU_TIME);
            hal::cpu::kick(thread.last_cpu());
        }
    }
}
