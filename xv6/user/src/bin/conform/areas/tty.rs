//! Terminals: PTY pairs, line editing, signals from keys, sessions and job control over one.

use libc::{O_NOCTTY, O_NONBLOCK, O_RDWR};

use crate::areas::poll::poll_one;
use crate::child::until;
use crate::runner::{Area, plain};
use crate::sys::{Answer, Fd, close, fcntl, must, open, pipe, read, sys, text, write};

pub const AREA: Area = Area {
    name: "tty",
    checks: &[
        plain("locked_until_unlocked", |t| {
            let master = must(open(c"/dev/ptmx", O_RDWR | O_NOCTTY));
            let name = name(master);
            t.put(open(&name, O_RDWR | O_NOCTTY));
            must(ioctl(master, libc::TIOCSPTLCK as _, &mut [0i32]));
            t.put(open(&name, O_RDWR | O_NOCTTY));
        }),
        plain("attributes", |t| {
            let (master, slave) = pair();
            t.put(
                crate::sys::fstat(slave).map(|s| (libc::major(s.st_rdev), s.st_uid as usize == must(sys!(SYS_getuid)))),
            );
            t.put(crate::sys::fstat(slave).map(|s| crate::line::Octal(s.st_mode >> 12)));
            t.put([sys!(SYS_lseek, slave, 0, 0), sys!(SYS_lseek, master, 0, 0), sys!(SYS_pread64, slave, 8, 1, 0)]);
        }),
        plain("defaults", |t| {
            let (_master, slave) = pair();
            let mut settings = [0u32; 16];
            t.put(ioctl(slave, libc::TCGETS as _, &mut settings));
            t.put(settings[..4].iter().map(|word| crate::line::Octal(*word)).collect::<Vec<_>>());
        }),
        plain("line_discipline", |t| {
            let (master, slave) = pair();
            must(write(master, "abc\x7fd\n"));
            t.put(read(slave, 100));
            t.is("echo", read(master, 100).map(|text| text.replace('\u{8}', "<").replace('\r', "r")));
        }),
        plain("partial_line_is_not_ready", |t| {
            let (master, slave) = pair();
            must(write(master, "abc"));
            t.put(poll_one(slave, 0x1));
            must(fcntl(slave, libc::F_SETFL, O_NONBLOCK));
            t.put(read(slave, 10));
            must(write(master, "\n"));
            ready(slave);
            t.put(poll_one(slave, 0x1));
            t.put([read(slave, 2), read(slave, 10)]);
        }),
        plain("end_of_file_key", |t| {
            let (master, slave) = pair();
            must(write(master, "ab\x04\x04"));
            t.put([read(slave, 10), read(slave, 10)]);
        }),
        plain("kill_and_word_erase", |t| {
            let (master, slave) = pair();
            must(write(master, "gone\x15one two\x17three\n"));
            t.put(read(slave, 100));
        }),
        plain("literal_next", |t| {
            let (master, slave) = pair();
            must(write(master, "a\x16\x03b\n"));
            t.put(read(slave, 100).map(|text| text.replace('\u{3}', "^C")));
        }),
        plain("carriage_return", |t| {
            let (master, slave) = pair();
            must(write(master, "a\r"));
            t.put(read(slave, 100));
            must(write(slave, "x\ny"));
            until("the output", || must(ioctl_count(master)) >= 7);
            t.put(read(master, 100).map(|text| text.replace('\r', "r")));
        }),
        plain("raw", |t| {
            let (master, slave) = pair();
            raw(slave, 1, 0);
            must(write(master, "a\x03\r"));
            t.put(read(slave, 100).map(|text| text.replace('\u{3}', "^C").replace('\r', "r")));
            raw(slave, 0, 0);
            t.is("min_0_time_0", read(slave, 10));
            raw(slave, 0, 1);
            t.is("time_1", read(slave, 10));
        }),
        plain("flush", |t| {
            let (master, slave) = pair();
            must(write(master, "abc\n"));
            ready(slave);
            must(sys!(SYS_ioctl, slave, libc::TCFLSH, libc::TCIFLUSH));
            must(fcntl(slave, libc::F_SETFL, O_NONBLOCK));
            t.put(read(slave, 10));
            t.put(sys!(SYS_ioctl, slave, libc::TCFLSH, 9));
        }),
        plain("window_size", |t| {
            let (master, slave) = pair();
            let mut size = [9u16; 4];
            t.put(ioctl(slave, libc::TIOCGWINSZ as _, &mut size));
            t.put(size);
            must(ioctl(master, libc::TIOCSWINSZ as _, &mut [24u16, 80, 1, 2]));
            must(ioctl(slave, libc::TIOCGWINSZ as _, &mut size));
            t.put(size);
        }),
        plain("fionread", |t| {
            let (master, slave) = pair();
            must(write(master, "abc\n"));
            ready(slave);
            let mut count = [9i32];
            t.put(ioctl(slave, libc::FIONREAD as _, &mut count));
            t.put(count[0]);
        }),
        plain("hang_up_of_the_slave", |t| {
            let (master, slave) = pair();
            must(write(slave, "last"));
            must(close(slave));
            ready(master);
            t.put(poll_one(master, 0x1));
            t.put([read(master, 10), read(master, 10)]);
            t.put(poll_one(master, 0x1));
            let again = must(open(&name(master), O_RDWR | O_NOCTTY));
            must(write(again, "more"));
            t.is("reopened", read(master, 10));
        }),
        plain("hang_up_of_the_master", |t| {
            let (master, slave) = pair();
            must(close(master));
            t.put(poll_one(slave, 0x5));
            t.put([read(slave, 10), write(slave, "x").map(|n| n.to_string())]);
            t.put(sys!(SYS_ioctl, slave, libc::TCGETS, &mut [0u32; 16]));
        }),
        plain("not_a_terminal", |t| {
            let (r, _w) = must(pipe(0));
            t.put([
                sys!(SYS_ioctl, r, libc::TIOCGPGRP, &mut [0i32]),
                sys!(SYS_ioctl, r, libc::TIOCSCTTY, 0),
                sys!(SYS_ioctl, r, libc::TCSETS, 0),
            ]);
            let (master, _slave) = pair();
            t.is("bad_address", sys!(SYS_ioctl, master, libc::TCGETS, 8));
            t.is("unknown", sys!(SYS_ioctl, master, 0x54ff, 0));
        }),
        plain("vhangup", |t| t.put(sys!(SYS_vhangup))),
    ],
};

pub(super) fn ioctl<T, const N: usize>(fd: Fd, request: u64, data: &mut [T; N]) -> Answer {
    sys!(SYS_ioctl, fd, request, data)
}

pub(super) fn ioctl_number<R: TryInto<u64>>(fd: Fd, request: R, number: usize) -> Answer {
    sys!(SYS_ioctl, fd, request.try_into().unwrap_or_default(), number)
}

pub(super) fn get<R: TryInto<u64>>(fd: Fd, request: R) -> Answer<i32> {
    let mut value = [0i32];
    sys!(SYS_ioctl, fd, request.try_into().unwrap_or_default(), &mut value)?;
    Ok(value[0])
}

pub(super) fn set<R: TryInto<u64>>(fd: Fd, request: R, value: i32) -> Answer {
    sys!(SYS_ioctl, fd, request.try_into().unwrap_or_default(), &[value])
}

/// How many bytes wait to be read.
pub(super) fn ioctl_count(fd: Fd) -> Answer<i32> {
    let mut count = [0i32];
    ioctl(fd, libc::FIONREAD as _, &mut count)?;
    Ok(count[0])
}

/// The slave's name.
pub(super) fn name(master: Fd) -> std::ffi::CString {
    let mut number = [0u32];
    must(sys!(SYS_ioctl, master, libc::TIOCGPTN, &mut number));
    text(&format!("/dev/pts/{}", number[0]))
}

pub(super) fn name_of(slave: Fd) -> std::ffi::CString {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", slave.0)).unwrap_or_default();
    text(&path.to_string_lossy())
}

/// A new terminal: master and slave.
pub(super) fn pair() -> (Fd, Fd) {
    let master = must(open(c"/dev/ptmx", O_RDWR | O_NOCTTY));
    must(sys!(SYS_ioctl, master, libc::TIOCSPTLCK, &[0i32]));
    (master, must(open(&name(master), O_RDWR | O_NOCTTY)))
}

/// Waits until there is something to read: what one end writes reaches the other a moment later.
pub(super) fn ready(fd: Fd) {
    until("input", || poll_one(fd, 0x1).is_ok_and(|(count, _)| count == 1));
}

/// No editing, no echo, no signals; `VMIN` and `VTIME`.
pub(super) fn raw(slave: Fd, min: u8, time: u8) {
    let mut settings = [0u32; 16];
    must(ioctl(slave, libc::TCGETS as _, &mut settings));
    settings[0] = 0;
    settings[3] = 0;
    // Bytes 17 and on are the keys: VTIME is 5, VMIN 6.
    settings[5] = settings[5] & !0xffff_0000 | u32::from(time) << 16 & 0x00ff_0000;
    let mut bytes: Vec<u8> = settings.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes[17 + 5] = time;
    bytes[17 + 6] = min;
    must(sys!(SYS_ioctl, slave, libc::TCSETS, bytes.as_slice()));
}
