//! open(2): from a path and flags to an open [`File`].
//!
//! `O_CREAT` may pass through a dangling symlink, so the loop here drives the walk itself: look at the last component, follow a link,
//! look again. What kind of operations a file gets is decided in [`operations`].

use super::content;
use super::file::{FileOps, OpenFlags};
use super::inode::{Kind, SetAttr};
use super::mount::MountFlags;
use super::perm::{self, May};
use super::text::Writing;
use super::walk::{Last, Walk, WalkFlags, Walker, walk};
use super::{File, Path, change, fifo};
use crate::drivers::chr;
use crate::error::{Errno, Result};
use alloc::sync::Arc;

/// The flags that `O_PATH` leaves in effect (open(2)).
pub const WITH_PATH: OpenFlags =
    OpenFlags::PATH.union(OpenFlags::DIRECTORY).union(OpenFlags::NOFOLLOW).union(OpenFlags::CLOEXEC);

/// Opens `path`. `mode` is a new file's, with the umask applied; `resolve` holds openat2(2)'s restrictions.
pub fn open(ctx: &Walk, path: &[u8], flags: OpenFlags, mode: u16, resolve: WalkFlags) -> Result<Arc<File>> {
    let flags = if flags.contains(OpenFlags::PATH) { flags.intersection(WITH_PATH) } else { flags };
    if flags.contains(OpenFlags::TMPFILE) {
        walk(ctx, path, WalkFlags::DIRECTORY)?;
        return Err(Errno::EOPNOTSUPP.into());
    }
    let creates = flags.contains(OpenFlags::CREAT);
    if creates && flags.contains(OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL.into());
    }
    let stays = flags.contains(OpenFlags::NOFOLLOW) || (creates && flags.contains(OpenFlags::EXCL));
    let mut walk_flags = resolve;
    walk_flags.set(WalkFlags::NOFOLLOW, stays);
    if !creates {
        let mut walker = Walker::new(ctx, path, walk_flags)?;
        walker.run(false)?;
        return open_existing(ctx, walker.at, flags, true);
    }
    let mut walker = Walker::new(ctx, path, walk_flags)?;
    loop {
        let Some(last) = walker.run(true)? else { return Err(Errno::EISDIR.into()) };
        if let Some(file) = open_last(ctx, &mut walker, &last, flags, mode)? {
            return Ok(file);
        }
    }
}

/// Opens or creates the last component; `None` after following it as a link.
fn open_last(
    ctx: &Walk,
    walker: &mut Walker<'_, '_>,
    last: &Last,
    flags: OpenFlags,
    mode: u16,
) -> Result<Option<Arc<File>>> {
    if last.slash || matches!(walker.name(last), b"." | b"..") {
        return Err(Errno::EISDIR.into());
    }
    let dir = walker.at.clone();
    if !walker.take(last)? {
        if dir.inode().fs().is_fixed() {
            return Err(Errno::ENOENT.into());
        }
        dir.mount.check_writable()?;
        perm::may(dir.inode(), &ctx.cred, May::WRITE | May::EXEC)?;
        match change::make_in(ctx, &dir, walker.name(last), Kind::File, mode, 0, b"") {
            Ok(dentry) => return open_existing(ctx, Path { mount: dir.mount, dentry }, flags, false).map(Some),
            // Somebody else was faster; without O_EXCL theirs is as good.
            Err(error) if error.errno == Errno::EEXIST && !flags.contains(OpenFlags::EXCL) => {
                if !walker.take(last)? {
                    return Err(Errno::ENOENT.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    if flags.contains(OpenFlags::EXCL) {
        return Err(Errno::EEXIST.into());
    }
    if walker.at.inode().kind() == Kind::Symlink && !flags.contains(OpenFlags::NOFOLLOW) {
        walker.follow()?;
        if !walker.has_more() {
            // A magic link led straight to its place.
            return open_existing(ctx, walker.at.clone(), flags, true).map(Some);
        }
        return Ok(None);
    }
    open_existing(ctx, walker.at.clone(), flags, true).map(Some)
}

/// Opens what is at `path`. `check`: the mode bits count, which they do not for a file this call has just created.
pub fn open_existing(ctx: &Walk, path: Path, flags: OpenFlags, check: bool) -> Result<Arc<File>> {
    let kind = path.inode().kind();
    if flags.contains(OpenFlags::DIRECTORY) && kind != Kind::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(File::new(path, content::named(), flags));
    }
    let writes = flags.writes() || flags.contains(OpenFlags::TRUNC);
    match kind {
        Kind::Symlink => return Err(Errno::ELOOP.into()),
        Kind::Socket => return Err(Errno::ENXIO.into()),
        Kind::Directory if writes || flags.contains(OpenFlags::CREAT) => return Err(Errno::EISDIR.into()),
        Kind::CharDevice | Kind::BlockDevice if path.mount.flags().contains(MountFlags::NODEV) => {
            return Err(Errno::EACCES.into());
        }
        _ => {}
    }
    if check {
        let mut want = May::empty();
        want.set(May::READ, flags.reads() || flags.only_controls());
        want.set(May::WRITE, writes || flags.only_controls());
        perm::may(path.inode(), &ctx.cred, want)?;
    }
    if kind == Kind::File && writes {
        path.mount.check_writable()?;
    }
    if flags.contains(OpenFlags::NOATIME) && !perm::is_owner(&ctx.cred, &path.inode().owner()?) {
        return Err(Errno::EPERM.into());
    }
    let writing = if writes { Writing::begin(path.inode())? } else { None };
    let ops = operations(&path, flags)?;
    let file = File::counted(path, ops, flags, writing);
    if kind == Kind::File && check && flags.contains(OpenFlags::TRUNC) {
        let mode = super::attr::mode_after_write(&file.inode.owner()?, &ctx.cred);
        file.inode.set_attr(&SetAttr { size: Some(0), mode, ..SetAttr::default() })?;
    }
    Ok(file)
}

/// The operations of an inode: its own, or its kind's.
fn operations(path: &Path, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let inode = path.inode();
    if let Some(ops) = inode.open(flags)? {
        return Ok(ops);
    }
    match inode.kind() {
        Kind::File => Ok(content::regular()),
        Kind::Directory => Ok(content::directory()),
        Kind::Fifo => fifo::open(inode, flags),
        Kind::CharDevice => chr::open(inode.attr()?.rdev, flags),
        Kind::BlockDevice => chr::open_block(inode.attr()?.rdev, flags),
        Kind::Symlink => Err(Errno::ELOOP.into()),
        Kind::Socket => Err(Errno::ENXIO.into()),
    }
}
