//! Pidfds: pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2).

use libc::{O_RDONLY, O_RDWR, SIGKILL, SIGTERM};

use crate::areas::poll::poll_one;
use crate::child::{Gate, end, part, reap, sleeper, spawn, until};
use crate::runner::{Area, plain, root};
use crate::sys::{Fd, file, getpid, must, open, read, sys, text};

pub const AREA: Area = Area {
    name: "namespaces",
    checks: &[
        plain("pidfd", |t| {
            let child = sleeper();
            let fd = Fd(must(sys!(SYS_pidfd_open, child, 0)) as i32);
            t.put(crate::sys::fcntl(fd, libc::F_GETFD, 0));
            t.put(poll_one(fd, 1));
            t.put([
                sys!(SYS_pidfd_send_signal, fd, 0, 0, 0),
                sys!(SYS_pidfd_send_signal, fd, 65, 0, 0),
                sys!(SYS_pidfd_send_signal, fd, SIGKILL, 0, 0x100),
                sys!(SYS_pidfd_send_signal, fd, SIGKILL, 0, 0),
            ]);
            until("it ends", || poll_one(fd, 1).is_ok_and(|(count, _)| count == 1));
            let mut info = [0i32; 32];
            t.put(sys!(SYS_waitid, libc::P_PIDFD, fd, &mut info, libc::WEXITED, 0));
            t.put([info[2], info[6]]);
            t.put(sys!(SYS_pidfd_send_signal, fd, 0, 0, 0));
            t.put(poll_one(fd, 1));
        }),
        plain("pidfd_refused", |t| {
            t.put([
                sys!(SYS_pidfd_open, 0, 0),
                sys!(SYS_pidfd_open, -1, 0),
                sys!(SYS_pidfd_open, 1 << 22, 0),
                sys!(SYS_pidfd_open, getpid(), 1),
            ]);
            file(c"f", "");
            let fd = must(open(c"f", O_RDWR));
            t.put([
                sys!(SYS_pidfd_send_signal, fd, 0, 0, 0),
                sys!(SYS_pidfd_send_signal, 77, 0, 0, 0),
                sys!(SYS_pidfd_getfd, fd, 0, 0),
                sys!(SYS_waitid, libc::P_PIDFD, fd, 0, libc::WEXITED, 0),
            ]);
            let own = must(sys!(SYS_pidfd_open, getpid(), 0));
            t.put([
                sys!(SYS_read, own, &mut [0u8; 8], 8),
                sys!(SYS_pidfd_getfd, own, 77, 0),
                sys!(SYS_pidfd_getfd, own, 0, 1),
            ]);
            t.put(sys!(SYS_waitid, libc::P_PIDFD, own, 0, libc::WEXITED, 0));
        }),
        plain("pidfd_getfd", |t| {
            file(c"f", "text");
            let gate = Gate::new();
            let child = spawn(|| {
                must(sys!(SYS_dup2, must(open(c"f", O_RDONLY)), 60));
                gate.open();
                must(sys!(SYS_pause)) as i32
            });
            gate.wait();
            let fd = must(sys!(SYS_pidfd_open, child, 0));
            let own = sys!(SYS_pidfd_getfd, fd, 60, 0);
            t.put(own.and_then(|fd| read(Fd(fd as i32), 4)));
            t.put(own.and_then(|fd| crate::sys::fcntl(Fd(fd as i32), libc::F_GETFD, 0)));
            end(child);
        }),
        plain("pidfd_of_a_folder", |t| {
            let child = sleeper();
            let folder = must(open(&text(&format!("/proc/{child}")), O_RDONLY));
            let file = must(open(&text(&format!("/proc/{child}/stat")), O_RDONLY));
            let threads = must(open(&text(&format!("/proc/{child}/task")), O_RDONLY));
            t.put([folder, file, threads].map(|fd| sys!(SYS_pidfd_send_signal, fd, 0, 0, 0)));
            t.is("waitid", sys!(SYS_waitid, libc::P_PIDFD, folder, 0, libc::WEXITED, 0));
            t.put(sys!(SYS_pidfd_send_signal, folder, SIGTERM, 0, 0));
            t.put(reap(child));
            t.is("gone", sys!(SYS_pidfd_send_signal, folder, 0, 0, 0));
        }),
        plain("pidfd_does_not_follow_a_new_process", |t| {
            let child = spawn(|| 0);
            let fd = must(sys!(SYS_pidfd_open, child, 0));
            must(reap(child));
            t.put([sys!(SYS_pidfd_send_signal, fd, 0, 0, 0), sys!(SYS_pidfd_open, child, 0)]);
        }),
        root("pidfd_permission", |t| {
            let child = sleeper();
            let fd = must(sys!(SYS_pidfd_open, child, 0));
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                t.put([sys!(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0), sys!(SYS_pidfd_getfd, fd, 0, 0)]);
            });
            end(child);
        }),
    ],
};
