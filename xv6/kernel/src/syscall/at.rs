//! How calls name files: a directory descriptor, a path in user memory, and `AT_*` flags (path_resolution(7), openat(2)).

use super::Call;
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::vfs::{File, Path, Walk, WalkFlags, walk};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The descriptor that stands for the working directory.
pub const AT_FDCWD: i32 = -100;

bitflags::bitflags! {
    /// The `AT_*` flags that calls share.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct AtFlags: u32 {
        /// A symlink as the last component stands for itself.
        const SYMLINK_NOFOLLOW = 0x100;
        /// `AT_REMOVEDIR` for unlinkat(2), `AT_EACCESS` for faccessat2(2).
        const REMOVEDIR = 0x200;
        /// linkat(2): follow a symlink.
        const SYMLINK_FOLLOW = 0x400;
        /// There are no automounts.
        const NO_AUTOMOUNT = 0x800;
        /// The empty path is the descriptor itself.
        const EMPTY_PATH = 0x1000;
        /// statx(2): how fresh the answer must be; it always is.
        const STATX_SYNC_TYPE = 0x6000;
    }
}

impl AtFlags {
    /// The flags of a call that knows `allowed`: `EINVAL` for others.
    pub fn parse(bits: usize, allowed: AtFlags) -> Result<AtFlags> {
        let flags = AtFlags::from_bits(bits as u32).ok_or(Errno::EINVAL)?;
        if allowed.contains(flags) { Ok(flags) } else { Err(Errno::EINVAL.into()) }
    }

    /// As the walk knows them.
    pub fn walk(self) -> WalkFlags {
        let mut flags = WalkFlags::empty();
        flags.set(WalkFlags::NOFOLLOW, self.contains(AtFlags::SYMLINK_NOFOLLOW));
        flags.set(WalkFlags::EMPTY_PATH, self.contains(AtFlags::EMPTY_PATH));
        flags
    }
}

impl Call<'_> {
    /// Argument `index` as a C `int`.
    pub fn int(&self, index: usize) -> i32 {
        self.args[index] as i32
    }

    /// The open file behind the descriptor in argument `index`; one opened with `O_PATH` is `EBADF`.
    pub fn file(&self, index: usize) -> Result<Arc<File>> {
        let file = self.any_file(index)?;
        if file.is_path() { Err(Errno::EBADF.into()) } else { Ok(file) }
    }

    /// As [`Call::file`], but one opened with `O_PATH` is good too.
    pub fn any_file(&self, index: usize) -> Result<Arc<File>> {
        self.task.file(self.args[index] as u32)
    }

    /// The path in user memory at argument `index`.
    pub fn path(&self, index: usize) -> Result<Vec<u8>> {
        user::read_path(self.args[index])
    }

    /// Who walks and from where: `dirfd` counts for a relative path only.
    pub fn walk_at(&self, dirfd: i32, path: &[u8]) -> Result<Walk> {
        let (root, cwd, cred) = self.task.standing();
        let start = if dirfd == AT_FDCWD || path.first() == Some(&b'/') {
            cwd
        } else {
            self.task.file(dirfd as u32)?.path.clone()
        };
        Ok(Walk { root, start, cred })
    }

    /// The place that `dirfd` and `path` name.
    pub fn lookup(&self, dirfd: i32, path: &[u8], flags: WalkFlags) -> Result<Path> {
        walk(&self.walk_at(dirfd, path)?, path, flags)
    }

    /// As [`Call::lookup`], with the path read from argument `index`.
    pub fn lookup_arg(&self, dirfd: i32, index: usize, flags: WalkFlags) -> Result<Path> {
        let path = self.path(index)?;
        self.lookup(dirfd, &path, flags)
    }
}

/// A 64-bit offset or length that must not be negative.
pub fn offset(value: usize) -> Result<u64> {
    if (value as i64) < 0 { Err(Errno::EINVAL.into()) } else { Ok(value as u64) }
}
