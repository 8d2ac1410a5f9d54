//! Signals: dispositions, masks, order, values, alternate stacks, waiting, interruption, and who may send.

use libc::{
    SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGCHLD, SIGCONT, SIGKILL,
    SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use user::raw::expendable::{catch, count_caught, take_caught};

use crate::child::{Gate, end, end_of, part, reap, signal_name, sleeper, spawn, wait};
use crate::line::Hex;
use crate::runner::{Area, plain};
use crate::sys::{Answer, Errno, getpid, kill, must, sys};

pub const AREA: Area = Area {
    name: "signals",
    checks: &[
        plain("defaults", |t| {
            let ends = [
                libc::SIGHUP,
                libc::SIGQUIT,
                libc::SIGALRM,
                SIGUSR1,
                libc::SIGVTALRM,
                libc::SIGIO,
                libc::SIGPWR,
                libc::SIGSYS,
                libc::SIGSTKFLT,
                SIGCHLD,
                libc::SIGURG,
                SIGWINCH,
                SIGCONT,
            ];
            t.put(ends.map(|signal| {
                end_of(|| {
                    must(kill(getpid(), signal));
                    0
                })
            }));
        }),
        plain("stops_by_default", |t| {
            for signal in [SIGSTOP, SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
                // In a group that is not orphaned: its parent is here, in the same session.
                let child = spawn(|| {
                    must(sys!(SYS_setpgid, 0, 0));
                    must(kill(getpid(), signal));
                    0
                });
                t.put(wait(child, libc::WUNTRACED).map(|found| found.1));
                let _ = kill(child, SIGCONT);
                t.put(reap(child));
            }
        }),
        plain("orphaned_group_does_not_stop", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setsid));
                must(kill(getpid(), SIGTSTP));
                5
            });
            t.put(wait(child, libc::WUNTRACED).map(|found| found.1));
        }),
        plain("continue_discards_stops", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setpgid, 0, 0));
                block(&[SIGTSTP]);
                must(kill(getpid(), SIGTSTP));
                let before = pending();
                must(kill(getpid(), SIGCONT));
                i32::from(before.0 != 0) * 2 + i32::from(pending().0 != 0)
            });
            t.put(wait(child, libc::WUNTRACED).map(|found| found.1));
        }),
        plain("kill_and_stop_are_fixed", |t| {
            for signal in [SIGKILL, SIGSTOP] {
                t.put([
                    sys!(SYS_rt_sigaction, signal, &[1u64, 0, 0, 0], 0, 8),
                    sys!(SYS_rt_sigaction, signal, 0, &mut [0u64; 4], 8),
                ]);
            }
            must(sys!(SYS_rt_sigprocmask, SIG_SETMASK, &[u64::MAX], 0, 8));
            t.put(mask());
            t.put(end_of(|| {
                must(kill(getpid(), SIGKILL));
                0
            }));
        }),
        plain("sigaction_refused", |t| {
            let action = |signal: i32, size: usize| sys!(SYS_rt_sigaction, signal, &[0u64; 4], 0, size);
            t.put([action(0, 8), action(65, 8), action(-1, 8), action(SIGUSR1, 4), action(SIGUSR1, 16), action(64, 8)]);
            t.put([sys!(SYS_rt_sigaction, SIGUSR1, 8, 0, 8), sys!(SYS_rt_sigaction, SIGUSR1, 0, 8, 8)]);
        }),
        plain("sigaction_reads_back", |t| {
            must(catch(SIGUSR1, SA_RESTART | SA_NODEFER, 1 << 11).map_err(Errno));
            let mut old = [0u64; 4];
            must(sys!(SYS_rt_sigaction, SIGUSR1, 0, &mut old, 8));
            t.put([Hex(old[1] & !0x0400_0000), Hex(old[3])]);
            must(sys!(SYS_rt_sigaction, SIGUSR1, &[1u64, 0, 0, u64::MAX], 0, 8));
            must(sys!(SYS_rt_sigaction, SIGUSR1, 0, &mut old, 8));
            t.put([Hex(old[0]), Hex(old[3])]);
        }),
        plain("sigprocmask", |t| {
            let change = |how: i32, bits: u64| sys!(SYS_rt_sigprocmask, how, &[bits], 0, 8);
            t.put([change(SIG_BLOCK, 0b11), change(SIG_UNBLOCK, 0b10)]);
            t.put(mask());
            t.put([change(SIG_SETMASK, 0xf0), change(9, 0)]);
            t.put(mask());
            t.put([
                sys!(SYS_rt_sigprocmask, SIG_BLOCK, 8, 0, 8),
                sys!(SYS_rt_sigprocmask, SIG_BLOCK, &[0u64], 8, 8),
                sys!(SYS_rt_sigprocmask, SIG_BLOCK, &[0u64], 0, 4),
            ]);
            t.put(sys!(SYS_rt_sigprocmask, 99, 0, 0, 8));
        }),
        plain("handler_is_told", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            must(kill(getpid(), SIGUSR1));
            let caught = take_caught();
            t.put(caught.len());
            t.put([caught[0].code, i32::from(caught[0].pid == getpid())]);
            must(sys!(SYS_tgkill, getpid(), getpid(), SIGUSR1));
            t.is("tgkill", take_caught()[0].code);
        }),
        plain("mask_in_the_handler", |t| {
            must(catch(SIGUSR1, 0, bits(&[SIGUSR2])).map_err(Errno));
            must(kill(getpid(), SIGUSR1));
            must(catch(SIGUSR1, SA_NODEFER, 0).map_err(Errno));
            must(kill(getpid(), SIGUSR1));
            t.put(take_caught().iter().map(|caught| Hex(caught.mask)).collect::<Vec<_>>());
            t.put(mask());
        }),
        plain("reset_hand", |t| {
            must(catch(SIGUSR1, SA_RESETHAND, 0).map_err(Errno));
            must(kill(getpid(), SIGUSR1));
            t.put(count_caught());
            t.put(end_of(|| {
                must(kill(getpid(), SIGUSR1));
                0
            }));
        }),
        plain("blocked_then_delivered", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            block(&[SIGUSR1]);
            must(kill(getpid(), SIGUSR1));
            must(kill(getpid(), SIGUSR1));
            t.put(count_caught());
            t.put(pending());
            must(sys!(SYS_rt_sigprocmask, SIG_SETMASK, &[0u64], 0, 8));
            t.put(count_caught());
            t.put(pending());
        }),
        plain("ignored_is_not_pending", |t| {
            must(sys!(SYS_rt_sigaction, SIGUSR1, &[1u64, 0, 0, 0], 0, 8));
            block(&[SIGUSR1, SIGCHLD]);
            must(kill(getpid(), SIGUSR1));
            must(kill(getpid(), SIGCHLD));
            // A blocked signal is queued even where it would be ignored: the disposition may change.
            t.put(pending());
            must(sys!(SYS_rt_sigaction, SIGUSR1, &[1u64, 0, 0, 0], 0, 8));
            t.put(pending());
        }),
        plain("order_of_delivery", |t| {
            for signal in [SIGUSR1, SIGUSR2, 40, 41] {
                must(catch(signal, 0, u64::MAX).map_err(Errno));
            }
            block(&[SIGUSR1, SIGUSR2, 40, 41]);
            for (signal, value) in [(41, 1), (40, 2), (41, 3), (40, 4)] {
                must(queue(getpid(), signal, value));
            }
            must(kill(getpid(), SIGUSR2));
            must(kill(getpid(), SIGUSR1));
            must(sys!(SYS_rt_sigprocmask, SIG_SETMASK, &[0u64], 0, 8));
            // Each handler is entered before the one that was set up before it runs: with all masked, one after the other.
            t.put(take_caught().iter().map(|caught| (signal_name(caught.signal), caught.value)).collect::<Vec<_>>());
        }),
        plain("queue_carries_values", |t| {
            must(catch(36, 0, 0).map_err(Errno));
            t.put(queue(getpid(), 36, 0x1234_5678_9abc));
            let caught = take_caught();
            t.put(caught.iter().map(|caught| Hex(caught.value as u64)).collect::<Vec<_>>());
            t.put(caught.iter().map(|caught| caught.code).collect::<Vec<_>>());
        }),
        plain("queue_refused", |t| {
            t.put([queue(getpid(), 65, 0), queue(1 << 22, 34, 0), queue(getpid(), 0, 0), queue(-1, 34, 0)]);
            let info =
                |code: i32| [34i32, 0, code, 0, getpid(), 0, 0, 0].into_iter().chain([0; 24]).collect::<Vec<i32>>();
            t.is("own_kernel_code", sys!(SYS_rt_sigqueueinfo, getpid(), 0, info(1).as_slice()));
            let child = sleeper();
            t.is("others_kernel_code", sys!(SYS_rt_sigqueueinfo, child, 34, info(0).as_slice()));
            t.is("others_tkill_code", sys!(SYS_rt_sigqueueinfo, child, 34, info(-6).as_slice()));
            end(child);
        }),
        plain("queue_limit", |t| {
            block(&[34]);
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_SIGPENDING, &[2u64, 2], 0));
            // Other processes of the user count, too, so only the refusal is certain.
            t.put((0..4).map(|value| queue(getpid(), 34, value)).next_back());
            t.is("kill_is_not_refused", kill(getpid(), 34));
        }),
        plain("alternate_stack", |t| {
            let stack = crate::sys::memory(8);
            t.put(sys!(SYS_sigaltstack, &[stack, 0, 32768], 0));
            must(catch(SIGUSR1, SA_ONSTACK, 0).map_err(Errno));
            must(catch(SIGUSR2, 0, 0).map_err(Errno));
            must(kill(getpid(), SIGUSR1));
            must(kill(getpid(), SIGUSR2));
            t.put(
                take_caught().iter().map(|caught| (stack..stack + 32768).contains(&caught.stack)).collect::<Vec<_>>(),
            );
            let mut old = [9usize; 3];
            t.put(sys!(SYS_sigaltstack, 0, &mut old));
            t.put([old[0] == stack, old[1] == 0, old[2] == 32768]);
        }),
        plain("alternate_stack_refused", |t| {
            let stack = crate::sys::memory(8);
            t.put([
                sys!(SYS_sigaltstack, &[stack, 0, 100], 0),
                sys!(SYS_sigaltstack, &[stack, 8, 32768], 0),
                sys!(SYS_sigaltstack, &[stack, 1, 32768], 0),
                sys!(SYS_sigaltstack, 8, 0),
            ]);
            t.put(sys!(SYS_sigaltstack, &[0usize, 2, 0], 0));
            let mut old = [9usize; 3];
            must(sys!(SYS_sigaltstack, 0, &mut old));
            t.put(old[1]);
        }),
        plain("fork_and_signals", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            block(&[SIGUSR1, SIGUSR2]);
            must(kill(getpid(), SIGUSR1));
            part(t, |t| {
                t.put(pending());
                t.put(mask());
            });
            t.put(pending());
        }),
        plain("null_signal_checks_only", |t| {
            let child = sleeper();
            t.put(kill(child, 0));
            end(child);
            t.put(kill(child, 0));
        }),
        plain("stopped_process_dies", |t| {
            let child = sleeper();
            must(kill(child, SIGSTOP));
            must(wait(child, libc::WUNTRACED));
            must(kill(child, SIGTERM));
            t.is("waits", wait(child, libc::WNOHANG).map(|found| found.0));
            must(kill(child, SIGCONT));
            t.put(reap(child));
        }),
        plain("status_file", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            must(sys!(SYS_rt_sigaction, SIGUSR2, &[1u64, 0, 0, 0], 0, 8));
            block(&[SIGTERM, 40]);
            must(kill(getpid(), SIGTERM));
            let lines = crate::sys::lines("/proc/self/status");
            t.put(
                lines
                    .iter()
                    .filter(|line| {
                        ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"].iter().any(|name| line.starts_with(name))
                    })
                    .map(|line| line.replace('\t', ""))
                    .collect::<Vec<_>>(),
            );
        }),
        plain("thread_gets_its_own", |t| {
            must(catch(SIGUSR1, 0, 0).map_err(Errno));
            let gate = Gate::new();
            let thread = std::thread::spawn(move || {
                block(&[SIGUSR1]);
                must(sys!(SYS_tgkill, getpid(), must(sys!(SYS_gettid)), SIGUSR1));
                gate.open();
                let own = pending();
                own.0
            });
            gate.wait();
            t.put(thread.join().is_ok_and(|bits| bits == 1 << (SIGUSR1 - 1)));
            t.put([count_caught(), pending().0 as usize]);
        }),
        plain("restart_syscall", |t| t.put(sys!(SYS_restart_syscall))),
        plain("signalfd", |t| {
            block(&[SIGUSR1]);
            let fd = sys!(SYS_signalfd4, -1, &[bits(&[SIGUSR1])], 8, libc::SFD_NONBLOCK);
            t.put(fd.map(|_| "fd"));
            if let Ok(fd) = fd {
                let mut info = [0u32; 32];
                t.put(sys!(SYS_read, fd, &mut info, 128));
                must(kill(getpid(), SIGUSR1));
                t.put(sys!(SYS_read, fd, &mut info, 128));
                t.put([info[0], u32::from(info[3] as i32 == getpid())]);
            }
        }),
    ],
};

pub(super) fn bits(signals: &[i32]) -> u64 {
    signals.iter().fold(0, |bits, signal| bits | 1 << (signal - 1))
}

pub(super) fn block(signals: &[i32]) {
    must(sys!(SYS_rt_sigprocmask, SIG_BLOCK, &[bits(signals)], 0, 8));
}

pub(super) fn mask() -> Hex {
    let mut mask = [0u64];
    must(sys!(SYS_rt_sigprocmask, SIG_BLOCK, 0, &mut mask, 8));
    Hex(mask[0])
}

fn pending() -> Hex {
    let mut pending = [0u64];
    must(sys!(SYS_rt_sigpending, &mut pending, 8));
    Hex(pending[0])
}

/// rt_sigqueueinfo(2) as sigqueue(3) calls it.
pub(super) fn queue(pid: i32, signal: i32, value: usize) -> Answer {
    let mut info = [0u64; 16];
    info[0] = signal as u64;
    info[1] = libc::SI_QUEUE as u32 as u64;
    info[2] = getpid() as u64;
    info[3] = value as u64;
    sys!(SYS_rt_sigqueueinfo, pid, signal, &info)
}
