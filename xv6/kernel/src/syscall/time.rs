//! Clocks, sleeping, alarms, CPU time.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::signal::signal_pending;
use crate::task::{Cap, CpuTimer, Restart, Task, Usage, sched};
use crate::time::{self, SECOND};
use alloc::sync::Arc;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 35, name: "nanosleep", handler: nanosleep },
    Row { number: 36, name: "getitimer", handler: getitimer },
    Row { number: 37, name: "alarm", handler: alarm },
    Row { number: 38, name: "setitimer", handler: setitimer },
    Row { number: 96, name: "gettimeofday", handler: gettimeofday },
    Row { number: 98, name: "getrusage", handler: getrusage },
    Row { number: 100, name: "times", handler: times },
    Row { number: 164, name: "settimeofday", handler: settimeofday },
    Row { number: 201, name: "time", handler: time },
    Row { number: 219, name: "restart_syscall", handler: restart_syscall },
    Row { number: 227, name: "clock_settime", handler: clock_settime },
    Row { number: 228, name: "clock_gettime", handler: clock_gettime },
    Row { number: 229, name: "clock_getres", handler: clock_getres },
    Row { number: 230, name: "clock_nanosleep", handler: clock_nanosleep },
];

const CLOCK_REALTIME: usize = 0;
const CLOCK_MONOTONIC: usize = 1;
const CLOCK_PROCESS_CPUTIME: usize = 2;
const CLOCK_THREAD_CPUTIME: usize = 3;
const CLOCK_MONOTONIC_RAW: usize = 4;
const CLOCK_REALTIME_COARSE: usize = 5;
const CLOCK_MONOTONIC_COARSE: usize = 6;
const CLOCK_BOOTTIME: usize = 7;

/// Nanoseconds in a clock tick of times(2).
const TICK_NS: u64 = 10_000_000;

/// Reads a `struct timespec` as nanoseconds (saturating); `EINVAL` if negative or not normal.
pub fn read_timespec(address: usize) -> Result<u64> {
    let [sec, nsec]: [i64; 2] = memory::read(address)?;
    if sec < 0 || !(0..SECOND as i64).contains(&nsec) {
        return Err(Errno::EINVAL.into());
    }
    Ok((sec as u64).saturating_mul(SECOND).saturating_add(nsec as u64))
}

pub fn timespec(ns: u64) -> [u64; 2] {
    [ns / SECOND, ns % SECOND]
}

fn timeval(ns: u64) -> [u64; 2] {
    [ns / SECOND, ns % SECOND / 1000]
}

fn read_timeval(address: usize) -> Result<u64> {
    let [sec, usec]: [i64; 2] = memory::read(address)?;
    if sec < 0 || !(0..1_000_000).contains(&usec) {
        return Err(Errno::EINVAL.into());
    }
    Ok((sec as u64).saturating_mul(SECOND).saturating_add(usec as u64 * 1000))
}

/// The CPU-time clock of a process or thread, as clock_getcpuclockid(3) makes its number: the complement of the pid, then three bits.
fn cpu_clock(task: &Task, clock: i32) -> Result<u64> {
    const THREAD: i32 = 4;
    /// The scheduler's exact time (the other two count user time, or ticks).
    const EXACT: i32 = 2;
    if clock & 3 != EXACT {
        return Err(Errno::EINVAL.into());
    }
    let number = (!clock >> 3) as u32;
    let pid = if number == 0 { None } else { Some(task.pid_ns().find(number).ok_or(Errno::EINVAL)?) };
    let times = match (pid, clock & THREAD != 0) {
        (None, true) => task.times(),
        (None, false) => task.process.times(),
        (Some(pid), true) => {
            let other = pid.task().filter(|other| Arc::ptr_eq(&other.process, &task.process));
            other.ok_or(Errno::EINVAL)?.times()
        }
        (Some(pid), false) => pid.process().ok_or(Errno::EINVAL)?.times(),
    };
    Ok(times.user + times.system)
}

fn read_clock(task: &Task, clock: usize) -> Result<u64> {
    if (clock as i32) < 0 {
        return cpu_clock(task, clock as i32);
    }
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE => Ok(time::realtime_ns()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => Ok(time::monotonic_ns()),
        CLOCK_PROCESS_CPUTIME => {
            let times = task.process.times();
            Ok(times.user + times.system)
        }
        CLOCK_THREAD_CPUTIME => {
            let times = task.times();
            Ok(times.user + times.system)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn clock_gettime(call: &mut Call<'_>) -> Result<usize> {
    let ns = read_clock(call.task, call.args[0])?;
    memory::write(call.args[1], &timespec(ns))?;
    Ok(0)
}

fn clock_getres(call: &mut Call<'_>) -> Result<usize> {
    read_clock(call.task, call.args[0])?;
    if call.args[1] != 0 {
        memory::write(call.args[1], &timespec(1))?;
    }
    Ok(0)
}

fn set_wall_clock(task: &Task, ns: u64) -> Result<usize> {
    if !task.cred().capable(Cap::SysTime) {
        return Err(Errno::EPERM.into());
    }
    time::set_realtime_ns(ns);
    Ok(0)
}

fn clock_settime(call: &mut Call<'_>) -> Result<usize> {
    if call.args[0] != CLOCK_REALTIME {
        return Err(Errno::EINVAL.into());
    }
    set_wall_clock(call.task, read_timespec(call.args[1])?)
}

fn gettimeofday(call: &mut Call<'_>) -> Result<usize> {
    let [value, zone, ..] = call.args;
    if value != 0 {
        memory::write(value, &timeval(time::realtime_ns()))?;
    }
    if zone != 0 {
        memory::write(zone, &[0u32; 2])?;
    }
    Ok(0)
}

fn settimeofday(call: &mut Call<'_>) -> Result<usize> {
    match call.args[0] {
        0 => Ok(0),
        address => set_wall_clock(call.task, read_timeval(address)?),
    }
}

fn time(call: &mut Call<'_>) -> Result<usize> {
    let now = time::realtime_ns() / SECOND;
    if call.args[0] != 0 {
        memory::write(call.args[0], &now)?;
    }
    Ok(now as usize)
}

/// Sleeps until the monotonic `deadline`; `ERESTARTNOHAND` when a signal must be handled first.
fn sleep_until(task: &Task, deadline: u64) -> Result<()> {
    while hal::time::now_ns() < deadline {
        if signal_pending(task) {
            return Err(Errno::ERESTARTNOHAND.into());
        }
        sched::park(true, Some(deadline));
    }
    Ok(())
}

/// A relative sleep: what is left when a signal comes goes to `left`, and restart_syscall(2) goes on.
fn sleep(task: &Arc<Task>, deadline: u64, left: usize) -> Result<usize> {
    if sleep_until(task, deadline).is_ok() {
        return Ok(0);
    }
    if left != 0 {
        memory::write(left, &timespec(deadline.saturating_sub(hal::time::now_ns())))?;
    }
    task.set_restart(Restart { deadline, left });
    Err(Errno::ERESTARTBLOCK.into())
}

fn nanosleep(call: &mut Call<'_>) -> Result<usize> {
    let length = read_timespec(call.args[0])?;
    sleep(call.task, hal::time::now_ns().saturating_add(length), call.args[1])
}

const TIMER_ABSTIME: usize = 1;

fn clock_nanosleep(call: &mut Call<'_>) -> Result<usize> {
    let [clock, flags, request, left, ..] = call.args;
    match clock {
        CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME => {}
        CLOCK_PROCESS_CPUTIME | CLOCK_THREAD_CPUTIME => return Err(Errno::EOPNOTSUPP.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    let value = read_timespec(request)?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep(call.task, hal::time::now_ns().saturating_add(value), left);
    }
    let deadline = if clock == CLOCK_REALTIME { time::realtime_to_monotonic(value) } else { value };
    sleep_until(call.task, deadline).map(|()| 0)
}

fn restart_syscall(call: &mut Call<'_>) -> Result<usize> {
    match call.task.take_restart() {
        Some(Restart { deadline, left }) => sleep(call.task, deadline, left),
        None => Err(Errno::EINTR.into()),
    }
}

fn alarm(call: &mut Call<'_>) -> Result<usize> {
    let seconds = call.args[0] as u32;
    let (left, _) = call.task.process.set_alarm(u64::from(seconds) * SECOND, 0);
    // A part of a second left counts as one.
    Ok(left.div_ceil(SECOND) as usize)
}

const ITIMER_REAL: usize = 0;

/// Which clock a timer of setitimer(2) goes by: real time, or CPU time.
fn cpu_timer(which: usize) -> Result<Option<CpuTimer>> {
    match which {
        ITIMER_REAL => Ok(None),
        1 => Ok(Some(CpuTimer::Virtual)),
        2 => Ok(Some(CpuTimer::Profile)),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn itimerval((left, interval): (u64, u64)) -> [u64; 4] {
    let [a, b] = timeval(interval);
    let [c, d] = timeval(left.next_multiple_of(1000));
    [a, b, c, d]
}

fn getitimer(call: &mut Call<'_>) -> Result<usize> {
    let process = &call.task.process;
    let setting = match cpu_timer(call.args[0])? {
        None => process.alarm(),
        Some(timer) => process.cpu_timer(timer),
    };
    memory::write(call.args[1], &itimerval(setting))?;
    Ok(0)
}

fn setitimer(call: &mut Call<'_>) -> Result<usize> {
    let [which, new, old, ..] = call.args;
    let timer = cpu_timer(which)?;
    let (interval, value) = if new == 0 { (0, 0) } else { (read_timeval(new)?, read_timeval(new.wrapping_add(16))?) };
    let previous = match timer {
        None => call.task.process.set_alarm(value, interval),
        Some(timer) => call.task.process.set_cpu_timer(timer, value, interval),
    };
    if old != 0 {
        memory::write(old, &itimerval(previous))?;
    }
    Ok(0)
}

/// `struct rusage` (getrusage(2)): memory in KiB, disks in blocks of 512 bytes; what Linux does not keep is 0.
pub fn rusage(usage: Usage) -> [u64; 18] {
    let mut words = [0; 18];
    words[..2].copy_from_slice(&timeval(usage.times.user));
    words[2..4].copy_from_slice(&timeval(usage.times.system));
    words[4] = usage.peak as u64 / 1024;
    words[8] = usage.faults;
    (words[11], words[12]) = (usage.io.fetched() / 512, usage.io.dirtied() / 512);
    (words[16], words[17]) = (usage.voluntary, usage.forced);
    words
}

fn getrusage(call: &mut Call<'_>) -> Result<usize> {
    let task = call.task;
    let usage = match call.args[0] as i32 {
        0 => task.process.usage(),
        -1 => task.process.child_usage(),
        1 => task.usage(),
        _ => return Err(Errno::EINVAL.into()),
    };
    memory::write(call.args[1], &rusage(usage))?;
    Ok(0)
}

fn times(call: &mut Call<'_>) -> Result<usize> {
    if call.args[0] != 0 {
        let (own, children) = (call.task.process.times(), call.task.process.child_times());
        let ticks = [own.user, own.system, children.user, children.system].map(|ns| ns / TICK_NS);
        memory::write(call.args[0], &ticks)?;
    }
    Ok((hal::time::now_ns() / TICK_NS) as usize)
}
