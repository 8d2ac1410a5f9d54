//! Reading and writing: read(2), write(2), their vector and positional forms, lseek(2), fsync(2) and its kin.

use super::at::offset;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
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
    Row { number: 277, name: "sync_file_range", handler: sync_file_range },
    Row { number: 285, name: "fallocate", handler: fallocate },
    Row { number: 295, name: "preadv", handler: preadv },
    Row { number: 296, name: "pwritev", handler: pwritev },
    Row { number: 306, name: "syncfs", handler: syncfs },
    Row { number: 327, name: "preadv2", handler: preadv },
    Row { number: 328, name: "pwritev2", handler: pwritev },
];

fn read(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    call.task.io.read(file.read(&mut ReadBuf::user(call.args[1], call.args[2])?))
}

fn write(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    call.task.io.wrote(file.write(&mut WriteBuf::user(call.args[1], call.args[2])?))
}

fn readv(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    call.task.io.read(file.read(&mut ReadBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?)))
}

fn writev(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    call.task.io.wrote(file.write(&mut WriteBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?)))
}

fn pread(call: &mut Call<'_>) -> Result<usize> {
    let at = offset(call.args[3])?;
    let file = call.file(0)?;
    call.task.io.read(file.read_at(&mut ReadBuf::user(call.args[1], call.args[2])?, at))
}

fn pwrite(call: &mut Call<'_>) -> Result<usize> {
    let at = offset(call.args[3])?;
    let file = call.file(0)?;
    call.task.io.wrote(file.write_at(&mut WriteBuf::user(call.args[1], call.args[2])?, at))
}

bitflags::bitflags! {
    /// `RWF_*`: what preadv2(2) and pwritev2(2) ask beyond the older calls.
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct Asked: u32 {
        /// A hint to poll the device.
        const HIPRI = 1;
        /// The data is on the disk when the call returns.
        const DSYNC = 2;
        /// The metadata, too.
        const SYNC = 4;
        /// Write at the end.
        const APPEND = 16;
    }
}

fn preadv(call: &mut Call<'_>) -> Result<usize> {
    let (at, asked) = place(call)?;
    let file = call.file(0)?;
    let mut buf = ReadBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?);
    let read = match at {
        _ if asked.contains(Asked::APPEND) => Err(Errno::EOPNOTSUPP.into()),
        None => file.read(&mut buf),
        Some(at) => file.read_at(&mut buf, at),
    };
    call.task.io.read(read)
}

fn pwritev(call: &mut Call<'_>) -> Result<usize> {
    let (at, asked) = place(call)?;
    let file = call.file(0)?;
    let mut buf = WriteBuf::user_vec(user::read_iovec(call.args[1], call.args[2])?);
    let written = match at {
        _ if asked.contains(Asked::APPEND) => file.append(&mut buf, at.is_none()),
        None => file.write(&mut buf),
        Some(at) => file.write_at(&mut buf, at),
    };
    let written = call.task.io.wrote(written)?;
    if asked.intersects(Asked::DSYNC | Asked::SYNC) {
        file.ops.sync(&file)?;
    }
    Ok(written)
}

/// Where a vector call works (`None`: at the file's own offset, -1 in the second forms), and what it asks. `EOPNOTSUPP` for what is not
/// kept here (`RWF_NOWAIT`).
fn place(call: &Call<'_>) -> Result<(Option<u64>, Asked)> {
    const PREADV2: u64 = 327;
    if call.user.regs.rax < PREADV2 {
        return Ok((Some(offset(call.args[3])?), Asked::empty()));
    }
    let at = if call.args[3] as i64 == -1 { None } else { Some(offset(call.args[3])?) };
    Ok((at, Asked::from_bits(call.args[5] as u32).ok_or(Errno::EOPNOTSUPP)?))
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

/// sync_file_range(2): the whole file is written, whichever part was named.
fn sync_file_range(call: &mut Call<'_>) -> Result<usize> {
    const FLAGS: usize = 7;
    let (at, len) = (offset(call.args[1])?, offset(call.args[2])?);
    let file = call.file(0)?;
    if call.args[3] & !FLAGS != 0 || at.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EINVAL.into());
    }
    file.check_seekable()?;
    if call.args[3] != 0 {
        file.ops.sync(&file)?;
    }
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

/// fallocate(2): space is kept for the range, and the file grows to cover it (mode 0) or keeps its size. Other modes are `EOPNOTSUPP`.
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
    let keeps_size = match call.args[1] {
        0 => false,
        KEEP_SIZE => true,
        _ => return Err(Errno::EOPNOTSUPP.into()),
    };
    let grows = !keeps_size && end > file.size()?;
    if grows && end > crate::task::file_size_limit() {
        return Err(crate::task::file_too_large());
    }
    file.path.mount.check_writable()?;
    attr::drop_set_id(&file.inode)?;
    let mut done = at;
    while done < end {
        done += file.inode.allocate(done, end - done)?;
        if crate::task::breathe_or_stop() {
            return Err(Errno::EINTR.into());
        }
    }
    if grows {
        attr::set_size(&file.path, &call.task.cred(), end)?;
    }
    Ok(0)
}

/// posix_fadvise(2): advice is heard and not needed.
fn fadvise(call: &mut Call<'_>) -> Result<usize> {
    let file = call.file(0)?;
    file.check_seekable()?;
    if call.args[3] > 5 { Err(Errno::EINVAL.into()) } else { Ok(0) }
}
