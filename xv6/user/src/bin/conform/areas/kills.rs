//! Sending signals: kill(2), tgkill(2), and who may.

use libc::{SIGCONT, SIGTERM};

use crate::child::{end, needs_foreign_init, part, reap, sleeper, spawn, until};
use crate::runner::{Area, plain, root};
use crate::sys::{getpid, kill, must, sys};

pub const AREA: Area = Area {
    name: "signals",
    checks: &[
        plain("kill_refused", |t| {
            t.put([
                kill(getpid(), -1),
                kill(getpid(), 65),
                kill(1 << 22, 0),
                kill(1 << 22, 99),
                kill(i32::MIN, 0),
                kill(-(1 << 22), 0),
            ]);
            t.put(kill(getpid(), 0));
        }),
        plain("tgkill", |t| {
            let me = getpid();
            t.put([
                sys!(SYS_tgkill, me, me, 0),
                sys!(SYS_tgkill, me, 1, 0),
                sys!(SYS_tgkill, 0, me, 0),
                sys!(SYS_tgkill, me, -1, 0),
                sys!(SYS_tgkill, me, me, 65),
            ]);
            t.put([sys!(SYS_tkill, me, 0), sys!(SYS_tkill, 0, 0), sys!(SYS_tkill, 1 << 22, 0)]);
        }),
        root("kill_permission", |t| {
            let child = sleeper();
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                t.put([
                    kill(child, 0),
                    kill(child, SIGTERM),
                    kill(child, SIGCONT),
                    kill(child, 99),
                    kill(1 << 22, SIGTERM),
                ]);
            });
            end(child);
            let child = spawn(|| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                must(sys!(SYS_pause)) as i32
            });
            until("another user", || {
                std::fs::read_to_string(format!("/proc/{child}/status")).is_ok_and(|text| text.contains("Uid:\t1000"))
            });
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 2000, 2000));
                t.is("real_user", kill(child, 0));
            });
            part(t, |t| {
                must(sys!(SYS_setresuid, 2000, 1000, 2000));
                t.is("effective_user", kill(child, 0));
            });
            part(t, |t| {
                must(sys!(SYS_setresuid, 2000, 2000, 1000));
                t.is("saved_user", kill(child, 0));
            });
            end(child);
        }),
        root("kill_permission_by_saved_user", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setresuid, 2000, 2000, 1000));
                must(sys!(SYS_pause)) as i32
            });
            until("another user", || {
                std::fs::read_to_string(format!("/proc/{child}/status")).is_ok_and(|text| text.contains("Uid:\t2000"))
            });
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                t.put(kill(child, 0));
            });
            end(child);
        }),
        plain("kill_of_init", |t| {
            needs_foreign_init(t);
            t.put([kill(1, 0), kill(1, SIGTERM)]);
        }),
        plain("kill_group", |t| {
            let child = spawn(|| {
                must(sys!(SYS_setpgid, 0, 0));
                let second = spawn(|| must(sys!(SYS_pause)) as i32);
                must(kill(0, SIGTERM));
                must(reap(second)).0
            });
            t.put(reap(child));
        }),
    ],
};
