//! Names that come and go: mkdir(2), rmdir(2), unlink(2), link(2), symlink(2), readlink(2), rename(2), mknod(2), each with its `at` form.

use super::at::{AT_FDCWD, AtFlags};
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::vfs::inode::{Kind, RenameMode};
use crate::vfs::{WalkFlags, change, devnum};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 82, name: "rename", handler: |call| rename(call, [AT_FDCWD, 0, AT_FDCWD, 1], 0) },
    Row { number: 83, name: "mkdir", handler: |call| mkdir(call, AT_FDCWD, 0) },
    Row { number: 84, name: "rmdir", handler: |call| unlink(call, AT_FDCWD, 0, AtFlags::REMOVEDIR) },
    Row { number: 86, name: "link", handler: |call| link(call, [AT_FDCWD, 0, AT_FDCWD, 1], AtFlags::empty()) },
    Row { number: 87, name: "unlink", handler: |call| unlink(call, AT_FDCWD, 0, AtFlags::empty()) },
    Row { number: 88, name: "symlink", handler: |call| symlink(call, AT_FDCWD, 1) },
    Row { number: 89, name: "readlink", handler: |call| readlink(call, AT_FDCWD, 0) },
    Row { number: 133, name: "mknod", handler: |call| mknod(call, AT_FDCWD, 0) },
    Row { number: 258, name: "mkdirat", handler: |call| mkdir(call, call.int(0), 1) },
    Row { number: 259, name: "mknodat", handler: |call| mknod(call, call.int(0), 1) },
    Row { number: 263, name: "unlinkat", handler: unlinkat },
    Row { number: 264, name: "renameat", handler: |call| rename(call, [call.int(0), 1, call.int(2), 3], 0) },
    Row { number: 265, name: "linkat", handler: linkat },
    Row { number: 266, name: "symlinkat", handler: |call| symlink(call, call.int(1), 2) },
    Row { number: 267, name: "readlinkat", handler: |call| readlink(call, call.int(0), 1) },
    Row {
        number: 316,
        name: "renameat2",
        handler: |call| rename(call, [call.int(0), 1, call.int(2), 3], call.args[4]),
    },
];

/// Creates `kind` at the path in argument `path`.
fn make(call: &Call<'_>, dirfd: i32, path: usize, kind: Kind, mode: usize, rdev: u64, target: &[u8]) -> Result<usize> {
    let path = call.path(path)?;
    let ctx = call.walk_at(dirfd, &path)?;
    let mode = if kind == Kind::Symlink { 0o777 } else { mode as u16 & !call.task.fs().umask() };
    change::make(&ctx, &path, kind, mode, rdev, target)?;
    Ok(0)
}

fn mkdir(call: &mut Call<'_>, dirfd: i32, path: usize) -> Result<usize> {
    make(call, dirfd, path, Kind::Directory, call.args[path + 1] & 0o1777, 0, b"")
}

fn mknod(call: &mut Call<'_>, dirfd: i32, path: usize) -> Result<usize> {
    let (mode, dev) = (call.args[path + 1], call.args[path + 2] as u32 as u64);
    let kind = match mode >> 12 & 0xf {
        0 | 8 => Kind::File,
        1 => Kind::Fifo,
        2 => Kind::CharDevice,
        6 => Kind::BlockDevice,
        12 => Kind::Socket,
        4 => return Err(Errno::EPERM.into()),
        _ => return Err(Errno::EINVAL.into()),
    };
    let is_device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
    let rdev = if is_device { devnum::make(devnum::major(dev), devnum::minor(dev)) } else { 0 };
    make(call, dirfd, path, kind, mode & 0o7777, rdev, b"")
}

fn symlink(call: &mut Call<'_>, dirfd: i32, path: usize) -> Result<usize> {
    let target = call.path(0)?;
    if target.is_empty() {
        return Err(Errno::ENOENT.into());
    }
    make(call, dirfd, path, Kind::Symlink, 0, 0, &target)
}

fn unlink(call: &mut Call<'_>, dirfd: i32, path: usize, flags: AtFlags) -> Result<usize> {
    let path = call.path(path)?;
    let ctx = call.walk_at(dirfd, &path)?;
    let namespaces = call.task.ns();
    if flags.contains(AtFlags::REMOVEDIR) {
        change::rmdir(&ctx, &namespaces.mnt, &path)?
    } else {
        change::unlink(&ctx, &namespaces.mnt, &path)?
    }
    Ok(0)
}

fn unlinkat(call: &mut Call<'_>) -> Result<usize> {
    let flags = AtFlags::parse(call.args[2], AtFlags::REMOVEDIR)?;
    unlink(call, call.int(0), 1, flags)
}

/// `ends`: the old name's `dirfd` and argument, the new name's.
fn link(call: &mut Call<'_>, ends: [i32; 4], flags: AtFlags) -> Result<usize> {
    let mut walk = if flags.contains(AtFlags::SYMLINK_FOLLOW) { WalkFlags::empty() } else { WalkFlags::NOFOLLOW };
    walk.set(WalkFlags::EMPTY_PATH, flags.contains(AtFlags::EMPTY_PATH));
    let old = call.lookup_arg(ends[0], ends[1] as usize, walk)?;
    let path = call.path(ends[3] as usize)?;
    change::link(&call.walk_at(ends[2], &path)?, &old, &path)?;
    Ok(0)
}

fn linkat(call: &mut Call<'_>) -> Result<usize> {
    let flags = AtFlags::parse(call.args[4], AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    link(call, [call.int(0), 1, call.int(2), 3], flags)
}

fn rename(call: &mut Call<'_>, ends: [i32; 4], flags: usize) -> Result<usize> {
    let mode = match flags {
        0 => RenameMode::Replace,
        1 => RenameMode::NoReplace,
        2 => RenameMode::Exchange,
        _ => return Err(Errno::EINVAL.into()),
    };
    let (from, to) = (call.path(ends[1] as usize)?, call.path(ends[3] as usize)?);
    let (from_ctx, to_ctx) = (call.walk_at(ends[0], &from)?, call.walk_at(ends[2], &to)?);
    change::rename((&from_ctx, &from), (&to_ctx, &to), &call.task.ns().mnt, mode)?;
    Ok(0)
}

/// The target's first bytes, without a NUL. An empty path is the link a descriptor was opened on (`O_PATH | O_NOFOLLOW`).
fn readlink(call: &mut Call<'_>, dirfd: i32, path: usize) -> Result<usize> {
    let (buf, len) = (call.args[path + 1], call.args[path + 2] as i32);
    if len <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut flags = WalkFlags::NOFOLLOW;
    flags.set(WalkFlags::EMPTY_PATH, dirfd != AT_FDCWD);
    let found = call.lookup_arg(dirfd, path, flags)?;
    let target = found.inode().read_link()?;
    let len = target.len().min(len as usize);
    user::write_bytes(buf, &target[..len])?;
    Ok(len)
}
