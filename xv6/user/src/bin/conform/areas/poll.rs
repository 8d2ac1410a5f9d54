//! Readiness: poll(2), ppoll(2), select(2), pselect6(2), epoll(7), and eventfd(2), which they watch.

use libc::{
    EFD_NONBLOCK, EFD_SEMAPHORE, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN,
    EPOLLONESHOT, EPOLLOUT, O_NONBLOCK, O_RDONLY, O_RDWR, RLIMIT_NOFILE,
};

use crate::child::{Gate, end, reap, spawn, until_asleep};
use crate::line::Hex;
use crate::runner::{Area, plain};
use crate::sys::{Answer, Fd, close, file, must, open, pipe, read, sys, write};

pub const AREA: Area = Area {
    name: "poll",
    checks: &[
        plain("files_are_ready", |t| {
            file(c"f", "");
            t.put([poll_one(must(open(c"f", O_RDWR)), 0x7f), poll_one(must(open(c".", O_RDONLY)), 0x7f)]);
            t.put([poll_one(must(open(c"/dev/null", O_RDWR)), 0x7f), poll_one(must(open(c"/dev/zero", O_RDWR)), 0x7f)]);
        }),
        plain("closed_and_negative", |t| t.put([poll_one(Fd(77), 1), poll_one(Fd(-1), 1)])),
        plain("counts", |t| {
            let (r, w) = must(pipe(0));
            must(write(w, "x"));
            let mut set = [entry(r, 1), entry(w, 4), entry(Fd(-5), 1), entry(Fd(77), 0)];
            t.put(sys!(SYS_poll, &mut set, 4, 0));
            t.put(set.map(|entry| Hex(entry >> 48)));
        }),
        plain("times_out", |t| {
            let (r, _w) = must(pipe(0));
            t.put(sys!(SYS_poll, &mut [entry(r, 1)], 1, 5));
            t.put(sys!(SYS_poll, 0, 0, 1));
        }),
        plain("refused", |t| {
            t.put(sys!(SYS_poll, 8, 1, 0));
            must(sys!(SYS_prlimit64, 0, RLIMIT_NOFILE, &[10u64, 10], 0));
            t.put(sys!(SYS_poll, &mut [0u64; 11], 11, 0));
            t.put(sys!(SYS_poll, &mut [entry(Fd(-1), 0); 10], 10, 0));
            t.put(sys!(SYS_poll, &mut [0u64; 1], -1, 0));
        }),
        plain("ppoll", |t| {
            let (r, _w) = must(pipe(0));
            let set = || [entry(r, 1)];
            t.put(sys!(SYS_ppoll, &mut set(), 1, &mut [0i64, 1000], 0, 8));
            t.is("time", sys!(SYS_ppoll, &mut set(), 1, &mut [0i64, 1_000_000_000], 0, 8));
            t.is("negative", sys!(SYS_ppoll, &mut set(), 1, &mut [-1i64, 0], 0, 8));
            t.is("mask_size", sys!(SYS_ppoll, &mut set(), 1, &mut [0i64, 0], &[0u64], 4));
            t.is("mask_address", sys!(SYS_ppoll, &mut set(), 1, &mut [0i64, 0], 8, 8));
        }),
        plain("ppoll_mask_lets_through", |t| {
            must(user::raw::expendable::catch(libc::SIGUSR1, 0, 0).map_err(crate::sys::Errno));
            must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << (libc::SIGUSR1 - 1)], 0, 8));
            must(crate::sys::kill(crate::sys::getpid(), libc::SIGUSR1));
            t.is("blocked", user::raw::expendable::count_caught());
            t.put(sys!(SYS_ppoll, 0, 0, &mut [5i64, 0], &[0u64], 8));
            t.is("caught", user::raw::expendable::count_caught());
            let mut mask = [0u64];
            must(sys!(SYS_rt_sigprocmask, 0, 0, &mut mask, 8));
            t.is("mask", Hex(mask[0]));
        }),
        plain("poll_interrupted", |t| {
            let child = spawn(|| {
                must(user::raw::expendable::catch(libc::SIGUSR1, libc::SA_RESTART, 0).map_err(crate::sys::Errno));
                sys!(SYS_poll, 0, 0, -1).map_or_else(|errno| errno.0, |_| 0)
            });
            until_asleep(child);
            must(crate::sys::kill(child, libc::SIGUSR1));
            t.is("never_restarted", reap(child).map(|ended| libc::WEXITSTATUS(ended.0) == libc::EINTR));
        }),
        plain("select", |t| {
            let (r, w) = must(pipe(0));
            let bit = |fd: Fd| 1u64 << fd.0;
            let (mut reading, mut writing) = ([bit(r)], [bit(w)]);
            t.put(sys!(SYS_select, 10, &mut reading, &mut writing, 0, &mut [0i64, 0]));
            t.put([reading[0] == 0, writing[0] == bit(w)]);
            must(write(w, "x"));
            let mut reading = [bit(r)];
            t.put(sys!(SYS_select, 10, &mut reading, 0, 0, 0));
            t.put(reading[0] == bit(r));
        }),
        plain("select_refused", |t| {
            t.put(sys!(SYS_select, -1, 0, 0, 0, &mut [0i64, 0]));
            t.is("closed", sys!(SYS_select, 64, &mut [1u64 << 50], 0, 0, &mut [0i64, 0]));
            t.is("beyond", sys!(SYS_select, 10, &mut [1u64 << 50], 0, 0, &mut [0i64, 0]));
            t.is("time", sys!(SYS_select, 0, 0, 0, 0, &mut [0i64, -1]));
            t.is("large_time", sys!(SYS_pselect6, 0, 0, 0, 0, &mut [0i64, 1_000_000_000], 0));
            t.is("address", sys!(SYS_select, 10, 8, 0, 0, &mut [0i64, 0]));
            t.is("pselect_mask", sys!(SYS_pselect6, 0, 0, 0, 0, &mut [0i64, 0], &[0x1000u64, 4]));
        }),
        plain("select_hang_up", |t| {
            let (r, w) = must(pipe(0));
            must(close(w));
            let (mut reading, mut failing) = ([1u64 << r.0], [1u64 << r.0]);
            t.put(sys!(SYS_select, 10, &mut reading, 0, &mut failing, &mut [0i64, 0]));
            t.put([reading[0] != 0, failing[0] != 0]);
        }),
        plain("select_leaves_the_time", |t| {
            let mut time = [0i64, 3000];
            t.put(sys!(SYS_select, 0, 0, 0, 0, &mut time));
            t.put(time);
        }),
        plain("epoll_create", |t| {
            t.put([sys!(SYS_epoll_create, 0), sys!(SYS_epoll_create, -1)]);
            t.put(sys!(SYS_epoll_create, 1).map(|_| "fd"));
            t.put([sys!(SYS_epoll_create1, 1), sys!(SYS_epoll_create1, -1)]);
            t.put(sys!(SYS_epoll_create1, libc::EPOLL_CLOEXEC).and_then(|fd| sys!(SYS_fcntl, fd, libc::F_GETFD)));
        }),
        plain("epoll_ctl_errors", |t| {
            let (ep, (r, _w)) = (epoll(), must(pipe(0)));
            t.put([
                ctl(ep, EPOLL_CTL_MOD, r, EPOLLIN),
                ctl(ep, EPOLL_CTL_DEL, r, 0),
                ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN),
            ]);
            t.put([ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN), ctl(ep, 9, r, 0), ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN)]);
            t.put([
                ctl(ep, EPOLL_CTL_ADD, Fd(77), EPOLLIN),
                ctl(Fd(77), EPOLL_CTL_ADD, r, EPOLLIN),
                ctl(r, EPOLL_CTL_ADD, r, EPOLLIN),
            ]);
            file(c"f", "");
            t.is("file", ctl(ep, EPOLL_CTL_ADD, must(open(c"f", O_RDWR)), EPOLLIN));
            t.is("directory", ctl(ep, EPOLL_CTL_ADD, must(open(c".", O_RDONLY)), EPOLLIN));
            t.is("not_epoll", ctl(must(open(c"f", O_RDWR)), EPOLL_CTL_ADD, r, EPOLLIN));
            t.is("address", sys!(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, r, 8));
            t.is("del_ignores_event", sys!(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, r, 0));
        }),
        plain("epoll_loop", |t| {
            let (a, b) = (epoll(), epoll());
            t.put([ctl(a, EPOLL_CTL_ADD, b, EPOLLIN), ctl(b, EPOLL_CTL_ADD, a, EPOLLIN)]);
        }),
        plain("epoll_nested", |t| {
            let (a, b, (r, w)) = (epoll(), epoll(), must(pipe(0)));
            must(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN));
            must(ctl(b, EPOLL_CTL_ADD, r, EPOLLIN));
            t.put(events(a, 4, 0));
            must(write(w, "x"));
            t.put(events(a, 4, 0));
            t.put(poll_one(a, 0x7f));
        }),
        plain("epoll_depth", |t| {
            let (r, _w) = must(pipe(0));
            let mut last = r;
            let made: Vec<Answer> = (0..7)
                .map(|_| {
                    let ep = epoll();
                    let answer = ctl(ep, EPOLL_CTL_ADD, last, EPOLLIN);
                    last = ep;
                    answer
                })
                .collect();
            t.put(made);
        }),
        plain("epoll_wait_errors", |t| {
            let ep = epoll();
            t.put([0, -1, i32::MAX].map(|most| sys!(SYS_epoll_wait, ep, &mut [0u64; 4], most, 0)));
            t.put(sys!(SYS_epoll_wait, 77, &mut [0u64; 4], 1, 0));
            t.put(sys!(SYS_epoll_wait, must(pipe(0)).0, &mut [0u64; 4], 1, 0));
            t.put(sys!(SYS_epoll_pwait, ep, &mut [0u64; 4], 1, 0, &[0u64], 4));
            t.put(sys!(SYS_epoll_pwait2, ep, &mut [0u64; 4], 1, &[0i64, 1000], 0, 8));
            t.put(sys!(SYS_epoll_pwait2, ep, &mut [0u64; 4], 1, &[0i64, -1], 0, 8));
        }),
        plain("epoll_level", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN));
            t.put(events(ep, 4, 0));
            must(write(w, "xy"));
            t.put(events(ep, 4, 0));
            must(read(r, 1));
            t.put(events(ep, 4, 0));
            must(read(r, 1));
            t.put(events(ep, 4, 0));
        }),
        plain("epoll_edge", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN | EPOLLET));
            must(write(w, "xy"));
            t.put([events(ep, 4, 0), events(ep, 4, 0)]);
            must(read(r, 1));
            t.is("after_reading", events(ep, 4, 0));
            must(write(w, "z"));
            t.is("after_more", events(ep, 4, 0));
            must(ctl(ep, EPOLL_CTL_MOD, r, EPOLLIN | EPOLLET));
            t.is("after_mod", [events(ep, 4, 0), events(ep, 4, 0)]);
        }),
        plain("epoll_oneshot", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN | EPOLLONESHOT));
            must(write(w, "x"));
            t.put([events(ep, 4, 0), events(ep, 4, 0)]);
            must(close(w));
            t.is("hang_up", events(ep, 4, 0));
            must(ctl(ep, EPOLL_CTL_MOD, r, EPOLLIN | EPOLLONESHOT));
            t.put(events(ep, 4, 0));
        }),
        plain("epoll_hang_up_unasked", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, 0));
            must(write(w, "x"));
            t.put(events(ep, 4, 0));
            must(close(w));
            t.put(events(ep, 4, 0));
        }),
        plain("epoll_fair", |t| {
            let (ep, (r1, w1), (r2, w2)) = (epoll(), must(pipe(0)), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r1, EPOLLIN));
            must(ctl(ep, EPOLL_CTL_ADD, r2, EPOLLIN));
            must(write(w1, "x"));
            must(write(w2, "x"));
            let mut first = [0u32; 3];
            must(sys!(SYS_epoll_wait, ep, &mut first, 1, 0));
            let one = first[1];
            must(sys!(SYS_epoll_wait, ep, &mut first, 1, 0));
            t.put(one != first[1]);
        }),
        plain("epoll_closed_descriptor", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN));
            must(write(w, "x"));
            let two = Fd(must(sys!(SYS_dup, r)) as i32);
            must(close(r));
            t.is("dup_lives", events(ep, 4, 0));
            must(close(two));
            t.is("gone", events(ep, 4, 0));
        }),
        plain("epoll_exclusive", |t| {
            let (ep, (r, _w)) = (epoll(), must(pipe(0)));
            t.put(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN | EPOLLEXCLUSIVE));
            t.is("mod", ctl(ep, EPOLL_CTL_MOD, r, EPOLLIN));
            let (r, _w) = must(pipe(0));
            t.is("oneshot", ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
            t.is("mod_to", [ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN), ctl(ep, EPOLL_CTL_MOD, r, EPOLLIN | EPOLLEXCLUSIVE)]);
        }),
        plain("epoll_wakes", |t| {
            let (ep, (r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN));
            let child = spawn(|| i32::from(events(ep, 1, -1).map(|list| list.len()) != Ok(1)));
            until_asleep(child);
            must(write(w, "x"));
            t.put(reap(child));
        }),
        plain("epoll_of_a_child", |t| {
            let (ep, gate) = (epoll(), Gate::new());
            let child = spawn(|| {
                let (r, w) = must(pipe(0));
                must(write(w, "x"));
                must(ctl(ep, EPOLL_CTL_ADD, r, EPOLLIN));
                gate.open();
                must(sys!(SYS_pause)) as i32
            });
            gate.wait();
            t.put(events(ep, 4, 0));
            end(child);
            t.put(events(ep, 4, 0));
        }),
        plain("eventfd", |t| {
            let fd = eventfd(3, EFD_NONBLOCK);
            t.put([count(fd), count(fd)]);
            t.put([add(fd, 1), add(fd, 5)]);
            t.put(count(fd));
            t.put([add(fd, u64::MAX), add(fd, u64::MAX - 1), add(fd, 1), add(fd, 0)]);
            t.put([poll_one(fd, 0x7f), poll_one(eventfd(0, 0), 0x7f), poll_one(eventfd(1, 0), 0x7f)]);
        }),
        plain("eventfd_semaphore", |t| {
            let fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
            t.put([count(fd), count(fd), count(fd)]);
        }),
        plain("eventfd_refused", |t| {
            let fd = eventfd(2, EFD_NONBLOCK);
            t.put([sys!(SYS_read, fd, &mut [0u8; 4], 4), sys!(SYS_write, fd, "1234", 4), sys!(SYS_eventfd2, 0, 0x10)]);
            t.put(sys!(SYS_read, fd, 8, 8));
            t.put(sys!(SYS_read, fd, &mut [0u8; 32], 32));
        }),
        plain("eventfd_wakes", |t| {
            let fd = eventfd(0, 0);
            let child = spawn(|| count(fd).map_or(99, |n| n as i32));
            until_asleep(child);
            must(add(fd, 7));
            t.put(reap(child));
        }),
        plain("nonblock_by_fcntl", |t| {
            let fd = eventfd(0, 0);
            must(crate::sys::fcntl(fd, libc::F_SETFL, O_NONBLOCK));
            t.put(count(fd));
        }),
        plain("edge_of_output", |t| {
            let (ep, (_r, w)) = (epoll(), must(pipe(0)));
            must(ctl(ep, EPOLL_CTL_ADD, w, EPOLLOUT | EPOLLET));
            t.put([events(ep, 4, 0), events(ep, 4, 0)]);
        }),
    ],
};

/// A `struct pollfd` in one word.
fn entry(fd: Fd, events: u16) -> u64 {
    fd.0 as u32 as u64 | (events as u64) << 32
}

/// What poll(2) answers for one descriptor at once: the count and `revents`.
pub fn poll_one(fd: Fd, wanted: u16) -> Answer<(usize, Hex)> {
    let mut set = [entry(fd, wanted)];
    let count = sys!(SYS_poll, &mut set, 1, 0)?;
    Ok((count, Hex(set[0] >> 48)))
}

fn epoll() -> Fd {
    Fd(must(sys!(SYS_epoll_create1, 0)) as i32)
}

fn ctl(ep: Fd, operation: i32, fd: Fd, events: i32) -> Answer {
    sys!(SYS_epoll_ctl, ep, operation, fd, &[events as u32, fd.0 as u32, 0])
}

/// The events that are there, without their data.
fn events(ep: Fd, most: i32, timeout: i32) -> Answer<Vec<Hex>> {
    let mut list = [[0u32; 3]; 8];
    let count = sys!(SYS_epoll_wait, ep, &mut list, most, timeout)?;
    Ok(list[..count].iter().map(|event| Hex(event[0].into())).collect())
}

fn eventfd(value: u32, flags: i32) -> Fd {
    Fd(must(sys!(SYS_eventfd2, value, flags)) as i32)
}

fn count(fd: Fd) -> Answer<u64> {
    let mut value = [0u64];
    sys!(SYS_read, fd, &mut value, 8)?;
    Ok(value[0])
}

fn add(fd: Fd, value: u64) -> Answer<u64> {
    sys!(SYS_write, fd, &[value], 8).map(|_| 8)
}
