//! Sockets as far as they go without a network: socketpair(2) of Unix streams, and sendto(2) and recvfrom(2) on them.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
use crate::vfs::File;
use crate::vfs::file::OpenFlags;
use crate::vfs::socketpair::{self, Socket};
use alloc::sync::Arc;

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 41, name: "socket", handler: |_| Err(Errno::EAFNOSUPPORT.into()) },
    Row { number: 44, name: "sendto", handler: send },
    Row { number: 45, name: "recvfrom", handler: receive },
    Row { number: 53, name: "socketpair", handler: pair },
];

const MSG_NOSIGNAL: usize = 0x4000;

fn pair(call: &mut Call<'_>) -> Result<usize> {
    const AF_UNIX: i32 = 1;
    const SOCK_STREAM: u32 = 1;
    const TYPE: u32 = 0xf;
    let kind = call.int(1) as u32;
    let flags = OpenFlags::from_bits(kind & !TYPE).ok_or(Errno::EINVAL)?;
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    match (call.int(0), kind & TYPE, call.int(2)) {
        (AF_UNIX, SOCK_STREAM, 0 | AF_UNIX) => {}
        (AF_UNIX, SOCK_STREAM, _) => return Err(Errno::EPROTONOSUPPORT.into()),
        (AF_UNIX, ..) => return Err(Errno::ESOCKTNOSUPPORT.into()),
        _ => return Err(Errno::EAFNOSUPPORT.into()),
    }
    let cred = call.task.cred();
    let (one, other) = socketpair::create(cred.fsuid, cred.fsgid, flags);
    let files = call.task.files();
    let (a, b) = files.insert_pair(one, other, flags.contains(OpenFlags::CLOEXEC))?;
    if let Err(error) = user::write(call.args[3], &[a, b]) {
        files.close(a)?;
        files.close(b)?;
        return Err(error);
    }
    Ok(0)
}

/// The socket that is argument 0; only `known` flags (argument 3).
fn socket(call: &Call<'_>, known: usize) -> Result<Arc<File>> {
    let file = call.file(0)?;
    if !file.ops.as_any().is::<Socket>() {
        return Err(Errno::ENOTSOCK.into());
    }
    if call.args[3] & !known != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    Ok(file)
}

fn send(call: &mut Call<'_>) -> Result<usize> {
    let file = socket(call, MSG_NOSIGNAL)?;
    if call.args[4] != 0 {
        return Err(Errno::EISCONN.into());
    }
    let socket = file.operations::<Socket>().ok_or(Errno::ENOTSOCK)?;
    socket.send(&file, &mut WriteBuf::user(call.args[1], call.args[2])?, call.args[3] & MSG_NOSIGNAL == 0)
}

/// A peer of a pair has no address: `addrlen` becomes 0.
fn receive(call: &mut Call<'_>) -> Result<usize> {
    let file = socket(call, 0)?;
    let count = file.read(&mut ReadBuf::user(call.args[1], call.args[2])?)?;
    if call.args[4] != 0 && call.args[5] != 0 {
        user::write(call.args[5], &0_u32)?;
    }
    Ok(count)
}
