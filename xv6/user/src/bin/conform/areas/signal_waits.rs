//! Waiting for signals, and calls that signals interrupt.

use libc::{SA_RESTART, SIGCONT, SIGSTOP, SIGUSR1, SIGUSR2, SIGWINCH};
use user::raw::expendable::{catch, count_caught, take_caught};

use crate::areas::signals::{bits, block, mask, queue};
use crate::child::{reap, spawn, state, until, until_asleep, wait};
use crate::line::Hex;
use crate::runner::{Area, plain};
use crate::sys::{Errno, getpid, kill, must, pipe, read, sys, write};

pub const AREA: Area = Area {
    name: "signals",
    checks: &[
        plain("sigtimedwait", |t| {
            block(&[SIGUSR1, 35]);
            must(kill(getpid(), SIGUSR1));
            must(queue(getpid(), 35, 77));
            let mut info = [0u32; 32];
            t.put(sys!(SYS_rt_sigtimedwait, &[bits(&[35])], &mut info, &[0i64, 0], 8));
            t.put([info[0], info[6]]);
            t.put(sys!(SYS_rt_sigtimedwait, &[bits(&[SIGUSR1, 35])], 0, &[0i64, 0], 8));
            t.put(sys!(SYS_rt_sigtimedwait, &[bits(&[SIGUSR1, 35])], 0, &[0i64, 1_000_000], 8));
            t.put(sys!(SYS_rt_sigtimedwait, &[bits(&[SIGUSR1])], 0, &[0i64, -1], 8));
            t.put(sys!(SYS_rt_sigtimedwait, &[bits(&[SIGUSR1])], 0, &[0i64, 0], 4));
            t.put(sys!(SYS_rt_sigtimedwait, 8, 0, &[0i64, 0], 8));
        }),
        plain("sigtimedwait_interrupted", |t| {
            let child = spawn(|| {
                must(catch(SIGUSR2, SA_RESTART, 0).map_err(Errno));
                block(&[SIGUSR1]);
                sys!(SYS_rt_sigtimedwait, &[bits(&[SIGUSR1])], 0, 0, 8)
                    .map_or_else(|errno| i32::from(errno == Errno(libc::EINTR)), |_| 9)
            });
            until_asleep(child);
            must(kill(child, SIGUSR2));
            t.put(reap(child));
        }),
        plain("sigsuspend", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            block(&[SIGUSR1, SIGUSR2]);
            must(kill(getpid(), SIGUSR1));
            t.put(sys!(SYS_rt_sigsuspend, &[0u64], 8));
            t.put(take_caught().iter().map(|caught| Hex(caught.mask)).collect::<Vec<_>>());
            t.put(mask());
            t.put([sys!(SYS_rt_sigsuspend, 8, 8), sys!(SYS_rt_sigsuspend, &[0u64], 4)]);
        }),
        plain("pause", |t| {
            let child = spawn(|| {
                must(catch(SIGUSR1, SA_RESTART, 0).map_err(Errno));
                i32::from(sys!(SYS_pause) == Err(Errno(libc::EINTR)))
            });
            until_asleep(child);
            must(kill(child, SIGWINCH));
            must(kill(child, SIGUSR1));
            t.put(reap(child));
        }),
        plain("read_interrupted", |t| {
            for flags in [0, SA_RESTART] {
                let (r, w) = must(pipe(0));
                let child = spawn(|| {
                    must(catch(SIGUSR1, flags, 0).map_err(Errno));
                    read(r, 1).map_or_else(|errno| errno.0, |_| 100 + count_caught() as i32)
                });
                until_asleep(child);
                must(kill(child, SIGUSR1));
                until("interrupted or asleep again", || {
                    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
                    state(child) == 'Z'
                        || state(child) == 'S' && status.lines().any(|line| line == "ShdPnd:\t0000000000000000")
                });
                must(write(w, "x"));
                t.put(reap(child).map(|ended| libc::WEXITSTATUS(ended.0)));
            }
        }),
        plain("stop_and_continue_do_not_interrupt", |t| {
            let (r, w) = must(pipe(0));
            let child = spawn(|| read(r, 1).map_or_else(|errno| errno.0, |_| 0));
            until_asleep(child);
            must(kill(child, SIGSTOP));
            must(wait(child, libc::WUNTRACED));
            must(kill(child, SIGCONT));
            until_asleep(child);
            must(write(w, "x"));
            t.put(reap(child));
        }),
        plain("sleep_leaves_the_rest", |t| {
            let child = spawn(|| {
                must(catch(SIGUSR1, SA_RESTART, 0).map_err(Errno));
                let mut left = [0i64; 2];
                let answer = sys!(SYS_nanosleep, &[100i64, 0], &mut left);
                i32::from(answer == Err(Errno(libc::EINTR))) + i32::from(left[0] > 90 && left[0] < 100) * 2
            });
            until_asleep(child);
            must(kill(child, SIGUSR1));
            t.put(reap(child));
        }),
    ],
};
