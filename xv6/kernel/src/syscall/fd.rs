//! Descriptors: dup(2) and its kin, fcntl(2), flock(2), ioctl(2).

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::vfs::File;
use crate::vfs::file::OpenFlags;
use crate::vfs::flock::{self, Flock};
use crate::vfs::pipe::End;
use crate::vfs::record_lock::{self, Record};
use alloc::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 16, name: "ioctl", handler: ioctl },
    Row { number: 32, name: "dup", handler: dup },
    Row { number: 33, name: "dup2", handler: dup2 },
    Row { number: 72, name: "fcntl", handler: fcntl },
    Row { number: 73, name: "flock", handler: do_flock },
    Row { number: 292, name: "dup3", handler: dup3 },
];

fn dup(call: &mut Call<'_>) -> Result<usize> {
    let file = call.any_file(0)?;
    Ok(call.task.files().insert(file, false)? as usize)
}

fn dup2(call: &mut Call<'_>) -> Result<usize> {
    let file = call.any_file(0)?;
    if call.args[0] as u32 != call.args[1] as u32 {
        call.task.files().dup_to(file, false, call.args[1] as u32)?;
    }
    Ok(call.args[1] as u32 as usize)
}

fn dup3(call: &mut Call<'_>) -> Result<usize> {
    let cloexec = OpenFlags::CLOEXEC.bits() as usize;
    if call.args[0] as u32 == call.args[1] as u32 || call.args[2] & !cloexec != 0 {
        return Err(Errno::EINVAL.into());
    }
    let file = call.any_file(0)?;
    call.task.files().dup_to(file, call.args[2] != 0, call.args[1] as u32)?;
    Ok(call.args[1] as u32 as usize)
}

fn fcntl(call: &mut Call<'_>) -> Result<usize> {
    const DUPFD: usize = 0;
    const GETFD: usize = 1;
    const SETFD: usize = 2;
    const GETFL: usize = 3;
    const SETFL: usize = 4;
    const GETLK: usize = 5;
    const SETLK: usize = 6;
    const SETLKW: usize = 7;
    const OFD_GETLK: usize = 36;
    const OFD_SETLK: usize = 37;
    const OFD_SETLKW: usize = 38;
    const DUPFD_CLOEXEC: usize = 1030;
    const SETPIPE_SZ: usize = 1031;
    const GETPIPE_SZ: usize = 1032;
    const GET_SEALS: usize = 1034;
    let files = call.task.files();
    let (fd, command, arg) = (call.args[0] as u32, call.args[1], call.args[2]);
    let file = files.get(fd)?;
    match command {
        DUPFD | DUPFD_CLOEXEC => {
            if arg >= files.limit() {
                return Err(Errno::EINVAL.into());
            }
            Ok(files.insert_from(file, command == DUPFD_CLOEXEC, arg as u32)? as usize)
        }
        GETFD => Ok(usize::from(files.cloexec(fd)?)),
        SETFD => {
            files.set_cloexec(fd, arg & 1 != 0)?;
            Ok(0)
        }
        GETFL => Ok(file.flags().bits() as usize),
        _ if file.is_path() => Err(Errno::EBADF.into()),
        SETFL => {
            file.set_flags(OpenFlags::from_bits_truncate(arg as u32));
            Ok(0)
        }
        GETLK | SETLK | SETLKW => {
            files.note_locks();
            let pid = call.task.process.pid.nr_in(&call.task.pid_ns()).unwrap_or(0) as i32;
            record_lock(&file, arg, files.owner(), pid, command - GETLK)
        }
        OFD_GETLK | OFD_SETLK | OFD_SETLKW => {
            file.note_record_locks();
            record_lock(&file, arg, Arc::as_ptr(&file) as usize, OFD, command - OFD_GETLK)
        }
        GETPIPE_SZ => Ok(pipe_of(&file)?.pipe().capacity()),
        SETPIPE_SZ => pipe_of(&file)?.pipe().set_capacity(arg as u32),
        // Files have no seals here (memfd_create(2)); 1 is F_SEAL_SEAL: none can be added.
        GET_SEALS => Ok(1),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn pipe_of(file: &File) -> Result<&End> {
    file.operations::<End>().ok_or(Errno::EBADF.into())
}

/// `struct flock`.
#[derive(FromBytes, IntoBytes, Immutable, Clone, Copy)]
#[repr(C)]
struct UserFlock {
    kind: i16,
    whence: i16,
    pad: u32,
    start: i64,
    len: i64,
    pid: i32,
    tail: u32,
}

const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

/// The process number of a lock that belongs to an open file; `l_pid` must then be 0 (fcntl(2)).
const OFD: i32 = -1;

/// One record-lock command: `action` 0 asks, 1 sets, 2 sets and waits.
fn record_lock(file: &File, addr: usize, owner: usize, pid: i32, action: usize) -> Result<usize> {
    let mut lock: UserFlock = user::read(addr)?;
    let base = match lock.whence {
        0 => 0,
        1 => file.offset() as i64,
        2 => file.size()? as i64,
        _ => return Err(Errno::EINVAL.into()),
    };
    let start = base.checked_add(lock.start).ok_or(Errno::EOVERFLOW)?;
    let end = start.checked_add(lock.len).ok_or(Errno::EOVERFLOW)?;
    let (start, end) = if lock.len < 0 { (end, start) } else { (start, end) };
    if start < 0 {
        return Err(Errno::EINVAL.into());
    }
    if pid == OFD && lock.pid != 0 {
        return Err(Errno::EINVAL.into());
    }
    let end = if lock.len == 0 { u64::MAX } else { end as u64 };
    let want = Record { start: start as u64, end, exclusive: lock.kind == F_WRLCK, owner, pid };
    match (action, lock.kind) {
        (0, F_RDLCK | F_WRLCK) => {
            match record_lock::test(file, &want) {
                None => lock.kind = F_UNLCK,
                Some(held) => {
                    lock.kind = if held.exclusive { F_WRLCK } else { F_RDLCK };
                    (lock.whence, lock.start, lock.pid) = (0, held.start as i64, held.pid);
                    lock.len = if held.end == u64::MAX { 0 } else { (held.end - held.start) as i64 };
                }
            }
            user::write(addr, &lock)?;
        }
        (1 | 2, F_UNLCK) => record_lock::unlock(file, &want)?,
        (1 | 2, F_RDLCK) if !file.is_readable() => return Err(Errno::EBADF.into()),
        (1 | 2, F_WRLCK) if !file.is_writable() => return Err(Errno::EBADF.into()),
        (1 | 2, F_RDLCK | F_WRLCK) => record_lock::lock(file, &want, action == 2)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

fn do_flock(call: &mut Call<'_>) -> Result<usize> {
    const NONBLOCKING: usize = 4;
    let op = match call.args[1] & !NONBLOCKING {
        1 => Flock::Shared,
        2 => Flock::Exclusive,
        8 => Flock::Unlock,
        _ => return Err(Errno::EINVAL.into()),
    };
    let file = call.file(0)?;
    flock::apply(&file, op, call.args[1] & NONBLOCKING != 0)?;
    Ok(0)
}

fn ioctl(call: &mut Call<'_>) -> Result<usize> {
    const FIONREAD: u32 = 0x541b;
    const FIONBIO: u32 = 0x5421;
    const FIOCLEX: u32 = 0x5451;
    const FIONCLEX: u32 = 0x5450;
    let file = call.file(0)?;
    let (request, arg) = (call.args[1] as u32, call.args[2]);
    match request {
        FIONBIO => file.set_nonblocking(user::read::<u32>(arg)? != 0),
        FIOCLEX | FIONCLEX => call.task.files().set_cloexec(call.args[0] as u32, request == FIOCLEX)?,
        FIONREAD if file.inode.pages().is_some() => {
            let left = file.size()?.saturating_sub(file.offset());
            user::write(arg, &(left.min(i32::MAX as u64) as u32))?;
        }
        _ => return file.ops.ioctl(&file, request, arg),
    }
    Ok(0)
}
