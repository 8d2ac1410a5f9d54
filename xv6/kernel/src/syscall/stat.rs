//! stat(2) and its kin, statx(2), statfs(2), access(2).

use super::at::{AT_FDCWD, AtFlags};
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::ns::UserNamespace;
use crate::task::Cred;
use crate::vfs::inode::{Attr, Time};
use crate::vfs::perm::{self, May};
use crate::vfs::{Mount, MountFlags, Path, WalkFlags, devnum};
use alloc::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 4, name: "stat", handler: |call| stat_path(call, AtFlags::empty()) },
    Row { number: 5, name: "fstat", handler: fstat },
    Row { number: 6, name: "lstat", handler: |call| stat_path(call, AtFlags::SYMLINK_NOFOLLOW) },
    Row { number: 21, name: "access", handler: |call| access(call, AT_FDCWD, 0, call.args[1], 0) },
    Row { number: 137, name: "statfs", handler: statfs },
    Row { number: 138, name: "fstatfs", handler: fstatfs },
    Row { number: 262, name: "newfstatat", handler: fstatat },
    Row { number: 269, name: "faccessat", handler: |call| access(call, call.int(0), 1, call.args[2], 0) },
    Row { number: 332, name: "statx", handler: statx },
    Row { number: 439, name: "faccessat2", handler: |call| access(call, call.int(0), 1, call.args[2], call.args[3]) },
];

/// The block size that programs are told to read and write in.
const BLOCK: u64 = 4096;

/// `struct stat` of x86_64.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Stat {
    dev: u64,
    ino: u64,
    nlink: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pad: u32,
    rdev: u64,
    size: u64,
    blksize: u64,
    blocks: u64,
    times: [[u64; 2]; 3],
    tail: [u64; 3],
}

fn mode_of(attr: &Attr) -> u32 {
    (attr.kind as u32) << 12 | u32::from(attr.mode)
}

fn pair(time: Time) -> [u64; 2] {
    [time.sec as u64, u64::from(time.nsec)]
}

fn write_stat(addr: usize, attr: &Attr, ns: &UserNamespace) -> Result<usize> {
    let stat = Stat {
        dev: attr.dev,
        ino: attr.ino,
        nlink: u64::from(attr.nlink),
        mode: mode_of(attr),
        uid: ns.uid_from_kernel(attr.uid),
        gid: ns.gid_from_kernel(attr.gid),
        pad: 0,
        rdev: attr.rdev,
        size: attr.size,
        blksize: BLOCK,
        blocks: attr.blocks,
        times: [pair(attr.atime), pair(attr.mtime), pair(attr.ctime)],
        tail: [0; 3],
    };
    user::write(addr, &stat)?;
    Ok(0)
}

fn stat_path(call: &mut Call<'_>, flags: AtFlags) -> Result<usize> {
    let path = call.lookup_arg(AT_FDCWD, 0, flags.walk())?;
    write_stat(call.args[1], &path.inode().attr()?, &call.task.cred().user)
}

fn fstat(call: &mut Call<'_>) -> Result<usize> {
    let file = call.any_file(0)?;
    write_stat(call.args[1], &file.inode.attr()?, &call.task.cred().user)
}

/// The place that `dirfd`, `path` and `flags` name; the empty path of a descriptor is the file itself.
fn find(call: &Call<'_>, flags: AtFlags) -> Result<Path> {
    if flags.contains(AtFlags::EMPTY_PATH) && call.int(0) != AT_FDCWD && (call.args[1] == 0 || call.path(1)?.is_empty())
    {
        return Ok(call.any_file(0)?.path.clone());
    }
    call.lookup_arg(call.int(0), 1, flags.walk())
}

fn fstatat(call: &mut Call<'_>) -> Result<usize> {
    let allowed = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let path = find(call, AtFlags::parse(call.args[3], allowed)?)?;
    write_stat(call.args[2], &path.inode().attr()?, &call.task.cred().user)
}

/// `struct statx_timestamp`.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct StatxTime {
    sec: i64,
    nsec: u32,
    pad: i32,
}

impl From<Time> for StatxTime {
    fn from(time: Time) -> StatxTime {
        StatxTime { sec: time.sec, nsec: time.nsec, pad: 0 }
    }
}

/// `struct statx`.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Statx {
    mask: u32,
    blksize: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    pad: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: StatxTime,
    btime: StatxTime,
    ctime: StatxTime,
    mtime: StatxTime,
    rdev: [u32; 2],
    dev: [u32; 2],
    mount_id: u64,
    tail: [u64; 13],
}

fn statx(call: &mut Call<'_>) -> Result<usize> {
    /// `STATX_BASIC_STATS | STATX_MNT_ID`: all but the time of birth, which no file system here keeps.
    const GIVEN: u32 = 0x7ff | 0x1000;
    const RESERVED: usize = 0x8000_0000;
    const ATTR_MOUNT_ROOT: u64 = 0x2000;
    let allowed = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_SYNC_TYPE;
    let flags = AtFlags::parse(call.args[2], allowed)?;
    let freshness = flags.intersection(AtFlags::STATX_SYNC_TYPE);
    if call.args[3] & RESERVED != 0 || freshness == AtFlags::STATX_SYNC_TYPE {
        return Err(Errno::EINVAL.into());
    }
    let path = find(call, flags)?;
    let attr = path.inode().attr()?;
    let cred = call.task.cred();
    let zero = Time::default();
    let statx = Statx {
        mask: GIVEN,
        blksize: BLOCK as u32,
        attributes: if path.is_mount_root() { ATTR_MOUNT_ROOT } else { 0 },
        nlink: attr.nlink,
        uid: cred.user.uid_from_kernel(attr.uid),
        gid: cred.user.gid_from_kernel(attr.gid),
        mode: mode_of(&attr) as u16,
        pad: 0,
        ino: attr.ino,
        size: attr.size,
        blocks: attr.blocks,
        attributes_mask: ATTR_MOUNT_ROOT,
        atime: attr.atime.into(),
        btime: zero.into(),
        ctime: attr.ctime.into(),
        mtime: attr.mtime.into(),
        rdev: [devnum::major(attr.rdev), devnum::minor(attr.rdev)],
        dev: [devnum::major(attr.dev), devnum::minor(attr.dev)],
        mount_id: path.mount.id,
        tail: [0; 13],
    };
    user::write(call.args[4], &statx)?;
    Ok(0)
}

/// access(2): by the real ids, unless `AT_EACCESS` asks for the effective ones.
fn access(call: &mut Call<'_>, dirfd: i32, path: usize, mode: usize, flags: usize) -> Result<usize> {
    let allowed = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::REMOVEDIR;
    let flags = AtFlags::parse(flags, allowed)?;
    let want = u32::try_from(mode).ok().and_then(May::from_bits).ok_or(Errno::EINVAL)?;
    let path = call.path(path)?;
    let mut ctx = call.walk_at(dirfd, &path)?;
    if !flags.contains(AtFlags::REMOVEDIR) {
        ctx.cred = real_cred(&ctx.cred);
    }
    let path = crate::vfs::walk(&ctx, &path, flags.walk())?;
    if want.is_empty() {
        return Ok(0);
    }
    let noexec = path.mount.flags().contains(MountFlags::NOEXEC) && !path.is_dir();
    if want.contains(May::EXEC) && noexec {
        return Err(Errno::EACCES.into());
    }
    perm::may(path.inode(), &ctx.cred, want)?;
    let content =
        !matches!(path.inode().kind(), crate::vfs::inode::Kind::CharDevice | crate::vfs::inode::Kind::BlockDevice);
    if want.contains(May::WRITE) && content {
        path.mount.check_writable()?;
    }
    Ok(0)
}

/// The credentials with the real ids in the place of the file-system ones; root's capabilities count only if the real id is root's.
fn real_cred(cred: &Arc<Cred>) -> Arc<Cred> {
    if cred.uid == cred.fsuid && cred.gid == cred.fsgid {
        return cred.clone();
    }
    let mut real = (**cred).clone();
    (real.fsuid, real.fsgid) = (cred.uid, cred.gid);
    let is_root = Some(cred.uid) == cred.user.uid_to_kernel(0);
    real.effective = if is_root { cred.permitted } else { crate::task::CapSet::EMPTY };
    Arc::new(real)
}

/// `struct statfs` of x86_64.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct StatFs {
    kind: u64,
    bsize: u64,
    blocks: u64,
    bfree: u64,
    bavail: u64,
    files: u64,
    ffree: u64,
    fsid: u64,
    namelen: u64,
    frsize: u64,
    flags: u64,
    tail: [u64; 4],
}

fn write_statfs(addr: usize, mount: &Mount) -> Result<usize> {
    /// `ST_VALID`: the flags are filled in.
    const VALID: u64 = 0x20;
    let fs = &mount.superblock.fs;
    let stat = fs.statfs()?;
    let mut flags = mount.flags();
    flags.set(MountFlags::RDONLY, mount.is_read_only());
    // ST_* differ from MS_* in RELATIME alone (0x1000).
    let relatime = if flags.contains(MountFlags::RELATIME) { 0x1000 } else { 0 };
    let shown = u64::from(flags.difference(MountFlags::RELATIME).bits()) | relatime | VALID;
    let statfs = StatFs {
        kind: stat.magic,
        bsize: stat.block_size,
        blocks: stat.blocks,
        bfree: stat.free,
        bavail: stat.free,
        files: stat.files,
        ffree: stat.files_free,
        fsid: fs.dev(),
        namelen: stat.name_max,
        frsize: stat.block_size,
        flags: shown,
        tail: [0; 4],
    };
    user::write(addr, &statfs)?;
    Ok(0)
}

fn statfs(call: &mut Call<'_>) -> Result<usize> {
    let path = call.lookup_arg(AT_FDCWD, 0, WalkFlags::empty())?;
    write_statfs(call.args[1], &path.mount)
}

fn fstatfs(call: &mut Call<'_>) -> Result<usize> {
    let file = call.any_file(0)?;
    write_statfs(call.args[1], &file.path.mount)
}
