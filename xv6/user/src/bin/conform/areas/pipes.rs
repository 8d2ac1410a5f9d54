//! Pipes and fifos: sizes, ends, atomic writes, blocking and not, signals, poll states.

use libc::{F_GETFL, F_GETPIPE_SZ, F_SETFL, F_SETPIPE_SZ, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};

use crate::areas::poll::poll_one;
use crate::child::{end_of, reap, spawn, until_asleep};
use crate::runner::{Area, plain, root};
use crate::sys::{Answer, Fd, close, fcntl, memory, must, open, pipe, read, sys, write};

pub const AREA: Area = Area {
    name: "pipes",
    checks: &[
        plain("carries_bytes", |t| {
            let (r, w) = must(pipe(0));
            t.put([write(w, "one"), write(w, "two")]);
            t.put([read(r, 2), read(r, 100)]);
        }),
        plain("flags", |t| {
            let (r, w) = must(pipe(O_CLOEXEC | O_NONBLOCK));
            t.put([fcntl(r, libc::F_GETFD, 0), fcntl(w, libc::F_GETFD, 0)]);
            t.put([fcntl(r, F_GETFL, 0).map(|f| f as i32), fcntl(w, F_GETFL, 0).map(|f| f as i32)]);
            t.put([pipe(0x1), pipe(libc::O_CREAT), pipe(libc::O_APPEND)]);
            t.put(sys!(SYS_pipe2, 8, 0));
            t.put(sys!(SYS_pipe, 8));
        }),
        plain("wrong_ends", |t| {
            let (r, w) = must(pipe(0));
            t.put([read(w, 1), write(r, "x").map(|n| n.to_string())]);
        }),
        plain("end_of_file", |t| {
            let (r, w) = must(pipe(0));
            must(write(w, "last"));
            must(close(w));
            t.put([read(r, 10), read(r, 10)]);
        }),
        plain("broken", |t| {
            let (r, w) = must(pipe(0));
            must(close(r));
            t.put(end_of(|| write(w, "x").map_or(1, |_| 0)));
            must(sys!(SYS_rt_sigaction, libc::SIGPIPE, &[1u64, 0, 0, 0], 0, 8));
            t.put(write(w, "x"));
            t.is("nothing", write(w, ""));
        }),
        plain("empty_nonblock", |t| {
            let (r, _w) = must(pipe(O_NONBLOCK));
            t.put([read(r, 1), read(r, 0)]);
        }),
        plain("capacity", |t| {
            let (r, w) = must(pipe(O_NONBLOCK));
            t.put(fcntl(w, F_GETPIPE_SZ, 0));
            let mut total = 0;
            while let Ok(count) = sys!(SYS_write, w, memory(1), 4096) {
                total += count;
            }
            t.put(total);
            t.put(write(w, "x"));
            t.is("read_frees_a_page", read(r, 4096).map(drop));
            t.put(sys!(SYS_write, w, memory(1), 4096));
        }),
        plain("atomic_when_full", |t| {
            let (_r, w) = must(pipe(O_NONBLOCK));
            let block = memory(16);
            must(sys!(SYS_write, w, block, 65536 - 100));
            t.is("small", sys!(SYS_write, w, block, 4096).map(|n| n.to_string()));
        }),
        plain("set_size", |t| {
            let (r, w) = must(pipe(O_NONBLOCK));
            t.put([
                fcntl(w, F_SETPIPE_SZ, 4096),
                fcntl(r, F_GETPIPE_SZ, 0),
                fcntl(w, F_SETPIPE_SZ, 1),
                fcntl(w, F_SETPIPE_SZ, 5000),
            ]);
            t.put([fcntl(w, F_SETPIPE_SZ, 0), fcntl(w, F_SETPIPE_SZ, 1 << 20)]);
            t.is("over_the_maximum", fcntl(w, F_SETPIPE_SZ, (1 << 20) + 1));
            t.is("negative", fcntl(w, F_SETPIPE_SZ, -1));
            must(sys!(SYS_write, w, memory(4), 16384));
            t.is("in_use", fcntl(w, F_SETPIPE_SZ, 4096));
        }),
        plain("blocked_writer_goes_on", |t| {
            let (r, w) = must(pipe(0));
            must(fcntl(w, F_SETPIPE_SZ, 4096));
            let child = spawn(|| sys!(SYS_write, w, memory(3), 12288).map_or(1, |n| i32::from(n != 12288)));
            until_asleep(child);
            let mut total = 0;
            while total < 12288 {
                total += must(sys!(SYS_read, r, memory(1), 4096));
            }
            t.put(total);
            t.put(reap(child));
        }),
        plain("blocked_writer_broken", |t| {
            let (r, w) = must(pipe(0));
            let child = spawn(|| {
                must(close(r));
                sys!(SYS_write, w, memory(32), 131072).map_or(1, |_| 0)
            });
            until_asleep(child);
            must(close(r));
            t.put(reap(child));
        }),
        plain("blocked_writer_interrupted", |t| {
            let (_r, w) = must(pipe(0));
            let child = spawn(|| {
                must(user::raw::expendable::catch(libc::SIGUSR1, libc::SA_RESTART, 0).map_err(crate::sys::Errno));
                sys!(SYS_write, w, memory(32), 131072).map_or(1, |n| i32::from(n != 65536))
            });
            until_asleep(child);
            must(crate::sys::kill(child, libc::SIGUSR1));
            t.is("partial", reap(child));
        }),
        plain("blocked_reader_wakes", |t| {
            let (r, w) = must(pipe(0));
            let child = spawn(|| i32::from(read(r, 9) != Ok("'x'".to_owned())));
            until_asleep(child);
            must(write(w, "x"));
            t.put(reap(child));
        }),
        plain("blocked_reader_end", |t| {
            let (r, w) = must(pipe(0));
            let child = spawn(|| {
                must(close(w));
                i32::from(read(r, 9) != Ok("''".to_owned()))
            });
            until_asleep(child);
            must(close(w));
            t.put(reap(child));
        }),
        plain("poll_states", |t| {
            let (r, w) = must(pipe(O_NONBLOCK));
            t.is("empty", [poll_one(r, 0x7f), poll_one(w, 0x7f)]);
            must(write(w, "x"));
            t.is("data", [poll_one(r, 0x7f), poll_one(w, 0x7f)]);
            while sys!(SYS_write, w, memory(1), 4096).is_ok() {}
            t.is("full", [poll_one(r, 0x7f), poll_one(w, 0x7f)]);
        }),
        plain("poll_hang_up", |t| {
            let (r, w) = must(pipe(0));
            must(write(w, "x"));
            must(close(w));
            t.is("data", poll_one(r, 0x7f));
            must(read(r, 1));
            t.is("end", poll_one(r, 0x7f));
            t.is("only_output", poll_one(r, 0x4));
            let (r, w) = must(pipe(0));
            must(close(r));
            t.is("reader_gone", poll_one(w, 0x7f));
        }),
        plain("packets", |t| {
            let (r, w) = must(pipe(O_DIRECT));
            must(write(w, "one"));
            must(write(w, "two"));
            t.put([read(r, 10), read(r, 2)]);
        }),
        plain("stat", |t| {
            let (r, _w) = must(pipe(0));
            t.put(crate::sys::fstat(r).map(|s| (crate::line::Octal(s.st_mode), s.st_size, s.st_nlink as u32)));
        }),
        plain("partly_bad_write", |t| {
            let (r, w) = must(pipe(0));
            let page = memory(2);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put(sys!(SYS_write, w, page + 4000, 96));
            t.put(sys!(SYS_write, w, page + 4096, 10));
            t.is("read", read(r, 200).map(|text| text.len()));
        }),
        plain("tee_splice_vmsplice", |t| {
            let ((r, w), (r2, w2)) = (must(pipe(0)), must(pipe(0)));
            must(write(w, "hello"));
            must(fcntl(r2, F_SETFL, O_NONBLOCK));
            t.is("tee", sys!(SYS_tee, r, w2, 3, 0));
            t.is("splice", sys!(SYS_splice, r, 0, w2, 0, 5, 0));
            t.put(read(r2, 20));
            t.is("file", sys!(SYS_splice, must(open(c"f", libc::O_CREAT | O_RDWR)), 0, w, 0, 5, 0));
            t.is("no_pipe", sys!(SYS_splice, must(open(c"f", O_RDWR)), 0, must(open(c"f", O_RDWR)), 0, 5, 0));
        }),
        plain("fifo_both_ends_meet", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let child = spawn(|| {
                let fd = must(open(c"p", O_WRONLY));
                i32::from(write(fd, "hello") != Ok(5))
            });
            until_asleep(child);
            let fd = must(open(c"p", O_RDONLY));
            t.put([read(fd, 10), read(fd, 10)]);
            t.put(reap(child));
        }),
        plain("fifo_nonblocking_reader", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let r = must(open(c"p", O_RDONLY | O_NONBLOCK));
            t.is("no_writer", read(r, 1));
            t.is("poll", poll_one(r, 0x7f));
            let w = must(open(c"p", O_WRONLY | O_NONBLOCK));
            t.is("writer", read(r, 1));
            must(write(w, "x"));
            must(close(w));
            t.put([read(r, 1), read(r, 1)]);
            t.is("poll", poll_one(r, 0x7f));
        }),
        plain("fifo_reopened", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let fd = must(open(c"p", O_RDWR | O_NONBLOCK));
            must(write(fd, "kept"));
            let r = must(open(c"p", O_RDONLY));
            must(close(fd));
            t.put([read(r, 10), read(r, 10)]);
        }),
        plain("fifo_lost_when_closed", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let fd = must(open(c"p", O_RDWR));
            must(write(fd, "lost"));
            must(close(fd));
            t.put(read(must(open(c"p", O_RDWR | O_NONBLOCK)), 10));
        }),
        plain("fifo_open_interrupted", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let child = spawn(|| {
                must(user::raw::expendable::catch(libc::SIGUSR1, 0, 0).map_err(crate::sys::Errno));
                open(c"p", O_RDONLY).map_or_else(|errno| errno.0, |_| 0)
            });
            until_asleep(child);
            must(crate::sys::kill(child, libc::SIGUSR1));
            t.put(reap(child).map(|ended| libc::WEXITSTATUS(ended.0) == libc::EINTR));
        }),
        plain("fifo_attributes", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            t.put([sys!(SYS_truncate, c"p", 0), sys!(SYS_fallocate, must(open(c"p", O_RDWR)), 0, 0, 1)]);
            let fd = must(open(c"p", O_RDWR));
            t.put([sys!(SYS_ftruncate, fd, 0), sys!(SYS_lseek, fd, 0, 0), sys!(SYS_fsync, fd)]);
            t.put(sys!(SYS_mmap, 0, 4096, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0));
        }),
        plain("setfl_nonblock_later", |t| {
            let (r, w) = must(pipe(0));
            must(fcntl(r, F_SETFL, O_NONBLOCK));
            t.put(read(r, 1));
            t.put(fcntl(w, F_GETFL, 0));
        }),
        root("root_may_exceed_the_maximum", |t| {
            let (_r, w): (Fd, Fd) = must(pipe(0));
            let size: Answer = fcntl(w, F_SETPIPE_SZ, 1 << 20);
            t.put(size);
        }),
    ],
};
