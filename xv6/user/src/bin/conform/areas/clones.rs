//! New processes and threads: clone(2), clone3(2) and what they share.

use libc::{CLONE_FILES, CLONE_FS, CLONE_PARENT, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM, SIGCHLD, SIGUSR1};
use user::raw::expendable;

use crate::child::{exit, reap, signal_name, spawn, state, until, wait};
use crate::runner::{Area, plain};
use crate::sys::{Errno, Fd, chdir, content, file, getpid, lines, mkdir, must, open, sys};

pub const AREA: Area = Area {
    name: "processes",
    checks: &[
        plain("clone_refused", |t| {
            let clone =
                |flags: i32| sys!(SYS_clone, flags, 0, 0, 0, 0).map(|pid| if pid == 0 { exit(0) } else { "made" });
            t.put([
                clone(CLONE_SIGHAND | SIGCHLD),
                clone(CLONE_THREAD | SIGCHLD),
                clone(CLONE_THREAD | CLONE_SIGHAND | SIGCHLD),
            ]);
            t.put([
                clone(CLONE_FS | libc::CLONE_NEWNS),
                clone(CLONE_FS | libc::CLONE_NEWUSER),
                clone(libc::CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM),
            ]);
            t.put([
                clone(libc::CLONE_NEWIPC | libc::CLONE_SYSVSEM),
                clone(libc::CLONE_PIDFD | CLONE_THREAD),
                clone(libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID),
            ]);
            t.put([
                clone(libc::CLONE_NEWNS | SIGCHLD),
                clone(libc::CLONE_NEWPID),
                clone(libc::CLONE_NEWNET),
                clone(libc::CLONE_NEWUTS),
            ]);
        }),
        plain("clone3_refused", |t| {
            let clone3 = |arguments: &[u64], size: usize| {
                sys!(SYS_clone3, arguments, size).map(|pid| if pid == 0 { exit(0) } else { "made" })
            };
            let with = |index: usize, value: u64| {
                let mut arguments = [0u64; 12];
                arguments[index] = value;
                arguments
            };
            t.is("small", clone3(&[0; 12], 63));
            t.is("large", clone3(&[0; 600], 4097));
            t.is("longer_zero", clone3(&with(4, SIGCHLD as u64), 96).is_ok());
            t.is("longer_set", clone3(&with(11, 1), 96));
            t.is("address", sys!(SYS_clone3, 8, 88));
            t.is("signal", [clone3(&with(4, 65), 88), clone3(&with(4, 256), 88)]);
            t.is(
                "flag",
                [
                    clone3(&with(0, 1 << 40), 88),
                    clone3(&with(0, 0x80), 88),
                    clone3(&with(0, libc::CLONE_DETACHED as u64), 88),
                ],
            );
            t.is("stack_without_size", clone3(&with(5, 4096), 88));
            t.is("size_without_stack", clone3(&with(6, 4096), 88));
            t.is("set_tid_size", clone3(&with(9, 1), 88));
            t.is("cgroup", clone3(&[0x2_0000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, u64::MAX], 88));
            t.is("clear_sighand_and_sighand", clone3(&with(0, 0x1_0000_0000 | (CLONE_SIGHAND | CLONE_VM) as u64), 88));
        }),
        plain("clone3_works", |t| {
            must(expendable::catch(SIGUSR1, 0, 0).map_err(Errno));
            let mut pidfd = [-1i32];
            let mut arguments = [0u64; 11];
            arguments[0] = libc::CLONE_PIDFD as u64 | 0x1_0000_0000;
            arguments[1] = pidfd.as_mut_ptr().expose_provenance() as u64;
            arguments[4] = SIGCHLD as u64;
            match must(sys!(SYS_clone3, &arguments, 88)) {
                0 => {
                    let mut action = [9u64; 4];
                    must(sys!(SYS_rt_sigaction, SIGUSR1, 0, &mut action, 8));
                    exit(i32::from(action[0] != 0))
                }
                pid => t.is("handlers_cleared", reap(pid as i32)),
            }
            t.is("pidfd", crate::sys::fcntl(Fd(pidfd[0]), libc::F_GETFD, 0));
        }),
        plain("exit_signal", |t| {
            must(expendable::catch(SIGUSR1, 0, 0).map_err(Errno));
            match must(sys!(SYS_clone, SIGUSR1, 0, 0, 0, 0)) {
                0 => exit(2),
                pid => {
                    t.is("plain_wait", wait(pid as i32, 0).map(|found| found.1));
                    t.is("clone_wait", wait(pid as i32, libc::__WCLONE).map(|found| found.1));
                }
            }
            t.put(expendable::take_caught().iter().map(|caught| signal_name(caught.signal)).collect::<Vec<_>>());
        }),
        plain("shared_files", |t| {
            file(c"f", "text");
            let pid = must(expendable::clone(CLONE_FILES | SIGCHLD, open_fifty, 0).map_err(Errno));
            t.put(reap(pid));
            t.put(crate::sys::read(Fd(50), 4));
        }),
        plain("shared_directory", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "in");
            let pid = must(expendable::clone(CLONE_FS | SIGCHLD, change_directory, 0).map_err(Errno));
            t.put(reap(pid));
            t.put(content(c"f"));
            t.is("umask", sys!(SYS_umask, 0));
        }),
        plain("shared_memory", |t| {
            let page = crate::sys::memory(1);
            let pid = must(expendable::clone(CLONE_VM | libc::CLONE_VFORK | SIGCHLD, store_nine, page).map_err(Errno));
            t.is("after_vfork", expendable::load(page));
            t.put(reap(pid));
        }),
        plain("vfork_parent_waits", |t| {
            let parent = getpid();
            match must(sys!(SYS_clone, libc::CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)) {
                0 => {
                    until("asleep", || state(parent) != 'R');
                    let status = lines(&format!("/proc/{parent}/status"));
                    let line = status.iter().find(|line| line.starts_with("State:"));
                    file(c"state", line.map_or("none", String::as_str));
                    exit(0)
                }
                child => t.put(reap(child as i32)),
            }
            t.put(content(c"state"));
        }),
        plain("clone_parent", |t| {
            must(sys!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 0));
            let parent = getpid();
            let child = spawn(|| match must(sys!(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) {
                0 => exit(i32::from(must(sys!(SYS_getppid)) as i32 == parent) + 10),
                _ => 0,
            });
            t.put(reap(child));
            t.put(wait(-1, 0).map(|found| found.1));
        }),
        plain("set_tid", |t| {
            let mut tids = [0i32; 2];
            let (parent, child) = (tids.as_mut_ptr().expose_provenance(), tids.as_mut_ptr().expose_provenance() + 4);
            match must(sys!(
                SYS_clone,
                libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID | SIGCHLD,
                0,
                parent,
                child,
                0
            )) {
                0 => exit(i32::from(expendable::load(child) == getpid() as u8)),
                pid => {
                    t.put(expendable::load(parent) == pid as u8);
                    t.put(expendable::load(child));
                    t.put(reap(pid as i32));
                }
            }
        }),
    ],
};

extern "C" fn open_fifty(_: *mut libc::c_void) -> i32 {
    let fd = must(open(c"f", libc::O_RDONLY));
    must(sys!(SYS_dup2, fd, 50));
    0
}

extern "C" fn change_directory(_: *mut libc::c_void) -> i32 {
    must(chdir(c"d"));
    must(sys!(SYS_umask, 0o70));
    0
}

extern "C" fn store_nine(page: *mut libc::c_void) -> i32 {
    expendable::store(page.expose_provenance(), 9);
    0
}
