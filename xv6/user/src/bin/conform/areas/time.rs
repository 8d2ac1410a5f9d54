//! Time: clocks, sleeps, interval timers, POSIX timers, timerfd.

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID, ITIMER_PROF,
    ITIMER_REAL, ITIMER_VIRTUAL, SIGALRM, SIGPROF, SIGUSR1, SIGVTALRM, TIMER_ABSTIME,
};
use user::raw::expendable::{catch, count_caught, take_caught};

use crate::child::{end_of, part, reap, signal_name, spawn, until, until_asleep};
use crate::runner::{Area, plain, root};
use crate::sys::{Answer, Arg, Errno, kill, must, sys};

pub const AREA: Area = Area {
    name: "time",
    checks: &[
        plain("clock_gettime", |t| {
            let now = |clock: i32| sys!(SYS_clock_gettime, clock, &mut [0i64; 2]);
            t.put((0..8).map(now).collect::<Vec<_>>());
            t.put([now(99), now(-1), now(-2), now(-6)]);
            t.put(sys!(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
        }),
        plain("clock_getres", |t| {
            let mut time = [9i64; 2];
            t.put(sys!(SYS_clock_getres, CLOCK_MONOTONIC, &mut time));
            t.put(time);
            t.put([
                sys!(SYS_clock_getres, 99, 0),
                sys!(SYS_clock_getres, CLOCK_REALTIME, 0),
                sys!(SYS_clock_getres, CLOCK_MONOTONIC, 8),
            ]);
        }),
        plain("clocks_advance", |t| {
            t.put([CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME].map(|clock| {
                let before = now(clock);
                must(sys!(SYS_nanosleep, &[0i64, 2_000_000], 0));
                now(clock) - before >= 2_000_000
            }));
        }),
        plain("cpu_clocks_stand_while_asleep", |t| {
            let before = now(CLOCK_PROCESS_CPUTIME_ID);
            must(sys!(SYS_nanosleep, &[0i64, 30_000_000], 0));
            t.put(now(CLOCK_PROCESS_CPUTIME_ID) - before < 30_000_000);
            let before = now(CLOCK_THREAD_CPUTIME_ID);
            t.is("runs", {
                until("the clock runs", || now(CLOCK_THREAD_CPUTIME_ID) > before);
                true
            });
        }),
        plain("clock_settime_refused", |t| {
            t.put(sys!(SYS_clock_settime, CLOCK_REALTIME, &[1i64 << 31, 0]));
            t.put(sys!(SYS_clock_settime, CLOCK_MONOTONIC, &[1i64, 0]));
            t.put(sys!(SYS_clock_settime, CLOCK_REALTIME, &[1i64, -1]));
            t.put(sys!(SYS_clock_settime, CLOCK_REALTIME, 8));
            t.put([sys!(SYS_settimeofday, &[1i64 << 31, 0], 0), sys!(SYS_settimeofday, &[1i64, 1_000_000], 0)]);
        }),
        plain("gettimeofday", |t| {
            let mut time = [0i64; 2];
            t.put(sys!(SYS_gettimeofday, &mut time, 0));
            t.put((now(CLOCK_REALTIME) / 1_000_000_000 - time[0]).abs() <= 1);
            t.put(sys!(SYS_gettimeofday, 8, 0));
            t.put(sys!(SYS_gettimeofday, 0, 0));
            t.put(sys!(SYS_time, 0).map(|seconds| seconds as i64 - time[0] <= 1));
        }),
        plain("nanosleep_refused", |t| {
            t.put([
                sys!(SYS_nanosleep, &[-1i64, 0], 0),
                sys!(SYS_nanosleep, &[0i64, 1_000_000_000], 0),
                sys!(SYS_nanosleep, &[0i64, -1], 0),
                sys!(SYS_nanosleep, 8, 0),
                sys!(SYS_nanosleep, &[0i64, 0], 0),
            ]);
        }),
        plain("clock_nanosleep", |t| {
            let sleep = |clock: i32, flags: i32, time: [i64; 2]| sys!(SYS_clock_nanosleep, clock, flags, &time, 0);
            t.put([
                sleep(CLOCK_MONOTONIC, 0, [0, 1000]),
                sleep(CLOCK_REALTIME, TIMER_ABSTIME, [1, 0]),
                sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, [0, 1]),
            ]);
            t.put([
                sleep(99, 0, [0, 0]),
                sleep(CLOCK_THREAD_CPUTIME_ID, 0, [0, 0]),
                sleep(CLOCK_MONOTONIC, 0, [0, -1]),
                sleep(CLOCK_MONOTONIC, 0, [-1, 0]),
            ]);
            let until = now(CLOCK_MONOTONIC) + 3_000_000;
            t.put(sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, [until / 1_000_000_000, until % 1_000_000_000]));
            t.put(now(CLOCK_MONOTONIC) >= until);
        }),
        plain("absolute_sleep_interrupted", |t| {
            let child = spawn(|| {
                must(catch(SIGUSR1, 0, 0).map_err(Errno));
                let mut left = [7i64; 2];
                let until = now(CLOCK_MONOTONIC) / 1_000_000_000 + 1000;
                let answer = sys!(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &[until, 0], &mut left);
                i32::from(answer == Err(Errno(libc::EINTR))) + i32::from(left == [7; 2]) * 2
            });
            until_asleep(child);
            must(kill(child, SIGUSR1));
            t.put(reap(child));
        }),
        plain("setitimer", |t| {
            must(catch(SIGALRM, 0, 0).map_err(Errno));
            t.put(sys!(SYS_setitimer, ITIMER_REAL, &[0i64, 0, 0, 2000], 0));
            until("the alarm", || count_caught() > 0);
            t.put(take_caught().iter().map(|caught| (signal_name(caught.signal), caught.code)).collect::<Vec<_>>());
            let mut left = [9i64; 4];
            t.put(sys!(SYS_getitimer, ITIMER_REAL, &mut left));
            t.put(left);
        }),
        plain("setitimer_repeats", |t| {
            must(catch(SIGALRM, 0, 0).map_err(Errno));
            must(sys!(SYS_setitimer, ITIMER_REAL, &[0i64, 1000, 0, 1000], 0));
            until("three alarms", || count_caught() >= 3);
            let mut old = [0i64; 4];
            t.put(sys!(SYS_setitimer, ITIMER_REAL, &[0i64; 4], &mut old));
            t.put([old[0], old[1], i64::from(old[2] == 0 && old[3] <= 1000)]);
        }),
        plain("setitimer_refused", |t| {
            t.put([
                sys!(SYS_setitimer, 9, &[0i64; 4], 0),
                sys!(SYS_setitimer, ITIMER_REAL, &[0i64, 0, 0, 1_000_000], 0),
                sys!(SYS_setitimer, ITIMER_REAL, &[0i64, 0, -1, 0], 0),
                sys!(SYS_setitimer, ITIMER_REAL, 8, 0),
            ]);
            t.put([
                sys!(SYS_getitimer, 9, &mut [0i64; 4]),
                sys!(SYS_getitimer, ITIMER_REAL, 8),
                sys!(SYS_setitimer, ITIMER_REAL, 0, 0),
            ]);
        }),
        plain("cpu_timers", |t| {
            for (timer, signal) in [(ITIMER_VIRTUAL, SIGVTALRM), (ITIMER_PROF, SIGPROF)] {
                must(catch(signal, 0, 0).map_err(Errno));
                let set = sys!(SYS_setitimer, timer, &[0i64, 0, 0, 5000], 0);
                t.put(set);
                spin_until(|| set.is_err() || count_caught() > 0);
                t.put(take_caught().iter().map(|caught| signal_name(caught.signal)).collect::<Vec<_>>());
            }
        }),
        plain("cpu_timer_with_the_longest_interval", |t| {
            must(catch(SIGVTALRM, 0, 0).map_err(Errno));
            let set = sys!(SYS_setitimer, ITIMER_VIRTUAL, &[i64::MAX, 999_999, 0, 5000], 0);
            t.put(set);
            spin_until(|| set.is_err() || count_caught() > 0);
            let start = std::time::Instant::now();
            spin_until(|| start.elapsed() > std::time::Duration::from_millis(20));
            t.put(take_caught().len());
        }),
        plain("alarm", |t| {
            t.put([sys!(SYS_alarm, 100), sys!(SYS_alarm, 50), sys!(SYS_alarm, 0), sys!(SYS_alarm, 0)]);
            t.put(end_of(|| {
                must(sys!(SYS_setitimer, ITIMER_REAL, &[0i64, 0, 0, 1000], 0));
                loop {
                    let _ = sys!(SYS_pause);
                }
            }));
        }),
        plain("alarm_not_inherited", |t| {
            must(sys!(SYS_alarm, 100));
            part(t, |t| t.put(sys!(SYS_alarm, 0)));
            t.put(sys!(SYS_alarm, 0));
        }),
        plain("timer_create", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            let timer = create(CLOCK_MONOTONIC, SIGUSR1, 0, 77);
            t.put(timer.map(drop));
            if let Ok(timer) = timer {
                t.put(settime(timer, 0, [0, 0, 0, 1_000_000]));
                until("the timer", || count_caught() > 0);
                t.put(take_caught().iter().map(|caught| (caught.code, caught.value)).collect::<Vec<_>>());
                let mut left = [9i64; 4];
                t.put(sys!(SYS_timer_gettime, timer, &mut left));
                t.put(left);
                t.put([
                    sys!(SYS_timer_getoverrun, timer),
                    sys!(SYS_timer_delete, timer),
                    sys!(SYS_timer_delete, timer),
                ]);
            }
        }),
        plain("timer_refused", |t| {
            t.put(
                [create(99, SIGUSR1, 0, 0), create(CLOCK_MONOTONIC, 65, 0, 0), create(CLOCK_MONOTONIC, SIGUSR1, 77, 0)]
                    .map(|made| made.map(drop)),
            );
            t.put([
                settime(12345, 0, [0; 4]),
                sys!(SYS_timer_gettime, 12345, &mut [0i64; 4]),
                sys!(SYS_timer_getoverrun, 12345),
                sys!(SYS_timer_delete, -1),
            ]);
            if let Ok(timer) = create(CLOCK_MONOTONIC, SIGUSR1, 0, 0) {
                t.put([
                    settime(timer, 0, [0, 0, 0, 1_000_000_000]),
                    settime(timer, 0, [0, 0, -1, 0]),
                    sys!(SYS_timer_settime, timer, 0, 0, 0),
                ]);
            }
        }),
        plain("timer_overrun", |t| {
            must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << (SIGUSR1 - 1)], 0, 8));
            if let Ok(timer) = create(CLOCK_MONOTONIC, SIGUSR1, 0, 0) {
                must(settime(timer, 0, [0, 1_000_000, 0, 1_000_000]));
                must(sys!(SYS_nanosleep, &[0i64, 20_000_000], 0));
                must(sys!(SYS_rt_sigtimedwait, &[1u64 << (SIGUSR1 - 1)], 0, 0, 8));
                t.put(sys!(SYS_timer_getoverrun, timer).map(|count| count >= 5));
            }
        }),
        plain("timer_none", |t| {
            if let Ok(timer) = create(CLOCK_MONOTONIC, 0, 1, 0) {
                t.put(settime(timer, 0, [0, 0, 100, 0]));
                let mut left = [0i64; 4];
                must(sys!(SYS_timer_gettime, timer, &mut left));
                t.put(left[2] == 99 || left[2] == 100);
            }
        }),
        plain("timerfd", |t| {
            let made = sys!(SYS_timerfd_create, CLOCK_MONOTONIC, libc::TFD_NONBLOCK);
            t.put(made.map(|_| "fd"));
            if let Ok(fd) = made {
                let mut count = [0u64];
                t.put(sys!(SYS_read, fd, &mut count, 8));
                t.put(sys!(SYS_timerfd_settime, fd, 0, &[0i64, 0, 0, 1000], 0));
                until("the timer", || sys!(SYS_read, fd, &mut count, 8).is_ok());
                t.put(count[0]);
                t.put([
                    sys!(SYS_timerfd_create, 99, 0),
                    sys!(SYS_timerfd_create, CLOCK_MONOTONIC, 1),
                    sys!(SYS_timerfd_settime, 0, 0, &[0i64; 4], 0),
                    sys!(SYS_read, fd, 8, 4),
                ]);
            }
        }),
        plain("times", |t| {
            let mut ticks = [9i64; 4];
            t.put(sys!(SYS_times, &mut ticks).map(|clock| clock > 0));
            t.put([ticks[2], ticks[3]]);
            t.put([sys!(SYS_times, 0).is_ok(), sys!(SYS_times, 8).is_ok()]);
        }),
        root("clock_settime_of_others", |t| t.put(sys!(SYS_clock_settime, CLOCK_BOOTTIME, &[1i64, 0]))),
        plain("cpu_limit", |t| {
            t.put(end_of(|| {
                must(sys!(SYS_prlimit64, 0, libc::RLIMIT_CPU, &[1u64, 2], 0));
                must(catch(libc::SIGXCPU, 0, 0).map_err(Errno));
                let start = now(CLOCK_MONOTONIC);
                spin_until(|| {
                    count_caught() > 0
                        || now(CLOCK_PROCESS_CPUTIME_ID) > 1_500_000_000
                        || now(CLOCK_MONOTONIC) - start > 8_000_000_000
                });
                6 + count_caught() as i32
            }));
        }),
    ],
};

fn now(clock: i32) -> i64 {
    let mut time = [0i64; 2];
    must(sys!(SYS_clock_gettime, clock, &mut time));
    time[0] * 1_000_000_000 + time[1]
}

/// Uses CPU time until it holds: the check's own limit ends it otherwise.
fn spin_until(holds: impl Fn() -> bool) {
    while !holds() {
        std::hint::spin_loop();
    }
}

/// timer_create(2) with a `struct sigevent`.
fn create(clock: i32, signal: i32, notify: i32, value: usize) -> Answer<i32> {
    let mut event = [0u64; 8];
    event[0] = value as u64;
    event[1] = signal as u32 as u64 | (notify as u64) << 32;
    let mut timer = [0i32];
    sys!(SYS_timer_create, clock, &event, &mut timer)?;
    Ok(timer[0])
}

fn settime(timer: impl Arg, flags: i32, time: [i64; 4]) -> Answer {
    sys!(SYS_timer_settime, timer, flags, &time, 0)
}
