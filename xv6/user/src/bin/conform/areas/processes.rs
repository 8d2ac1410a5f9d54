//! Processes: fork, clone(2), clone3(2), vfork, wait4(2), waitid(2), exit, and process groups and sessions.

use libc::{
    CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, P_ALL, P_PGID, P_PID, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP,
    SIGTERM, SIGUSR1, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED,
};
use user::raw::expendable;

use crate::child::{Gate, end, end_of, exit, part, reap, signal_name, sleeper, spawn, state, until, wait};
use crate::runner::{Area, plain, root};
use crate::sys::{Answer, Errno, close, getpid, kill, must, sys};

pub const AREA: Area = Area {
    name: "processes",
    checks: &[
        plain("exit_status", |t| t.put([0, 1, 255, 256, -1].map(|status| end_of(|| exit(status))))),
        plain("ended_by_a_signal", |t| {
            t.put([SIGTERM, SIGKILL, libc::SIGSEGV, libc::SIGRTMIN()].map(|signal| {
                end_of(|| {
                    must(kill(getpid(), signal));
                    0
                })
            }));
        }),
        plain("core_flag", |t| {
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_CORE, &[0u64, 0], 0));
            t.put(end_of(|| {
                must(kill(getpid(), libc::SIGABRT));
                0
            }));
        }),
        plain("wait_refused", |t| {
            t.put(
                [wait(-1, 0), wait(getpid(), 0), wait(1 << 22, 0), wait(-1, WNOHANG)]
                    .map(|answer| answer.map(|_| "changed")),
            );
            t.put([wait(-1, 0x100), wait(-1, WEXITED), wait(i32::MIN, 0)].map(|answer| answer.map(|_| "changed")));
        }),
        plain("wait_nohang", |t| {
            let child = sleeper();
            t.put([wait(child, WNOHANG).map(|found| found.0), wait(-1, WNOHANG).map(|found| found.0)]);
            end(child);
            t.put(wait(child, WNOHANG).map(|found| found.0));
        }),
        plain("wait_bad_status_address", |t| {
            let child = spawn(|| 3);
            t.put(sys!(SYS_wait4, child, 8, 0, 0));
            t.is("reaped_all_the_same", reap(child));
        }),
        plain("wait_by_group", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setpgid, 0, 0));
                must(sys!(SYS_pause)) as i32
            });
            until("in its group", || sys!(SYS_getpgid, child) == Ok(child as usize));
            t.put(wait(0, WNOHANG).map(|found| found.0));
            t.put(wait(-child, WNOHANG).map(|found| found.0));
            must(kill(-child, SIGTERM));
            t.put(wait(-child, 0).map(|found| (found.0 == child, found.1)));
        }),
        plain("wait_stopped_continued", |t| {
            let child = sleeper();
            must(kill(child, SIGSTOP));
            t.put(wait(child, WUNTRACED).map(|found| found.1));
            t.is("once", wait(child, WUNTRACED | WNOHANG).map(|found| found.0));
            must(kill(child, SIGCONT));
            t.put(wait(child, WCONTINUED).map(|found| found.1));
            t.is("once", wait(child, WCONTINUED | WNOHANG).map(|found| found.0));
            must(kill(child, SIGKILL));
            t.put(wait(child, WUNTRACED | WCONTINUED).map(|found| found.1));
        }),
        plain("stopped_unasked", |t| {
            let child = sleeper();
            must(kill(child, SIGSTOP));
            until("stopped", || state(child) == 'T');
            t.put(wait(child, WNOHANG).map(|found| found.0));
            must(kill(child, SIGKILL));
            t.put(reap(child));
        }),
        plain("waitid", |t| {
            let child = spawn(|| 7);
            t.put(waitid(P_PID, child, WEXITED | WNOWAIT));
            t.is("again", waitid(P_PID, child, WEXITED));
            t.is("gone", waitid(P_PID, child, WEXITED));
            let child = sleeper();
            must(kill(child, SIGSTOP));
            t.put(waitid(P_PID, child, WSTOPPED));
            must(kill(child, SIGCONT));
            t.put(waitid(P_ALL, 0, WCONTINUED | WEXITED));
            t.is("none", waitid(P_PID, child, WEXITED | WNOHANG));
            must(kill(child, SIGKILL));
            t.put(waitid(P_PGID, 0, WEXITED));
        }),
        plain("waitid_refused", |t| {
            let child = sleeper();
            t.put([
                waitid(P_PID, child, 0),
                waitid(P_PID, child, WNOHANG),
                waitid(9, child, WEXITED),
                waitid(P_PID, 0, WEXITED),
            ]);
            t.put([
                waitid(P_PID, -1, WEXITED),
                waitid(P_PID, getpid(), WEXITED),
                waitid(P_PID, child, WEXITED | 0x4000),
                waitid(P_PGID, -1, WEXITED),
            ]);
            t.put(sys!(SYS_waitid, libc::P_PIDFD, 77, 0, WEXITED, 0));
            t.is("no_info", sys!(SYS_waitid, P_PID, child, 0, WEXITED | WNOHANG, 0));
            end(child);
        }),
        plain("waitid_keeps_zombies", |t| {
            let child = spawn(|| 0);
            must(waitid(P_PID, child, WEXITED | WNOWAIT));
            t.put(state(child).to_string());
            t.put(kill(child, 0));
            t.put(kill(child, SIGKILL));
            t.put(reap(child));
            t.put(kill(child, 0));
        }),
        plain("children_ignored", |t| {
            must(sys!(SYS_rt_sigaction, SIGCHLD, &[1u64, 0, 0, 0], 0, 8));
            t.put(reap(spawn(|| 0)));
            must(sys!(SYS_rt_sigaction, SIGCHLD, &[0u64, libc::SA_NOCLDWAIT as u64, 0, 0], 0, 8));
            t.put(reap(spawn(|| 0)));
        }),
        plain("sigchld", |t| {
            must(expendable::catch(SIGCHLD, 0, 0).map_err(Errno));
            let child = spawn(|| 5);
            must(reap(child));
            for caught in expendable::take_caught() {
                t.put((signal_name(caught.signal), caught.code == CLD_EXITED, caught.status));
                t.put([caught.pid == child, caught.uid as usize == must(sys!(SYS_getuid))]);
            }
        }),
        plain("sigchld_of_stops", |t| {
            for flags in [0, libc::SA_NOCLDSTOP] {
                must(expendable::catch(SIGCHLD, flags, 0).map_err(Errno));
                let child = sleeper();
                must(kill(child, SIGSTOP));
                must(wait(child, WUNTRACED));
                must(kill(child, SIGCONT));
                must(wait(child, WCONTINUED));
                // The child tells that it goes on when it next runs, which a SIGKILL would forestall.
                until("it has told", || flags != 0 || expendable::count_caught() == 2);
                must(kill(child, SIGKILL));
                must(reap(child));
                t.put(expendable::take_caught().iter().map(|caught| caught.code).collect::<Vec<_>>());
            }
        }),
        plain("orphans_find_a_parent", |t| {
            let gate = Gate::new();
            must(sys!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1));
            let child = spawn(|| {
                let ready = Gate::new();
                let _ = spawn(|| {
                    must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, 0));
                    ready.open();
                    gate.wait();
                    4
                });
                ready.wait();
                3
            });
            t.put(reap(child));
            gate.open();
            t.put(wait(-1, 0).map(|found| found.1));
        }),
        plain("parent_death_signal", |t| {
            must(sys!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1));
            let child = spawn(|| {
                let gate = Gate::new();
                let _ = spawn(|| {
                    must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, SIGUSR1));
                    gate.open();
                    loop {
                        let _ = sys!(SYS_pause);
                    }
                });
                gate.wait();
                0
            });
            must(reap(child));
            t.put(wait(-1, 0).map(|found| found.1));
        }),
        plain("setpgid", |t| {
            let child = sleeper();
            t.put(sys!(SYS_setpgid, child, child));
            t.put(sys!(SYS_getpgid, child).map(|group| group as i32 == child));
            t.put([
                sys!(SYS_setpgid, child, 1 << 22),
                sys!(SYS_setpgid, 1, 1),
                sys!(SYS_setpgid, 1 << 22, 0),
                sys!(SYS_setpgid, 0, -1),
                sys!(SYS_setpgid, -1, 0),
            ]);
            t.is("back", sys!(SYS_setpgid, child, sys!(SYS_getpgrp).unwrap_or(0)));
            end(child);
            t.is("gone", sys!(SYS_setpgid, child, child));
        }),
        plain("setpgid_after_exec", |t| {
            let (r, w) = must(crate::sys::pipe(libc::O_CLOEXEC));
            let child = spawn(|| {
                let _ = sys!(
                    SYS_execve,
                    c"../prog",
                    &[
                        c"prog".as_ptr().expose_provenance(),
                        c"--helper".as_ptr().expose_provenance(),
                        c"pause".as_ptr().expose_provenance(),
                        0
                    ],
                    &[0usize]
                );
                99
            });
            must(close(w));
            must(crate::sys::read(r, 1));
            t.put(sys!(SYS_setpgid, child, child));
            end(child);
        }),
        plain("setsid", |t| {
            part(t, |t| {
                t.put(sys!(SYS_setsid).map(|session| session as i32 == getpid()));
                t.put([sys!(SYS_getsid, 0), sys!(SYS_getpgrp)].map(|id| id.map(|id| id as i32 == getpid())));
                t.put(sys!(SYS_setsid));
                t.put(sys!(SYS_setpgid, 0, 0));
            });
            part(t, |t| {
                must(sys!(SYS_setpgid, 0, 0));
                t.is("leader_of_a_group", sys!(SYS_setsid));
            });
        }),
        plain("setpgid_across_sessions", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setsid));
                must(sys!(SYS_pause)) as i32
            });
            until("a session", || sys!(SYS_getsid, child) == Ok(child as usize));
            t.put([sys!(SYS_setpgid, child, 0), sys!(SYS_setpgid, 0, child)]);
            end(child);
        }),
        plain("getters", |t| {
            t.put([sys!(SYS_getpgid, 1 << 22), sys!(SYS_getsid, 1 << 22), sys!(SYS_getpgid, -1)]);
            t.put(sys!(SYS_getpgid, 0) == sys!(SYS_getpgrp));
            t.put(sys!(SYS_gettid) == sys!(SYS_getpid));
        }),
        root("setpgid_of_others_child", |t| t.put(sys!(SYS_setpgid, 1, 0))),
        plain("zombie_fields", |t| {
            let child = spawn(|| 0);
            must(waitid(P_PID, child, WEXITED | WNOWAIT));
            t.put(std::fs::read(format!("/proc/{child}/cmdline")).map_or(99, |bytes| bytes.len()));
            t.put(std::fs::read_link(format!("/proc/{child}/exe")).is_err());
            t.put(std::fs::read_dir(format!("/proc/{child}/fd")).map_or(0, Iterator::count));
            must(reap(child));
            t.put(std::fs::metadata(format!("/proc/{child}")).is_err());
        }),
        plain("thread_exit_is_not_process_exit", |t| {
            t.put(end_of(|| {
                let _ = std::thread::spawn(|| ()).join();
                6
            }));
            t.is(
                "main_thread_first",
                end_of(|| {
                    std::thread::spawn(|| {
                        until("the main thread is a zombie", || state(getpid()) == 'Z');
                        exit(8)
                    });
                    let _ = sys!(SYS_exit, 1);
                    0
                }),
            );
        }),
        plain("exit_group_ends_threads", |t| {
            t.put(end_of(|| {
                for _ in 0..3 {
                    std::thread::spawn(|| {
                        loop {
                            let _ = sys!(SYS_pause);
                        }
                    });
                }
                9
            }));
        }),
    ],
};

/// waitid(2): how the child changed (`si_code`, `si_status`), `none` if none did, and that the pid is a child's.
fn waitid(kind: u32, id: i32, options: i32) -> Answer<String> {
    let mut info = [0i32; 32];
    sys!(SYS_waitid, kind, id, &mut info, options, 0)?;
    let [signal, _, code, _, pid, _, status, ..] = info;
    let name = match code {
        0 => return Ok("none".to_owned()),
        CLD_EXITED => "exited",
        CLD_KILLED => "killed",
        CLD_STOPPED => "stopped",
        CLD_CONTINUED => "continued",
        _ => "?",
    };
    Ok(format!("{}/{name}/{status}/{}", signal_name(signal), pid > 0))
}
