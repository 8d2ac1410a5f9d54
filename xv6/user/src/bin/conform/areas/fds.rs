//! Descriptors: dup(2), dup3(2), fcntl(2), close_range(2), limits on them, and what exec(2) and fork(2) make of them.

use libc::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETPIPE_SZ, F_SETFD, F_SETFL, FD_CLOEXEC, FIONBIO, FIONREAD,
    O_APPEND, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, RLIMIT_NOFILE,
};

use crate::child::part;
use crate::runner::{Area, plain};
use crate::sys::{Answer, Fd, close, content, fcntl, file, must, open, pipe, read, sys, write};

pub const AREA: Area = Area {
    name: "fds",
    checks: &[
        plain("dup", |t| {
            let fd = with("text");
            t.put(sys!(SYS_dup, fd).map(|two| two as i32 - fd.0));
            t.put(sys!(SYS_dup, 77));
            t.put(sys!(SYS_dup, -1));
        }),
        plain("dup2", |t| {
            let fd = with("text");
            t.put([sys!(SYS_dup2, fd, 50), sys!(SYS_dup2, 77, 51), sys!(SYS_dup2, 77, 77), sys!(SYS_dup2, 50, 50)]);
            t.put([sys!(SYS_dup2, fd, -1), sys!(SYS_dup2, fd, 1 << 30)]);
            t.put(read(Fd(50), 4));
        }),
        plain("dup2_closes_the_old", |t| {
            let (r, w) = must(pipe(0));
            must(sys!(SYS_dup2, must(open(c"/dev/null", O_WRONLY)), w));
            t.put(read(r, 1));
        }),
        plain("dup3", |t| {
            let fd = with("text");
            t.put(sys!(SYS_dup3, fd, 50, O_CLOEXEC));
            t.put(fcntl(Fd(50), F_GETFD, 0));
            t.put([
                sys!(SYS_dup3, fd, fd, 0),
                sys!(SYS_dup3, fd, 51, O_NONBLOCK),
                sys!(SYS_dup3, 77, 77, 0),
                sys!(SYS_dup3, 77, 51, 0),
            ]);
        }),
        plain("dup_drops_cloexec", |t| {
            let fd = must(open(c"/dev/null", O_RDWR | O_CLOEXEC));
            let two = must(sys!(SYS_dup, fd)) as i32;
            t.put([fcntl(fd, F_GETFD, 0), fcntl(Fd(two), F_GETFD, 0)]);
        }),
        plain("dup_shares_flags", |t| {
            let fd = with("text");
            let two = Fd(must(sys!(SYS_dup, fd)) as i32);
            must(fcntl(fd, F_SETFL, O_APPEND));
            t.put(fcntl(two, F_GETFL, 0).map(|flags| flags as i32 & O_APPEND != 0));
        }),
        plain("f_dupfd", |t| {
            let fd = with("text");
            t.put([fcntl(fd, F_DUPFD, 60), fcntl(fd, F_DUPFD, 60), fcntl(fd, F_DUPFD_CLOEXEC, 60)]);
            t.put([fcntl(Fd(60), F_GETFD, 0), fcntl(Fd(62), F_GETFD, 0)]);
            t.put([fcntl(fd, F_DUPFD, -1), fcntl(fd, F_DUPFD, 1 << 30), fcntl(Fd(77), F_DUPFD, 0)]);
        }),
        plain("f_setfd", |t| {
            let fd = with("text");
            t.put([
                fcntl(fd, F_SETFD, FD_CLOEXEC),
                fcntl(fd, F_GETFD, 0),
                fcntl(fd, F_SETFD, 0xfe),
                fcntl(fd, F_GETFD, 0),
            ]);
            t.put(fcntl(Fd(77), F_GETFD, 0));
        }),
        plain("f_setfl", |t| {
            let fd = with("text");
            t.put(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_WRONLY | libc::O_CREAT));
            t.put(fcntl(fd, F_GETFL, 0).map(|flags| flags as i32 & (O_NONBLOCK | O_APPEND | 3 | libc::O_CREAT)));
            t.put(fcntl(fd, F_SETFL, 0));
            t.put(fcntl(fd, F_GETFL, 0).map(|flags| flags as i32 & (O_NONBLOCK | O_APPEND | 3)));
        }),
        plain("fcntl_unknown", |t| t.put([fcntl(with(""), 9999, 0), fcntl(Fd(77), 9999, 0), fcntl(with(""), -1, 0)])),
        plain("fionbio", |t| {
            let (r, _w) = must(pipe(0));
            t.put(sys!(SYS_ioctl, r, FIONBIO, &[1i32]));
            t.put(read(r, 1));
            t.put(sys!(SYS_ioctl, r, FIONBIO, &[0i32]));
            t.put(fcntl(r, F_GETFL, 0).map(|flags| flags as i32 & O_NONBLOCK));
        }),
        plain("fionread", |t| {
            let (r, w) = must(pipe(0));
            must(write(w, "hello"));
            let mut count = [0i32];
            t.put(sys!(SYS_ioctl, r, FIONREAD, &mut count));
            t.put(count[0]);
            let fd = with("text");
            must(read(fd, 1));
            t.put(sys!(SYS_ioctl, fd, FIONREAD, &mut count));
            t.put(count[0]);
        }),
        plain("fioclex", |t| {
            let fd = with("");
            t.put([
                sys!(SYS_ioctl, fd, libc::FIOCLEX),
                fcntl(fd, F_GETFD, 0),
                sys!(SYS_ioctl, fd, libc::FIONCLEX),
                fcntl(fd, F_GETFD, 0),
            ]);
        }),
        plain("ioctl_refused", |t| {
            let fd = with("");
            t.put([
                sys!(SYS_ioctl, fd, libc::TCGETS, 0),
                sys!(SYS_ioctl, fd, 0xdead, 0),
                sys!(SYS_ioctl, 77, libc::TCGETS, 0),
            ]);
            t.put(sys!(SYS_ioctl, must(pipe(0)).0, libc::TIOCGWINSZ, 0));
            t.put(sys!(SYS_ioctl, must(open(c"/dev/null", O_RDWR)), libc::TCGETS, 0));
        }),
        plain("close", |t| {
            let fd = with("");
            t.put([close(fd), close(fd), close(Fd(-1)), close(Fd(1 << 30))]);
        }),
        plain("close_range", |t| {
            let fd = with("");
            for to in [40, 41, 42, 45] {
                must(sys!(SYS_dup2, fd, to));
            }
            t.put(sys!(SYS_close_range, 41, 44, 0));
            t.put([40, 41, 42, 45].map(|fd| fcntl(Fd(fd), F_GETFD, 0)));
            t.is("cloexec", sys!(SYS_close_range, 40, 50, libc::CLOSE_RANGE_CLOEXEC));
            t.put([40, 45].map(|fd| fcntl(Fd(fd), F_GETFD, 0)));
            t.is("reversed", sys!(SYS_close_range, 45, 40, 0));
            t.is("flags", sys!(SYS_close_range, 40, 45, 8));
            t.is("empty", sys!(SYS_close_range, 5000, 6000, 0));
        }),
        plain("nofile_limit", |t| {
            let fd = with("");
            must(sys!(SYS_prlimit64, 0, RLIMIT_NOFILE, &[8u64, 8], 0));
            t.put((0..8).find_map(|_| sys!(SYS_dup, fd).err()).ok_or(crate::sys::Errno(0)).map(|errno| errno.name()));
            t.put(sys!(SYS_dup2, fd, 8));
            t.put(sys!(SYS_dup2, fd, 7));
            t.put(fcntl(fd, F_DUPFD, 8));
            t.put(open(c"f", O_RDONLY));
            t.put(sys!(SYS_pipe2, &mut [0i32; 2], 0));
            t.is("high_one_works", write(Fd(100), ""));
        }),
        plain("pipe_needs_two", |t| {
            let fd = with("");
            must(sys!(SYS_prlimit64, 0, RLIMIT_NOFILE, &[fd.0 as u64 + 2, 64], 0));
            t.put(sys!(SYS_pipe2, &mut [0i32; 2], 0));
            t.is("none_taken", sys!(SYS_dup, fd).map(|two| two as i32 - fd.0));
        }),
        plain("fork_copies_the_table", |t| {
            let fd = with("text");
            part(t, |t| {
                t.put(close(fd));
                must(sys!(SYS_dup2, 0, 60));
            });
            t.put(read(fd, 4));
            t.put(fcntl(Fd(60), F_GETFD, 0));
        }),
        plain("proc_fd", |t| {
            let fd = with("text");
            t.put(std::fs::read_link(format!("/proc/self/fd/{}", fd.0)).is_ok_and(|path| path.ends_with("f")));
            must(crate::sys::unlink(c"f"));
            t.put(
                std::fs::read_link(format!("/proc/self/fd/{}", fd.0)).is_ok_and(|path| path.ends_with("f (deleted)")),
            );
            let (r, _) = must(pipe(0));
            t.put(
                std::fs::read_link(format!("/proc/self/fd/{}", r.0))
                    .is_ok_and(|path| path.to_string_lossy().starts_with("pipe:[")),
            );
            t.put(
                std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.0))
                    .is_ok_and(|text| text.starts_with("pos:\t0\nflags:\t")),
            );
        }),
        plain("dev_fd", |t| {
            let (r, w) = must(pipe(0));
            must(write(w, "through"));
            t.put(open(&crate::sys::text(&format!("/dev/fd/{}", r.0)), O_RDONLY).and_then(|fd| read(fd, 7)));
            t.is("closed", open(c"/dev/fd/77", O_RDONLY));
        }),
        plain("kcmp_by_offset", |t| {
            let one = with("text");
            let two = must(open(c"f", O_RDONLY));
            must(read(one, 2));
            t.put(read(two, 4));
            t.put(content(c"f"));
        }),
        plain("pipe_size_of_others", |t| t.put([fcntl(with(""), F_GETPIPE_SZ, 0), fcntl(Fd(77), F_GETPIPE_SZ, 0)])),
        plain("owner", |t| {
            let (r, _w) = must(pipe(0));
            t.put(fcntl(r, libc::F_GETOWN, 0));
            t.put(fcntl(r, libc::F_SETOWN, crate::sys::getpid()));
            t.put(fcntl(r, libc::F_GETOWN, 0).map(|pid| pid as i32 == crate::sys::getpid()));
            t.is("bad", fcntl(r, libc::F_SETOWN, i32::MIN));
        }),
        plain("memfd", |t| {
            let made: Answer = sys!(SYS_memfd_create, c"name", 0);
            let fd = Fd(must(made) as i32);
            t.put([write(fd, "text"), sys!(SYS_ftruncate, fd, 2), sys!(SYS_lseek, fd, 0, 0)]);
            t.put(read(fd, 9));
            t.put(
                std::fs::read_link(format!("/proc/self/fd/{}", fd.0))
                    .is_ok_and(|path| path.to_string_lossy() == "/memfd:name (deleted)"),
            );
            t.is("flags", sys!(SYS_memfd_create, c"name", 0x1000));
            t.is("long", sys!(SYS_memfd_create, &crate::sys::text(&"n".repeat(250)), 0));
            t.is(
                "cloexec",
                sys!(SYS_memfd_create, c"n", libc::MFD_CLOEXEC).and_then(|fd| fcntl(Fd(fd as i32), F_GETFD, 0)),
            );
        }),
        plain("memfd_seals", |t| {
            let fd = Fd(must(sys!(SYS_memfd_create, c"name", libc::MFD_ALLOW_SEALING)) as i32);
            must(write(fd, "text"));
            t.put(fcntl(fd, libc::F_GET_SEALS, 0));
            t.put(fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK | libc::F_SEAL_GROW));
            t.put([sys!(SYS_ftruncate, fd, 1), sys!(SYS_ftruncate, fd, 9), sys!(SYS_ftruncate, fd, 4)]);
            t.put(sys!(SYS_pwrite64, fd, "ab", 2, 3));
            t.put(fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_WRITE));
            t.put(write(fd, "x"));
            t.put(fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_SEAL));
            t.put(fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_GROW));
            t.is("of_a_pipe", fcntl(must(pipe(0)).0, libc::F_GET_SEALS, 0));
            t.is(
                "without_sealing",
                sys!(SYS_memfd_create, c"n", 0).and_then(|fd| fcntl(Fd(fd as i32), libc::F_ADD_SEALS, 1)),
            );
        }),
    ],
};

/// File `f` with this content, open for both ways.
fn with(content: &str) -> Fd {
    file(c"f", content);
    must(open(c"f", O_RDWR))
}
