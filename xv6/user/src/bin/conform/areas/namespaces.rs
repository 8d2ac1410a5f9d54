//! Namespaces: unshare(2), setns(2), their files; pid, mount and uts namespaces. `user_namespaces` has the user namespaces.

use libc::{
    CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM, O_RDONLY, O_RDWR, SIGCHLD, SIGKILL, SIGTERM, SIGUSR1,
};

use crate::areas::mounts::{count, mount};
use crate::child::{Ended, Gate, end, exit, part, reap, sleeper, spawn};
use crate::line::{Hex, Line};
use crate::runner::{Area, admin, plain};
use crate::sys::{
    Answer, close, content, file, getpid, kill, mkdir, must, open, read, rename, rmdir, stat, sys, text, unlink,
};

/// `NS_GET_USERNS`, `NS_GET_PARENT`, `NS_GET_NSTYPE`, `NS_GET_OWNER_UID`, ioctl_nsfs(2).
pub(super) const NS: [u32; 4] = [0xb701, 0xb702, 0xb703, 0xb704];

pub const AREA: Area = Area {
    name: "namespaces",
    checks: &[
        plain("files", |t| {
            t.put(["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts"].map(|name| {
                let target = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap_or_default();
                target.to_string_lossy().starts_with(&format!("{}:[", name.trim_end_matches("_for_children")))
            }));
            t.put(open(c"/proc/self/ns/nothing", O_RDONLY));
            t.put(open(c"/proc/self/ns/uts", O_RDWR));
        }),
        plain("unshare_unprivileged", |t| {
            t.put(
                [CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP]
                    .map(|kind| sys!(SYS_unshare, kind)),
            );
            t.put(
                [CLONE_FS, CLONE_FILES, 0, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM].map(|kind| sys!(SYS_unshare, kind)),
            );
            t.put([sys!(SYS_unshare, 1), sys!(SYS_unshare, libc::CLONE_PARENT), sys!(SYS_unshare, libc::CLONE_VFORK)]);
        }),
        plain("setns_refused", |t| {
            let fd = must(open(c"/proc/self/ns/uts", O_RDONLY));
            t.put([
                sys!(SYS_setns, fd, 0),
                sys!(SYS_setns, fd, CLONE_NEWIPC),
                sys!(SYS_setns, 77, 0),
                sys!(SYS_setns, fd, 0x1),
            ]);
            file(c"f", "");
            t.put([
                sys!(SYS_setns, must(open(c"f", O_RDONLY)), 0),
                sys!(SYS_setns, must(open(c"/proc/self", O_RDONLY)), 0),
            ]);
            t.is("own_user_namespace", sys!(SYS_setns, must(open(c"/proc/self/ns/user", O_RDONLY)), 0));
        }),
        plain("ioctls", |t| {
            let fd = must(open(c"/proc/self/ns/uts", O_RDONLY));
            t.put(sys!(SYS_ioctl, fd, NS[2]).map(|kind| Hex(kind as u64)));
            t.put([sys!(SYS_ioctl, fd, NS[1]), sys!(SYS_ioctl, fd, NS[3], &mut [0u32]), sys!(SYS_ioctl, fd, 0xb7ff)]);
            let user = must(open(c"/proc/self/ns/user", O_RDONLY));
            t.put(sys!(SYS_ioctl, user, NS[2]).map(|kind| Hex(kind as u64)));
        }),
        plain("file_is_the_namespace", |t| {
            let child = sleeper();
            t.put(
                crate::sys::stat(c"/proc/self/ns/uts")
                    .map(|mine| mine.st_ino == must(crate::sys::stat(&text(&format!("/proc/{child}/ns/uts")))).st_ino),
            );
            end(child);
        }),
        admin("uts", |t| {
            let before = content(c"/proc/sys/kernel/hostname");
            let old = must(open(c"/proc/self/ns/uts", O_RDONLY));
            t.put(sys!(SYS_unshare, CLONE_NEWUTS));
            t.put(content(c"/proc/sys/kernel/hostname") == before);
            must(sys!(SYS_sethostname, c"inside", 6));
            t.put(sys!(SYS_setns, old, CLONE_NEWUTS));
            t.put(content(c"/proc/sys/kernel/hostname") == before);
        }),
        admin("kept_by_a_descriptor", |t| {
            let (old, child_made) = (must(open(c"/proc/self/ns/uts", O_RDONLY)), Gate::new());
            let child = spawn(|| {
                must(sys!(SYS_unshare, CLONE_NEWUTS));
                must(sys!(SYS_sethostname, c"kept", 4));
                child_made.open();
                must(sys!(SYS_pause)) as i32
            });
            child_made.wait();
            let fd = must(open(&text(&format!("/proc/{child}/ns/uts")), O_RDONLY));
            end(child);
            t.put(sys!(SYS_setns, fd, 0));
            t.put(content(c"/proc/sys/kernel/hostname"));
            must(sys!(SYS_setns, old, 0));
        }),
        admin("bound_file_keeps_it", |t| {
            file(c"ns", "");
            must(sys!(SYS_unshare, CLONE_NEWUTS));
            must(sys!(SYS_sethostname, c"bound", 5));
            t.put(sys!(SYS_mount, c"/proc/self/ns/uts", c"ns", 0, libc::MS_BIND, 0));
            must(sys!(SYS_unshare, CLONE_NEWUTS));
            must(sys!(SYS_sethostname, c"other", 5));
            t.put(sys!(SYS_setns, must(open(c"ns", O_RDONLY)), CLONE_NEWUTS));
            t.put(content(c"/proc/sys/kernel/hostname"));
        }),
        admin("pid", |t| {
            t.put(sys!(SYS_unshare, CLONE_NEWPID));
            t.put(sys!(SYS_unshare, CLONE_NEWPID));
            t.is("own_pid_stays", getpid() > 1);
            part_as_init(t, |t| {
                t.put([getpid() as usize, must(sys!(SYS_getppid)), must(sys!(SYS_getpgrp)), must(sys!(SYS_getsid, 0))]);
                t.put(end_of_plain(|| i32::from(getpid() == 2) + 10 * i32::from(sys!(SYS_getppid) == Ok(1))));
            });
            t.is("after_init", sys!(SYS_fork).map(|pid| if pid == 0 { exit(0) } else { "made" }));
        }),
        admin("pid_init_signals", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let init = init(|| {
                loop {
                    let _ = sys!(SYS_pause);
                }
            });
            t.put([kill(init, SIGTERM), kill(init, SIGUSR1)]);
            // A second call ends after the signals that the first would have brought.
            t.put(crate::child::wait(init, libc::WNOHANG).map(|found| found.0));
            t.put(kill(init, SIGKILL));
            t.put(reap(init));
        }),
        admin("pid_init_is_safe_from_inside", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            part_as_init(t, |t| {
                t.put([kill(1, SIGKILL), kill(1, SIGTERM), kill(getpid(), SIGKILL)]);
                t.put(end_of_plain(|| i32::from(kill(1, SIGKILL).is_err())));
                t.is("with_handler", {
                    must(user::raw::expendable::catch(SIGUSR1, 0, 0).map_err(crate::sys::Errno));
                    must(kill(1, SIGUSR1));
                    user::raw::expendable::count_caught()
                });
            });
        }),
        admin("pid_init_end_kills_all", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let (r, w) = must(crate::sys::pipe(0));
            let init = init(|| {
                for _ in 0..3 {
                    let _ = fork_plain(|| {
                        loop {
                            let _ = sys!(SYS_pause);
                        }
                    });
                }
                7
            });
            must(close(w));
            t.put(reap(init));
            // The pipe ends when the last of them is gone.
            t.put(read(r, 1));
        }),
        admin("pid_orphans_go_to_init", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            part_as_init(t, |t| {
                let child = fork_plain(|| {
                    let _ = fork_plain(|| 9);
                    0
                });
                t.put(reap(child));
                let found = crate::child::wait(-1, 0);
                t.put(found.map(|found| (found.0, found.1)));
            });
        }),
        admin("pid_names_of_others", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let outer = getpid();
            part_as_init(t, |t| {
                t.put([kill(outer, 0), kill(-1, 0)]);
                t.put([sys!(SYS_getpgid, outer), sys!(SYS_getsid, outer)]);
                must(mkdir(c"proc"));
                must(sys!(SYS_unshare, CLONE_NEWNS));
                t.put(sys!(SYS_mount, c"p", c"proc", c"proc", 0, 0));
                let list = std::fs::read_dir("proc").map(|entries| {
                    entries
                        .filter_map(Result::ok)
                        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
                        .count()
                });
                t.put(list.unwrap_or(0));
                t.put(std::fs::read_link("proc/self").is_ok_and(|path| path.to_string_lossy() == "1"));
            });
        }),
        admin("pid_status_fields", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let init = init(|| {
                loop {
                    let _ = sys!(SYS_pause);
                }
            });
            let status = crate::sys::lines(&format!("/proc/{init}/status"));
            let pids = status.iter().find_map(|line| line.strip_prefix("NSpid:\t")).unwrap_or_default().to_owned();
            t.put(pids.ends_with("\t1"));
            end(init);
        }),
        admin("setns_pid", |t| {
            let old = must(open(c"/proc/self/ns/pid", O_RDONLY));
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let init = init(|| {
                loop {
                    let _ = sys!(SYS_pause);
                }
            });
            let fd = must(open(&text(&format!("/proc/{init}/ns/pid")), O_RDONLY));
            t.is("back", sys!(SYS_setns, old, CLONE_NEWPID));
            part(t, |t| {
                t.put(sys!(SYS_setns, fd, CLONE_NEWPID));
                t.put(end_of_plain(getpid));
            });
            end(init);
            t.is(
                "dead",
                end_of_plain(|| sys!(SYS_setns, fd, CLONE_NEWPID).map_or_else(|errno| errno.0, |_| fork_errno())),
            );
        }),
        admin("setns_by_pidfd", |t| {
            let gate = Gate::new();
            let child = spawn(|| {
                must(sys!(SYS_unshare, CLONE_NEWUTS | CLONE_NEWNS));
                must(sys!(SYS_sethostname, c"target", 6));
                gate.open();
                must(sys!(SYS_pause)) as i32
            });
            gate.wait();
            let fd = must(sys!(SYS_pidfd_open, child, 0));
            t.put([sys!(SYS_setns, fd, 0), sys!(SYS_setns, fd, CLONE_NEWUTS | CLONE_NEWNS)]);
            t.put(content(c"/proc/sys/kernel/hostname"));
            end(child);
            t.is("ended", sys!(SYS_setns, fd, CLONE_NEWUTS));
        }),
        admin("others_mount_points", |t| {
            for name in [c"a", c"b", c"c", c"d", c"e"] {
                must(mkdir(name));
            }
            for name in [c"f", c"g"] {
                file(name, "");
            }
            let (mounted, looked) = (Gate::new(), Gate::new());
            let child = spawn(|| {
                must(sys!(SYS_unshare, CLONE_NEWNS));
                for name in [c"a", c"b", c"c", c"e"] {
                    must(mount(c"t", name, c"tmpfs", 0, c""));
                }
                must(mkdir(c"a/in"));
                must(mount(c"t", c"a/in", c"tmpfs", 0, c""));
                must(mount(c"g", c"f", c"", libc::MS_BIND, c""));
                let mut line = Line::new();
                line.is("own", [rmdir(c"a"), rename(c"b", c"x"), rename(c"d", c"c"), unlink(c"f")]);
                mounted.open();
                looked.wait();
                line.is("left", ["/a", "/b", "/c", "/e", "/f", "/moved"].map(count));
                line.put([stat(c"a").map(drop), rmdir(c"moved")]);
                0
            });
            mounted.wait();
            t.is("others", [rmdir(c"a"), rename(c"b", c"moved"), rename(c"d", c"c"), unlink(c"f")]);
            t.put(sys!(SYS_renameat2, crate::sys::CWD, c"e", crate::sys::CWD, c"c", 2));
            looked.open();
            t.put(reap(child));
        }),
        admin("mount_namespace_moves_the_root", |t| {
            let fd = must(open(c"/proc/self/ns/mnt", O_RDONLY));
            must(sys!(SYS_chroot, c"."));
            part(t, |t| {
                t.put(sys!(SYS_setns, fd, CLONE_NEWNS));
                t.put(open(c"/proc/self", O_RDONLY).is_ok());
            });
        }),
        admin("mount_namespace_not_with_shared_fs", |t| {
            let fd = must(open(c"/proc/self/ns/mnt", O_RDONLY));
            let thread = std::thread::spawn(move || sys!(SYS_setns, fd, CLONE_NEWNS));
            t.put(thread.join().unwrap_or(Ok(99)));
            t.is("user", std::thread::spawn(|| sys!(SYS_unshare, CLONE_NEWUSER)).join().unwrap_or(Ok(99)));
        }),
    ],
};

/// Forks, without asking for a signal at the parent's end: the parent may be in another pid namespace.
fn fork_plain(life: impl FnOnce() -> i32) -> i32 {
    match must(sys!(SYS_clone, SIGCHLD, 0, 0, 0, 0)) {
        0 => exit(life()),
        pid => pid as i32,
    }
}

fn fork_errno() -> i32 {
    sys!(SYS_clone, SIGCHLD, 0, 0, 0, 0).map_or_else(|errno| errno.0, |pid| if pid == 0 { exit(0) } else { 0 })
}

fn end_of_plain(life: impl FnOnce() -> i32) -> Answer<Ended> {
    reap(fork_plain(life))
}

/// The first child after `unshare(CLONE_NEWPID)`: it dies with the check.
fn init(life: impl FnOnce() -> i32) -> i32 {
    fork_plain(|| {
        must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, SIGKILL));
        life()
    })
}

/// Runs a part of the check as the init of a new pid namespace.
fn part_as_init(line: &mut Line, life: impl FnOnce(&mut Line)) {
    let ended = reap(init(|| {
        life(&mut Line::new());
        0
    }));
    if ended != Ok(Ended(0)) {
        line.is("init", ended);
    }
}
