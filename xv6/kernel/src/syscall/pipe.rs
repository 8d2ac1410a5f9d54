//! Files made from nothing: pipe(2), eventfd(2), memfd_create(2), epoll_create(2).

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::fs::tmpfs::{Options, TmpFs, inode::TmpInode};
use crate::mm::user;
use crate::vfs::epoll::Epoll;
use crate::vfs::eventfd::EventFd;
use crate::vfs::file::OpenFlags;
use crate::vfs::{File, anon, content, pipe};
use alloc::sync::Arc;
use hal::sync::Lazy;

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 22, name: "pipe", handler: |call| make_pipe(call, 0) },
    Row { number: 213, name: "epoll_create", handler: epoll_create },
    Row { number: 284, name: "eventfd", handler: |call| eventfd(call, 0) },
    Row { number: 290, name: "eventfd2", handler: |call| eventfd(call, call.args[1]) },
    Row { number: 291, name: "epoll_create1", handler: |call| make_epoll(call, call.args[0]) },
    Row { number: 293, name: "pipe2", handler: |call| make_pipe(call, call.args[1]) },
    Row { number: 319, name: "memfd_create", handler: memfd_create },
];

/// The flags of a call that knows `allowed`.
fn flags_of(bits: usize, allowed: OpenFlags) -> Result<OpenFlags> {
    let flags = u32::try_from(bits).ok().and_then(OpenFlags::from_bits).ok_or(Errno::EINVAL)?;
    if allowed.contains(flags) { Ok(flags) } else { Err(Errno::EINVAL.into()) }
}

fn make_pipe(call: &mut Call<'_>, flags: usize) -> Result<usize> {
    let flags = flags_of(flags, OpenFlags::CLOEXEC | OpenFlags::NONBLOCK)?;
    let cred = call.task.cred();
    let (read, write) = pipe::create(cred.fsuid, cred.fsgid, flags);
    let files = call.task.files();
    let (a, b) = files.insert_pair(read, write, flags.contains(OpenFlags::CLOEXEC))?;
    if let Err(error) = user::write(call.args[0], &[a, b]) {
        files.close(a)?;
        files.close(b)?;
        return Err(error);
    }
    Ok(0)
}

fn eventfd(call: &mut Call<'_>, bits: usize) -> Result<usize> {
    const SEMAPHORE: usize = 1;
    let flags = flags_of(bits & !SEMAPHORE, OpenFlags::CLOEXEC | OpenFlags::NONBLOCK)?;
    let ops = EventFd::new(u64::from(call.args[0] as u32), bits & SEMAPHORE != 0);
    let file = File::anonymous(Arc::new(ops), OpenFlags::RDWR | flags, "[eventfd]");
    Ok(call.task.files().insert(file, flags.contains(OpenFlags::CLOEXEC))? as usize)
}

fn epoll_create(call: &mut Call<'_>) -> Result<usize> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    make_epoll(call, 0)
}

fn make_epoll(call: &mut Call<'_>, bits: usize) -> Result<usize> {
    let flags = flags_of(bits, OpenFlags::CLOEXEC)?;
    let file = File::anonymous(Arc::new(Epoll::new()), OpenFlags::RDWR, "[eventpoll]");
    Ok(call.task.files().insert(file, flags.contains(OpenFlags::CLOEXEC))? as usize)
}

/// The instance that memfds live in: never mounted, limited as any tmpfs.
static MEMFDS: Lazy<Arc<TmpFs>> = Lazy::new(|| TmpFs::new("tmpfs", &Options::default()));

fn memfd_create(call: &mut Call<'_>) -> Result<usize> {
    const CLOEXEC: usize = 1;
    const ALLOW_SEALING: usize = 2;
    const NOEXEC_SEAL: usize = 8;
    const EXEC: usize = 16;
    const MAX_NAME: usize = 249;
    let bits = call.args[1];
    if bits & !(CLOEXEC | ALLOW_SEALING | NOEXEC_SEAL | EXEC) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut name = b"/memfd:".to_vec();
    let given = user::read_cstr(call.args[0], MAX_NAME).map_err(|error| match error.errno {
        Errno::ENAMETOOLONG => Errno::EINVAL.into(),
        _ => error,
    })?;
    name.extend(given);
    // It never had a name in a directory, and `/proc/PID/fd` shows it so.
    name.extend_from_slice(b" (deleted)");
    let cred = call.task.cred();
    let inode = TmpInode::unnamed(&MEMFDS, 0o777, cred.fsuid, cred.fsgid)?;
    let file = File::new(anon::path(inode, &name), content::regular(), OpenFlags::RDWR);
    Ok(call.task.files().insert(file, bits & CLOEXEC != 0)? as usize)
}
