//! Attributes: chmod(2), chown(2), utimensat(2) and their kin; xattr(7) calls.

use super::at::{AT_FDCWD, AtFlags};
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::vfs::inode::Time;
use crate::vfs::{Path, WalkFlags, attr, now};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 90, name: "chmod", handler: |call| chmod(call, AT_FDCWD, 0, AtFlags::empty()) },
    Row { number: 91, name: "fchmod", handler: fchmod },
    Row { number: 92, name: "chown", handler: |call| chown(call, AT_FDCWD, 0, AtFlags::empty()) },
    Row { number: 93, name: "fchown", handler: fchown },
    Row { number: 94, name: "lchown", handler: |call| chown(call, AT_FDCWD, 0, AtFlags::SYMLINK_NOFOLLOW) },
    Row { number: 132, name: "utime", handler: utime },
    Row { number: 235, name: "utimes", handler: |call| utimes(call, AT_FDCWD, 0) },
    Row { number: 260, name: "fchownat", handler: fchownat },
    Row { number: 261, name: "futimesat", handler: |call| utimes(call, call.int(0), 1) },
    Row { number: 268, name: "fchmodat", handler: |call| chmod(call, call.int(0), 1, AtFlags::empty()) },
    Row { number: 280, name: "utimensat", handler: utimensat },
    Row { number: 452, name: "fchmodat2", handler: fchmodat2 },
];

fn chmod(call: &mut Call<'_>, dirfd: i32, path: usize, flags: AtFlags) -> Result<usize> {
    let mode = call.args[path + 1] as u16;
    let path = call.lookup_arg(dirfd, path, flags.walk())?;
    set_mode(call, &path, mode)
}

fn set_mode(call: &Call<'_>, path: &Path, mode: u16) -> Result<usize> {
    if path.inode().kind() == crate::vfs::inode::Kind::Symlink {
        return Err(Errno::EOPNOTSUPP.into());
    }
    attr::chmod(path, &call.task.cred(), mode)?;
    Ok(0)
}

fn fchmodat2(call: &mut Call<'_>) -> Result<usize> {
    let flags = AtFlags::parse(call.args[3], AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    chmod(call, call.int(0), 1, flags)
}

fn fchmod(call: &mut Call<'_>) -> Result<usize> {
    let path = call.file(0)?.path.clone();
    set_mode(call, &path, call.args[1] as u16)
}

/// Ids as the caller's user namespace knows them; -1 leaves one alone.
fn set_owner(call: &Call<'_>, path: &Path, uid: usize, gid: usize) -> Result<usize> {
    const SAME: u32 = u32::MAX;
    let cred = call.task.cred();
    let known = |id: usize, map: &dyn Fn(u32) -> Option<u32>| match id as u32 {
        SAME => Ok(None),
        id => map(id).map(Some).ok_or(Errno::EINVAL),
    };
    let uid = known(uid, &|id| cred.user.uid_to_kernel(id))?;
    let gid = known(gid, &|id| cred.user.gid_to_kernel(id))?;
    attr::chown(path, &cred, uid, gid)?;
    Ok(0)
}

fn chown(call: &mut Call<'_>, dirfd: i32, path: usize, flags: AtFlags) -> Result<usize> {
    let (uid, gid) = (call.args[path + 1], call.args[path + 2]);
    let path = call.lookup_arg(dirfd, path, flags.walk())?;
    set_owner(call, &path, uid, gid)
}

fn fchownat(call: &mut Call<'_>) -> Result<usize> {
    let flags = AtFlags::parse(call.args[4], AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    chown(call, call.int(0), 1, flags)
}

fn fchown(call: &mut Call<'_>) -> Result<usize> {
    let path = call.file(0)?.path.clone();
    set_owner(call, &path, call.args[1], call.args[2])
}

/// `UTIME_OMIT`: leave that time alone.
const OMIT: i64 = (1 << 30) - 2;

/// One `struct timespec` of utimensat(2): the time, or `None` for `UTIME_OMIT`; true if it was `UTIME_NOW`.
fn parse_time([sec, nsec]: [i64; 2]) -> Result<(Option<Time>, bool)> {
    const NOW: i64 = (1 << 30) - 1;
    match nsec {
        NOW => Ok((Some(now()), true)),
        OMIT => Ok((None, false)),
        0..1_000_000_000 => Ok((Some(Time { sec, nsec: nsec as u32 }), false)),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn set_times(call: &Call<'_>, path: &Path, times: Option<[[i64; 2]; 2]>) -> Result<usize> {
    let ((atime, a_now), (mtime, m_now)) = match times {
        Some([a, m]) => (parse_time(a)?, parse_time(m)?),
        None => ((Some(now()), true), (Some(now()), true)),
    };
    attr::set_times(path, &call.task.cred(), atime, mtime, a_now && m_now)?;
    Ok(0)
}

fn utimensat(call: &mut Call<'_>) -> Result<usize> {
    let times: Option<[[i64; 2]; 2]> = if call.args[2] == 0 { None } else { Some(user::read(call.args[2])?) };
    let flags = AtFlags::parse(call.args[3], AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    // Nothing to do: the path is not even looked at.
    if times.is_some_and(|times| times.iter().all(|[_, nsec]| *nsec == OMIT)) {
        return Ok(0);
    }
    // Linux's own extension: no path means the descriptor itself (futimens(3)).
    let itself = call.args[1] == 0 && call.int(0) != AT_FDCWD;
    let path = if itself { call.file(0)?.path.clone() } else { call.lookup_arg(call.int(0), 1, flags.walk())? };
    set_times(call, &path, times)
}

/// Times in microseconds.
fn utimes(call: &mut Call<'_>, dirfd: i32, path: usize) -> Result<usize> {
    let addr = call.args[path + 1];
    let times = if addr == 0 {
        None
    } else {
        let pairs: [[i64; 2]; 2] = user::read(addr)?;
        if pairs.iter().any(|[_, micros]| !(0..1_000_000).contains(micros)) {
            return Err(Errno::EINVAL.into());
        }
        Some(pairs.map(|[sec, micros]| [sec, micros * 1000]))
    };
    let path = call.lookup_arg(dirfd, path, WalkFlags::empty())?;
    set_times(call, &path, times)
}

/// Times in seconds.
fn utime(call: &mut Call<'_>) -> Result<usize> {
    let times = if call.args[1] == 0 {
        None
    } else {
        let seconds: [i64; 2] = user::read(call.args[1])?;
        Some(seconds.map(|sec| [sec, 0]))
    };
    let path = call.lookup_arg(AT_FDCWD, 0, WalkFlags::empty())?;
    set_times(call, &path, times)
}
