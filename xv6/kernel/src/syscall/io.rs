//! Reading and writing: read(2), write(2), their vector and positional forms, lseek(2), fsync(2) and its kin.

use super::at::offset;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
use crate::task::signal::{Signal, send_to_task};
use crate::vfs::openfile::Whence;
use crate::vfs::{File, attr};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 0, name: "read", handler: read },
    Row { number: 1, name: "write", handler: write },
    Row { number: 8, name: "lseek", handler: lseek },
    Row { number: 17, name: "pread64", handler: pread },
    Row { number: 18, name: "pwrite64", handler: pwrite },
    Row { number: 19, name: "readv", handler: readv },
    Row { number: 20, name: "writev", handler: writev },
    Row { number: 74, name: "fsync", handler: fsync },
    Row { number: 75, name: "fdatasync", handler: fsync },
    Row { number: 76, name: "truncate", handler: truncate },
    Row { number: 77, name: "ftruncate", handler: ftruncate },
    Row { number: 162, name: "sync", handler: sync },
    Row { number: 221, name: "fadvise64", handler: fadvise },
    Row { number: 277, name: "sync_file_range", handler: fsync },
    Row { number: 285, name: "fallocate", handler: fallocate },
    Row { number: 295, name: "preadv", handler: preadv },
    Row { number: 296, name: "pwritev", handler: pwritev },
    Row { number: 306, name: "syncfs", handler: syncfs },
    Row { number: 327, name: "preadv2", handler: preadv },
    Row { number: 328, name: "pwritev2", handler: pwritev },
];

/// `SIGPIPE` goes with `EPIPE` (write(2)).
fn with_sigpipe(call: &Call<'_>, result: Result<usize>) -> Result<usize> {
    if matches!(&result, Err(error) if error.errno == Errno::EPIPE) {
        send_to_task(call.task, Signal::PIPE);
    }
    result
}

fn read(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.read(&mut ReadBuf::user(call.args[1], call.args[2])?)
}

fn write(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    let result = file.write(&mut WriteBuf::user(call.args[1], call.args[2])?);
    with_sigpipe(call, result)
}

fn readv(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.read(&mut ReadBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?))
}

fn writev(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    let result = file.write(&mut WriteBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?));
    with_sigpipe(call, result)
}

fn pread(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.read_at(&mut ReadBuf::user(call.args[1], call.args[2])?, offset(call.args[3])?)
}

fn pwrite(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.write_at(&mut WriteBuf::user(call.args[1], call.args[2])?, offset(call.args[3])?)
}

/// `RWF_*` flags are hints but for `RWF_APPEND`; those that promise something are `EOPNOTSUPP`.
fn check_rwf(flags: usize) -> Result<()> {
    const HIPRI: usize = 1;
    if flags & !HIPRI == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP.into()) }
}

fn preadv(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    let mut buf = ReadBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?);
    if is_second_form(call)? {
        return file.read(&mut buf);
    }
    file.read_at(&mut buf, offset(call.args[3])?)
}

fn pwritev(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    let mut buf = WriteBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?);
    if is_second_form(call)? {
        let result = file.write(&mut buf);
        return with_sigpipe(call, result);
    }
    file.write_at(&mut buf, offset(call.args[3])?)
}

/// True for preadv2(2) or pwritev2(2) with offset -1, which mean the file's own offset.
fn is_second_form(call: &Call<'_>) -> Result<bool> {
    const PREADV2: u64 = 327;
    if call.user.regs.rax < PREADV2 {
        return Ok(false);
    }
    check_rwf(call.args[5])?;
    Ok(call.args[3] as i64 == -1)
}

fn lseek(call: &mut Call<'_>) -> Result<usize> {
    let whence = match call.args[2] {
        0 => Whence::Set,
        1 => Whence::Current,
        2 => Whence::End,
        3 => Whence::Data,
        4 => Whence::Hole,
        _ => return Err(Errno::EINVAL.into()),
    };
    let file = call.file(0)?;
    Ok(file.seek(whence, call.args[1] as i64)? as usize)
}

fn fsync(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.ops.sync(&file)?;
    Ok(0)
}

/// sync(2): every dirty page, then every file system the caller can see. It has no way to fail; a lost write shows at fsync(2).
fn sync(call: &mut Call<'_>) -> Result<usize> {
    let _ = crate::mm::sync_all();
    let mut instances = alloc::vec::Vec::new();
    call.task.ns().mnt.for_each(|mount| instances.push(mount.superblock.clone()));
    instances.dedup_by(|a, b| alloc::sync::Arc::ptr_eq(a, b));
    for superblock in instances {
        let _ = superblock.fs.sync();
    }
    Ok(0)
}

fn syncfs(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.path.mount.superblock.fs.sync()?;
    Ok(0)
}

fn truncate(call: &mut Call<'_>) -> Result<usize> {
    let size = offset(call.args[1])?;
    let path = call.lookup_arg(super::at::AT_FDCWD, 0, crate::vfs::WalkFlags::empty())?;
    attr::truncate(&path, &call.task.cred(), size)?;
    Ok(0)
}

/// A regular file open for writing, else `EINVAL`.
fn writable(call: &Call<'_>) -> Result<alloc::sync::Arc<File>> {
    let file = call.file(0)?;
    if file.is_writable() && file.inode.kind() == crate::vfs::inode::Kind::File {
        Ok(file)
    } else {
        Err(Errno::EINVAL.into())
    }
}

fn ftruncate(call: &mut Call<'_>) -> Result<usize> {
    let size = offset(call.args[1])?;
    let file = writable(call)?;
    attr::set_size(&file.path, &call.task.cred(), size)?;
    Ok(0)
}

/// fallocate(2): the file grows to cover the range (mode 0); the space itself is not kept, and holes cannot be punched.
fn fallocate(call: &mut Call<'_>) -> Result<usize> {
    const KEEP_SIZE: usize = 1;
    let (at, len) = (offset(call.args[2])?, offset(call.args[3])?);
    let file = call.file(0)?;
    if !file.is_writable() {
        return Err(Errno::EBADF.into());
    }
    if len == 0 {
        return Err(Errno::EINVAL.into());
    }
    match file.inode.kind() {
        crate::vfs::inode::Kind::File => {}
        crate::vfs::inode::Kind::Fifo => return Err(Errno::ESPIPE.into()),
        _ => return Err(Errno::ENODEV.into()),
    }
    let end = at.checked_add(len).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
    match call.args[1] {
        0 if end > file.size()? => attr::set_size(&file.path, &call.task.cred(), end)?,
        0 | KEEP_SIZE => {}
        _ => return Err(Errno::EOPNOTSUPP.into()),
    }
    Ok(0)
}

/// posix_fadvise(2): advice is heard and not needed.
fn fadvise(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.check_seekable()?;
    if call.args[3] > 5 { Err(Errno::EINVAL.into()) } else { Ok(0) }
}
