//! socketpair(2): both directions, ends, messages, and the errors of what is not there.

use libc::{
    AF_INET, AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_SEQPACKET,
    SOCK_STREAM,
};

use crate::areas::poll::poll_one;
use crate::child::{end_of, reap, spawn, until_asleep};
use crate::runner::{Area, plain};
use crate::sys::{Answer, Fd, close, fcntl, file, must, open, read, shown, sys, write};

pub const AREA: Area = Area {
    name: "sockets",
    checks: &[
        plain("both_ways", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            t.put([write(a, "to b"), write(b, "to a")]);
            t.put([read(a, 10), read(b, 2), read(b, 10)]);
        }),
        plain("pair_refused", |t| {
            let make =
                |domain: i32, kind: i32, protocol: i32| sys!(SYS_socketpair, domain, kind, protocol, &mut [0i32; 2]);
            t.put([
                make(AF_UNIX, 99, 0),
                make(AF_UNIX, SOCK_STREAM, 7),
                make(AF_INET, SOCK_STREAM, 0),
                make(99, SOCK_STREAM, 0),
            ]);
            t.put(sys!(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8));
            t.put(make(AF_UNIX, SOCK_STREAM | 0x100, 0));
        }),
        plain("flags", |t| {
            let (a, _b) = must(pair(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK));
            t.put(fcntl(a, libc::F_GETFD, 0));
            t.put(read(a, 1));
            t.put(fcntl(a, libc::F_GETFL, 0));
        }),
        plain("end_of_stream", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            must(write(a, "last"));
            must(close(a));
            t.put([read(b, 10), read(b, 10)]);
            t.put(end_of(|| write(b, "x").map_or(1, |_| 0)));
            t.put(sys!(SYS_sendto, b, "x", 1, MSG_NOSIGNAL, 0, 0));
            t.put(poll_one(b, 0x7f));
        }),
        plain("shutdown", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            t.put(sys!(SYS_shutdown, a, libc::SHUT_WR));
            must(fcntl(b, libc::F_SETFL, libc::O_NONBLOCK));
            t.put([read(b, 1), write(b, "back").map(|n| n.to_string())]);
            t.put(read(a, 10));
            t.put(sys!(SYS_sendto, a, "x", 1, MSG_NOSIGNAL, 0, 0));
            t.put([sys!(SYS_shutdown, a, 9), sys!(SYS_shutdown, 77, 0)]);
            file(c"f", "");
            t.is("not_a_socket", sys!(SYS_shutdown, must(open(c"f", 0)), 0));
        }),
        plain("poll", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            t.put(poll_one(a, 0x7f));
            must(write(b, "x"));
            t.put(poll_one(a, 0x7f));
            must(sys!(SYS_shutdown, b, libc::SHUT_WR));
            t.put(poll_one(a, 0x207f));
        }),
        plain("datagrams", |t| {
            let (a, b) = must(pair(SOCK_DGRAM));
            must(write(a, "one"));
            must(write(a, "three"));
            t.put([read(b, 2), read(b, 10)]);
            t.put(sys!(SYS_recvfrom, b, &mut [0u8; 4], 4, MSG_DONTWAIT, 0, 0));
        }),
        plain("packets", |t| {
            let (a, b) = must(pair(SOCK_SEQPACKET));
            must(write(a, "one"));
            must(write(a, "two"));
            t.put([read(b, 10), read(b, 1)]);
            must(close(a));
            t.put(read(b, 10));
        }),
        plain("send_and_receive", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            t.put(sys!(SYS_sendto, a, "hello", 5, 0, 0, 0));
            let mut bytes = [0u8; 8];
            t.put(sys!(SYS_recvfrom, b, &mut bytes, 3, MSG_PEEK, 0, 0));
            t.put(sys!(SYS_recvfrom, b, &mut bytes, 8, 0, 0, 0));
            t.put(shown(&bytes[..5]));
            t.put(sys!(SYS_recvfrom, b, &mut bytes, 8, MSG_DONTWAIT, 0, 0));
            t.is("closed", sys!(SYS_sendto, 77, "x", 1, 0, 0, 0));
        }),
        plain("options", |t| {
            let (a, _b) = must(pair(SOCK_STREAM));
            let get = |name: i32| {
                let (mut value, mut length) = ([0i32], [4u32]);
                sys!(SYS_getsockopt, a, libc::SOL_SOCKET, name, &mut value, &mut length).map(|_| value[0])
            };
            t.put([get(libc::SO_TYPE), get(libc::SO_DOMAIN), get(libc::SO_ERROR), get(libc::SO_ACCEPTCONN), get(9999)]);
        }),
        plain("passes_descriptors", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            file(c"f", "text");
            let fd = must(open(c"f", 0));
            // struct cmsghdr and one descriptor; struct msghdr with one iovec.
            let control = [20u64, libc::SOL_SOCKET as u64 | (libc::SCM_RIGHTS as u64) << 32, fd.0 as u64];
            let mut data = *b"x";
            let part = [data.as_mut_ptr().expose_provenance(), 1];
            let header = [0, 0, part.as_ptr().expose_provenance(), 1, control.as_ptr().expose_provenance(), 24, 0];
            t.put(sys!(SYS_sendmsg, a, &header, 0));
            must(close(fd));
            let mut received = [0u64; 3];
            let mut header =
                [0, 0, part.as_ptr().expose_provenance(), 1, received.as_mut_ptr().expose_provenance(), 24, 0];
            t.put(sys!(SYS_recvmsg, b, &mut header, 0));
            t.put(received[1] as u32);
            t.put(read(Fd(received[2] as i32), 10));
        }),
        plain("names", |t| {
            let (a, _b) = must(pair(SOCK_STREAM));
            let (mut name, mut length) = ([0u16; 64], [128u32]);
            t.put(sys!(SYS_getsockname, a, &mut name, &mut length));
            t.put([name[0] as u32, length[0]]);
            t.put(sys!(SYS_getpeername, a, &mut name, &mut length));
        }),
        plain("not_sockets", |t| {
            file(c"f", "");
            let fd = must(open(c"f", libc::O_RDWR));
            t.put([
                sys!(SYS_listen, fd, 1),
                sys!(SYS_accept, fd, 0, 0),
                sys!(SYS_sendto, fd, "x", 1, 0, 0, 0),
                sys!(SYS_connect, fd, &[0u8; 8], 8),
            ]);
            t.put([sys!(SYS_listen, 77, 1), sys!(SYS_socket, 99, SOCK_STREAM, 0), sys!(SYS_socket, AF_UNIX, 99, 0)]);
        }),
        plain("seek", |t| {
            let (a, _b) = must(pair(SOCK_STREAM));
            t.put([
                sys!(SYS_lseek, a, 0, 0),
                sys!(SYS_pread64, a, 8, 1, 0),
                sys!(SYS_ftruncate, a, 0),
                sys!(SYS_fsync, a),
            ]);
        }),
        plain("blocked_reader_wakes", |t| {
            let (a, b) = must(pair(SOCK_STREAM));
            let child = spawn(|| i32::from(read(a, 9) != Ok("'x'".to_owned())));
            until_asleep(child);
            must(write(b, "x"));
            t.put(reap(child));
        }),
    ],
};

fn pair(kind: i32) -> Answer<(Fd, Fd)> {
    let mut ends = [0i32; 2];
    sys!(SYS_socketpair, AF_UNIX, kind, 0, &mut ends)?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}
