//! Changes by name: mkdir, mknod, unlink, rmdir, link, symlink, rename, as system calls mean them.
//!
//! Each finds the parent directory, checks the mount, permission and the odd names (`.`, `..`, a trailing slash), and calls
//! `dirops`. The man pages' errors are noted where they come from.

use super::dentry::Dentry;
use super::inode::{Kind, NewNode, RenameMode};
use super::namespace::MountNamespace;
use super::path::Path;
use super::perm::{self, May};
use super::umount;
use super::walk::{Parent, Walk, WalkFlags, lookup_parent};
use crate::error::{Errno, Result};
use crate::task::Cap;
use alloc::sync::Arc;

/// Checks that `parent` may get a new entry of its name. A trailing slash is for directories only.
fn check_new(ctx: &Walk, parent: &Parent<'_>, is_dir: bool) -> Result<()> {
    if !parent.is_entry() {
        return Err(Errno::EEXIST.into());
    }
    let taken = !parent.dir.dentry.child(&parent.name)?.is_negative();
    if taken {
        return Err(Errno::EEXIST.into());
    }
    if parent.slash && !is_dir {
        return Err(Errno::ENOENT.into());
    }
    if parent.dir.inode().fs().is_fixed() {
        return Err(Errno::ENOENT.into());
    }
    parent.dir.mount.check_writable()?;
    perm::may(parent.dir.inode(), &ctx.cred, May::WRITE | May::EXEC)
}

/// Creates `kind` at `path`: mkdir(2), mknod(2), symlink(2), and bind(2) on a path. `mode` has the umask applied. `EPERM` for a device node
/// without `CAP_MKNOD`.
pub fn make(ctx: &Walk, path: &[u8], kind: Kind, mode: u16, rdev: u64, target: &[u8]) -> Result<Path> {
    let parent = lookup_parent(ctx, path, WalkFlags::empty())?;
    check_new(ctx, &parent, kind == Kind::Directory)?;
    // 0:0 is overlayfs's whiteout, which anybody may make.
    let whiteout = kind == Kind::CharDevice && rdev == 0;
    let device = matches!(kind, Kind::CharDevice | Kind::BlockDevice) && !whiteout;
    if device && !ctx.cred.capable(Cap::Mknod) {
        return Err(Errno::EPERM.into());
    }
    let dentry = make_in(ctx, &parent.dir, &parent.name, kind, mode, rdev, target)?;
    Ok(Path { mount: parent.dir.mount, dentry })
}

/// Creates `kind` in `dir`, which was checked.
pub(super) fn make_in(
    ctx: &Walk,
    dir: &Path,
    name: &[u8],
    kind: Kind,
    mode: u16,
    rdev: u64,
    target: &[u8],
) -> Result<Arc<Dentry>> {
    let owner = perm::owner_of_new(dir.inode(), &ctx.cred, kind, mode)?;
    let node = NewNode { kind, mode: owner.mode, uid: owner.uid, gid: owner.gid, rdev, target };
    dir.dentry.create(name, &node)
}

/// Checks that the entry of `parent` may be removed by the caller; returns it.
fn check_victim(ctx: &Walk, parent: &Parent<'_>) -> Result<Arc<Dentry>> {
    parent.dir.mount.check_writable()?;
    let victim = parent.dir.dentry.lookup(&parent.name)?;
    if parent.dir.inode().fs().is_fixed() {
        return Err(Errno::EPERM.into());
    }
    perm::may_remove(parent.dir.inode(), victim.inode(), &ctx.cred)?;
    Ok(victim)
}

/// unlink(2). `EBUSY` if something is mounted on the file in `namespace`, the caller's; what others have mounted on it comes off.
pub fn unlink(ctx: &Walk, namespace: &Arc<MountNamespace>, path: &[u8]) -> Result<()> {
    let parent = lookup_parent(ctx, path, WalkFlags::empty())?;
    if !parent.is_entry() {
        return Err(Errno::EISDIR.into());
    }
    let victim = check_victim(ctx, &parent)?;
    if parent.slash && !victim.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    drop(victim);
    let result = parent.dir.dentry.unlink_for(&parent.name, Some(namespace));
    let result = result.map(|gone| umount::take_off(&gone));
    crate::mm::sweep_orphans();
    result
}

/// rmdir(2). `EBUSY` as for [`unlink`].
pub fn rmdir(ctx: &Walk, namespace: &Arc<MountNamespace>, path: &[u8]) -> Result<()> {
    let parent = lookup_parent(ctx, path, WalkFlags::empty())?;
    match &*parent.name {
        b"" => return Err(Errno::EBUSY.into()),
        b"." => return Err(Errno::EINVAL.into()),
        b".." => return Err(Errno::ENOTEMPTY.into()),
        _ => {}
    }
    let victim = check_victim(ctx, &parent)?;
    if !victim.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    parent.dir.dentry.rmdir_for(&parent.name, Some(namespace)).map(|gone| umount::take_off(&gone))
}

/// link(2): a new name `path` for `old`.
pub fn link(ctx: &Walk, old: &Path, path: &[u8]) -> Result<()> {
    let parent = lookup_parent(ctx, path, WalkFlags::empty())?;
    check_new(ctx, &parent, false)?;
    if !Arc::ptr_eq(&old.mount, &parent.dir.mount) {
        return Err(Errno::EXDEV.into());
    }
    if old.is_dir() {
        return Err(Errno::EPERM.into());
    }
    if old.inode().attr()?.nlink == 0 {
        return Err(Errno::ENOENT.during("giving a name to a file that has lost its last"));
    }
    perm::may_link(old.inode(), &ctx.cred)?;
    parent.dir.dentry.link(&parent.name, &old.dentry)
}

/// rename(2), renameat2(2) of and to a path, each with the walk that it starts from. `EBUSY` as for [`unlink`].
pub fn rename(
    (from_ctx, from): (&Walk, &[u8]),
    (to_ctx, to): (&Walk, &[u8]),
    namespace: &Arc<MountNamespace>,
    mode: RenameMode,
) -> Result<()> {
    let from = lookup_parent(from_ctx, from, WalkFlags::empty())?;
    let to = lookup_parent(to_ctx, to, WalkFlags::empty())?;
    if !Arc::ptr_eq(&from.dir.mount, &to.dir.mount) {
        return Err(Errno::EXDEV.into());
    }
    if !from.is_entry() || !to.is_entry() {
        return Err(if mode == RenameMode::NoReplace && !to.is_entry() { Errno::EEXIST } else { Errno::EBUSY }.into());
    }
    let moving = check_victim(from_ctx, &from)?;
    if !moving.is_dir() && (from.slash || (to.slash && mode != RenameMode::Exchange)) {
        return Err(Errno::ENOTDIR.into());
    }
    if let Ok(replaced) = to.dir.dentry.lookup(&to.name) {
        if mode == RenameMode::NoReplace {
            return Err(Errno::EEXIST.into());
        }
        perm::may_remove(to.dir.inode(), replaced.inode(), &to_ctx.cred)?;
    } else {
        perm::may(to.dir.inode(), &to_ctx.cred, May::WRITE | May::EXEC)?;
    }
    // A directory that moves to another parent has its `..` rewritten: that takes write permission on it (rename(2), EACCES).
    if moving.is_dir() && !Arc::ptr_eq(&from.dir.dentry, &to.dir.dentry) {
        perm::may(moving.inode(), &from_ctx.cred, May::WRITE)?;
    }
    drop(moving);
    let result = from.dir.dentry.rename_for(&from.name, &to.dir.dentry, &to.name, mode, Some(namespace));
    let result = result.map(|replaced| replaced.iter().for_each(umount::take_off));
    crate::mm::sweep_orphans();
    result
}
