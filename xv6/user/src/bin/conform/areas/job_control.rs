//! Terminals and sessions: the controlling terminal, its foreground group, hang-ups of sessions. `tty` has the terminal itself.

use libc::{O_NOCTTY, O_RDWR, SIGCONT, SIGHUP, SIGINT, SIGTTIN, SIGTTOU, SIGWINCH, WUNTRACED};
use user::raw::expendable::{catch, take_caught};

use crate::areas::tty::{get, ioctl, ioctl_number, name_of, pair, set};
use crate::child::{Gate, end, part, reap, signal_name, spawn, until, until_asleep, wait};
use crate::runner::{Area, plain};
use crate::sys::{Errno, Fd, close, getpid, kill, must, open, pipe, read, sys, write};

pub const AREA: Area = Area {
    name: "tty",
    checks: &[
        plain("controlling_terminal", |t| {
            let (_master, slave) = pair();
            let name = name_of(slave);
            part(t, |t| {
                t.is("not_a_leader", ioctl_number(slave, libc::TIOCSCTTY, 0));
                must(sys!(SYS_setsid));
                t.is("none", open(c"/dev/tty", O_RDWR));
                t.is("set", ioctl_number(slave, libc::TIOCSCTTY, 0));
                t.is("again", ioctl_number(slave, libc::TIOCSCTTY, 0));
                t.is("dev_tty", open(c"/dev/tty", O_RDWR));
                t.is("session", get(slave, libc::TIOCGSID).map(|session| session == getpid()));
                t.is("foreground", get(slave, libc::TIOCGPGRP).map(|group| group == getpid()));
                let (_other, second) = pair();
                t.is("second", ioctl_number(second, libc::TIOCSCTTY, 0));
                t.is("group_of_another", get(second, libc::TIOCGPGRP));
            });
            part(t, |t| {
                must(sys!(SYS_setsid));
                must(open(&name, O_RDWR | O_NOCTTY));
                t.is("noctty", open(c"/dev/tty", O_RDWR));
                must(open(&name, O_RDWR));
                t.is("by_open", open(c"/dev/tty", O_RDWR));
                t.is("give_up", sys!(SYS_ioctl, slave, libc::TIOCNOTTY));
            });
        }),
        plain("stolen_terminal", |t| {
            let (_master, slave) = pair();
            session(t, slave, |t| {
                let child = spawn(|| {
                    must(sys!(SYS_setsid));
                    let answer = ioctl_number(slave, libc::TIOCSCTTY, 0);
                    let forced = ioctl_number(slave, libc::TIOCSCTTY, 1);
                    i32::from(answer == Err(Errno(libc::EPERM))) + i32::from(forced == Err(Errno(libc::EPERM))) * 2
                });
                t.put(reap(child));
            });
        }),
        plain("keys_send_signals", |t| {
            let (master, slave) = pair();
            session(t, slave, |t| {
                for key in ["\x03", "\x1c", "\x1a"] {
                    let child = foreground_sleeper(slave);
                    must(write(master, key));
                    t.put(wait(child, WUNTRACED).map(|found| found.1));
                    end(child);
                }
            });
        }),
        plain("keys_flush_input", |t| {
            let (master, slave) = pair();
            session(t, slave, |t| {
                must(catch(SIGINT, 0, 0).map_err(Errno));
                must(write(master, "abc\x03def\n"));
                t.put(read(slave, 20));
                t.put(take_caught().iter().map(|caught| (signal_name(caught.signal), caught.code)).collect::<Vec<_>>());
            });
        }),
        plain("background_read", |t| {
            let (_master, slave) = pair();
            session(t, slave, |t| {
                let child = spawn(|| {
                    must(sys!(SYS_setpgid, 0, 0));
                    read(slave, 1).map_or_else(|errno| errno.0, |_| 0)
                });
                t.put(wait(child, WUNTRACED).map(|found| found.1));
                end(child);
                let child = spawn(|| {
                    must(sys!(SYS_setpgid, 0, 0));
                    must(sys!(SYS_rt_sigaction, SIGTTIN, &[1u64, 0, 0, 0], 0, 8));
                    i32::from(read(slave, 1) == Err(Errno(libc::EIO)))
                });
                t.is("ignored_is_eio", wait(child, WUNTRACED).map(|found| found.1));
            });
        }),
        plain("background_write", |t| {
            let (_master, slave) = pair();
            session(t, slave, |t| {
                let writer = |tostop: bool| {
                    if tostop {
                        let mut settings = [0u32; 16];
                        must(ioctl(slave, libc::TCGETS as _, &mut settings));
                        settings[3] |= libc::TOSTOP;
                        must(ioctl(slave, libc::TCSETS as _, &mut settings));
                    }
                    let child = spawn(|| {
                        must(sys!(SYS_setpgid, 0, 0));
                        write(slave, "x").map_or_else(|errno| errno.0, |_| 0)
                    });
                    let ended = wait(child, WUNTRACED).map(|found| found.1);
                    end(child);
                    ended
                };
                t.put([writer(false), writer(true)]);
            });
        }),
        plain("background_settings", |t| {
            let (_master, slave) = pair();
            session(t, slave, |t| {
                let child = spawn(|| {
                    must(sys!(SYS_setpgid, 0, 0));
                    let mut settings = [0u32; 16];
                    must(ioctl(slave, libc::TCGETS as _, &mut settings));
                    ioctl(slave, libc::TCSETS as _, &mut settings).map_or_else(|errno| errno.0, |_| 0)
                });
                t.put(wait(child, WUNTRACED).map(|found| found.1));
                end(child);
                let child = spawn(|| {
                    must(sys!(SYS_setpgid, 0, 0));
                    must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << (SIGTTOU - 1)], 0, 8));
                    set(slave, libc::TIOCSPGRP, getpid()).map_or_else(|errno| errno.0, |_| 0)
                });
                t.is("tcsetpgrp_with_ttou_blocked", reap(child));
            });
        }),
        plain("orphaned_background", |t| {
            let (_master, slave) = pair();
            session(t, slave, |t| {
                let (r, w) = must(pipe(0));
                let child = spawn(|| {
                    let gate = Gate::new();
                    let _ = spawn(|| {
                        must(sys!(SYS_setpgid, 0, 0));
                        must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, 0));
                        let parent = sys!(SYS_getppid);
                        gate.open();
                        until("orphaned", || sys!(SYS_getppid) != parent);
                        let answer = read(slave, 1);
                        must(write(w, if answer == Err(Errno(libc::EIO)) { "EIO" } else { "other" }));
                        0
                    });
                    gate.wait();
                    0
                });
                must(reap(child));
                t.put(read(r, 10));
            });
        }),
        plain("set_foreground_refused", |t| {
            let (_master, slave) = pair();
            t.is("not_ours", set(slave, libc::TIOCSPGRP, getpid()));
            session(t, slave, |t| {
                t.put([
                    set(slave, libc::TIOCSPGRP, 1 << 22),
                    set(slave, libc::TIOCSPGRP, -1),
                    set(slave, libc::TIOCSPGRP, 1),
                ]);
            });
        }),
        plain("session_end_hangs_up", |t| {
            let (_master, slave) = pair();
            let (r, w) = must(pipe(0));
            let gate = Gate::new();
            let leader = spawn(|| {
                must(sys!(SYS_setsid));
                must(ioctl_number(slave, libc::TIOCSCTTY, 0));
                let _ = spawn(|| {
                    must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, 0));
                    must(catch(SIGHUP, 0, 0).map_err(Errno));
                    must(catch(SIGCONT, 0, 0).map_err(Errno));
                    gate.open();
                    until("a signal", || user::raw::expendable::count_caught() > 0);
                    let mut names: Vec<String> =
                        take_caught().iter().map(|caught| signal_name(caught.signal)).collect();
                    names.sort();
                    must(write(w, &names.join(",")));
                    0
                });
                gate.wait();
                0
            });
            must(reap(leader));
            t.put(read(r, 30));
        }),
        plain("master_close_hangs_up", |t| {
            let (master, slave) = pair();
            let gate = Gate::new();
            let leader = spawn(|| {
                must(close(master));
                must(sys!(SYS_setsid));
                must(ioctl_number(slave, libc::TIOCSCTTY, 0));
                gate.open();
                must(sys!(SYS_pause)) as i32
            });
            gate.wait();
            until_asleep(leader);
            must(close(master));
            t.put(reap(leader));
        }),
        plain("winch_to_the_foreground", |t| {
            let (master, slave) = pair();
            session(t, slave, |t| {
                must(catch(SIGWINCH, 0, 0).map_err(Errno));
                must(ioctl(master, libc::TIOCSWINSZ as _, &mut [30u16, 90, 0, 0]));
                must(ioctl(master, libc::TIOCSWINSZ as _, &mut [30u16, 90, 0, 0]));
                t.put(take_caught().iter().map(|caught| signal_name(caught.signal)).collect::<Vec<_>>());
            });
        }),
    ],
};

/// Runs a part of the check as the leader of a session that has `slave` for its terminal.
fn session(line: &mut crate::line::Line, slave: Fd, life: impl FnOnce(&mut crate::line::Line)) {
    part(line, |line| {
        must(sys!(SYS_setsid));
        must(ioctl_number(slave, libc::TIOCSCTTY, 0));
        life(line);
        // The leader's end hangs up its own group, itself included.
        must(sys!(SYS_rt_sigaction, SIGHUP, &[1u64, 0, 0, 0], 0, 8));
    });
}

/// A child in a group of its own, the foreground one, that sleeps.
fn foreground_sleeper(slave: Fd) -> i32 {
    let gate = Gate::new();
    let child = spawn(|| {
        must(sys!(SYS_setpgid, 0, 0));
        must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << (SIGTTOU - 1)], 0, 8));
        must(set(slave, libc::TIOCSPGRP, getpid()));
        gate.open();
        let _ = sys!(SYS_pause);
        let _ = kill(getpid(), SIGINT);
        0
    });
    gate.wait();
    until_asleep(child);
    child
}
