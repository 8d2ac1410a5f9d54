//! Opening and closing: open(2), openat(2), openat2(2), creat(2), close(2), close_range(2).

use super::at::AT_FDCWD;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::vfs::file::OpenFlags;
use crate::vfs::{WalkFlags, open};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 2, name: "open", handler: |call| open_at(call, AT_FDCWD, 0, call.args[1], call.args[2]) },
    Row { number: 3, name: "close", handler: close },
    Row { number: 85, name: "creat", handler: creat },
    Row { number: 257, name: "openat", handler: |call| open_at(call, call.int(0), 1, call.args[2], call.args[3]) },
    Row { number: 436, name: "close_range", handler: close_range },
    Row { number: 437, name: "openat2", handler: openat2 },
];

/// `struct open_how` (openat2(2)).
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Close-on-exec, for close_range(2).
const CLOSE_RANGE_CLOEXEC: usize = 4;

/// `RESOLVE_CACHED`: only what needs no disk. The answer that it cannot be done so is always allowed.
const RESOLVE_CACHED: u64 = 0x20;

fn do_open(call: &Call<'_>, dirfd: i32, path: usize, flags: OpenFlags, mode: u16, resolve: WalkFlags) -> Result<usize> {
    let path = call.path(path)?;
    // Within RESOLVE_IN_ROOT an absolute path, too, starts at the descriptor.
    let relative: &[u8] = if resolve.contains(WalkFlags::IN_ROOT) { b"" } else { &path };
    let ctx = call.walk_at(dirfd, relative)?;
    let mode = mode & 0o7777 & !call.task.fs().umask();
    // As Linux marks all files that a 64-bit program opens by name.
    let file = open::open(&ctx, &path, flags | OpenFlags::LARGEFILE, mode, resolve)?;
    let fd = call.task.files().insert(file, flags.contains(OpenFlags::CLOEXEC))?;
    Ok(fd as usize)
}

fn open_at(call: &mut Call<'_>, dirfd: i32, path: usize, flags: usize, mode: usize) -> Result<usize> {
    do_open(call, dirfd, path, OpenFlags::from_bits_truncate(flags as u32), mode as u16, WalkFlags::empty())
}

fn creat(call: &mut Call<'_>) -> Result<usize> {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    do_open(call, AT_FDCWD, 0, flags, call.args[1] as u16, WalkFlags::empty())
}

fn openat2(call: &mut Call<'_>) -> Result<usize> {
    if call.args[3] < size_of::<OpenHow>() {
        return Err(Errno::EINVAL.into());
    }
    user::check_zeros_after(call.args[2], size_of::<OpenHow>(), call.args[3])?;
    let how: OpenHow = user::read(call.args[2])?;
    let flags = u32::try_from(how.flags).ok().and_then(OpenFlags::from_bits).ok_or(Errno::EINVAL)?;
    if how.resolve & RESOLVE_CACHED != 0 {
        return Err(Errno::EAGAIN.into());
    }
    let known = WalkFlags::NO_XDEV
        | WalkFlags::NO_MAGICLINKS
        | WalkFlags::NO_SYMLINKS
        | WalkFlags::BENEATH
        | WalkFlags::IN_ROOT;
    let resolve = u32::try_from(how.resolve).ok().and_then(WalkFlags::from_bits).ok_or(Errno::EINVAL)?;
    let creates = flags.intersects(OpenFlags::CREAT);
    let contradicts = resolve.contains(WalkFlags::BENEATH | WalkFlags::IN_ROOT)
        || flags.contains(OpenFlags::PATH) && !open::WITH_PATH.contains(flags);
    if contradicts || !known.contains(resolve) || how.mode > 0o7777 || (how.mode != 0 && !creates) {
        return Err(Errno::EINVAL.into());
    }
    do_open(call, call.int(0), 1, flags, how.mode as u16, resolve)
}

fn close(call: &mut Call<'_>) -> Result<usize> {
    call.task.files().close(call.args[0] as u32)?;
    crate::mm::sweep_orphans();
    Ok(0)
}

fn close_range(call: &mut Call<'_>) -> Result<usize> {
    let (first, last, flags) = (call.args[0] as u32, call.args[1] as u32, call.args[2]);
    // CLOSE_RANGE_UNSHARE is among the refused: unshare(2) does it.
    if first > last || flags & !CLOSE_RANGE_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let files = call.task.files();
    if flags & CLOSE_RANGE_CLOEXEC == 0 {
        files.close_range(first, last);
        return Ok(0);
    }
    for (fd, _) in files.list() {
        if (first..=last).contains(&fd) {
            files.set_cloexec(fd, true)?;
        }
    }
    Ok(0)
}
