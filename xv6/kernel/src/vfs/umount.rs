//! umount2(2), pivot_root(2), and what comes off because its mount point is removed.
//!
//! Locks: `mount::TOPOLOGY` around each change of the tree. What comes off is dropped after it is released, since that may write to a disk.

use super::mount::{Mount, MountFlags, TOPOLOGY};
use super::mountcall::check_admin;
use super::namespace::{MountNamespace, take_apart};
use super::walk::{Walk, WalkFlags, walk};
use super::{Dentry, Path, mountpoint};
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;

bitflags::bitflags! {
    /// umount2(2)'s flags.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct UmountFlags: u32 {
        /// Abort what is under way: nothing can be.
        const FORCE = 1;
        /// Take it off now, let it go when unused.
        const DETACH = 2;
        /// Mark it for expiry: refused.
        const EXPIRE = 4;
        /// A symlink stands for itself.
        const NOFOLLOW = 8;
    }
}

/// umount2(2): `EBUSY` while in use unless `DETACH`ed; `EINVAL` for what is no mount, is not the caller's, or is the root. There
/// is nothing that `FORCE` could abort, and no file system expires.
pub fn umount(ctx: &Walk, namespace: &Arc<MountNamespace>, path: &[u8], flags: u32) -> Result<()> {
    let flags = UmountFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags.contains(UmountFlags::EXPIRE) {
        return Err(Errno::EINVAL.during("expiring a mount"));
    }
    let walk_flags = if flags.contains(UmountFlags::NOFOLLOW) { WalkFlags::NOFOLLOW } else { WalkFlags::empty() };
    let target = walk(ctx, path, walk_flags)?.cross_mounts();
    check_admin(ctx, namespace)?;
    if !target.is_mount_root() || !target.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    let Path { mount, dentry } = target;
    drop(dentry);
    let guard = TOPOLOGY.lock();
    // Looked at again: another umount may have been faster.
    if mount.point().is_none() || !mount.is_in(namespace) {
        return Err(Errno::EINVAL.during("unmounting the root"));
    }
    if mount.locked().contains(MountFlags::PLACE) {
        return Err(Errno::EINVAL.during("unmounting a locked mount"));
    }
    // One reference is the parent's, one is ours.
    if !flags.contains(UmountFlags::DETACH) && (mount.has_children() || Arc::strong_count(&mount) > 2) {
        return Err(Errno::EBUSY.into());
    }
    namespace.disown(&mount);
    mount.detach();
    let parts = take_apart(&mount);
    drop(guard);
    drop((parts, mount));
    Ok(())
}

/// Takes off whatever is mounted on `gone`, whose name was removed, in every namespace (rmdir(2), mount_namespaces(7): else anybody could keep
/// others' names from being removed, by a mount that they do not see).
pub(super) fn take_off(gone: &Arc<Dentry>) {
    if !gone.is_mountpoint() {
        return;
    }
    let mut parts = Vec::new();
    let guard = TOPOLOGY.lock();
    for mount in mountpoint::on(gone) {
        let namespace = mount.namespace();
        if let Some(namespace) = &namespace {
            namespace.disown(&mount);
        }
        mount.detach();
        parts.push((take_apart(&mount), namespace));
    }
    drop(guard);
    drop(parts);
}

/// Puts a mount of `namespace` back where it hung. If that place was removed meanwhile, nobody has the mount any more.
pub(super) fn put_back(namespace: &MountNamespace, mount: &Arc<Mount>, place: &Path) {
    if mount.attach(place).is_err() {
        namespace.disown(mount);
    }
}

/// pivot_root(2): the mount at `new_root` becomes the root of the caller's namespace, and the old root hangs on `put_old` below it.
/// Returns the old root directory and the new one, for all who stand in the old to be moved.
pub fn pivot_root(
    ctx: &Walk,
    namespace: &Arc<MountNamespace>,
    new_root: &[u8],
    put_old: &[u8],
) -> Result<(Path, Path)> {
    check_admin(ctx, namespace)?;
    let new = walk(ctx, new_root, WalkFlags::DIRECTORY)?;
    let put = walk(ctx, put_old, WalkFlags::DIRECTORY)?;
    let _guard = TOPOLOGY.lock();
    let put = put.cross_mounts();
    let root = ctx.root.clone();
    if !root.mount.is_in(namespace) || !new.mount.is_in(namespace) || !put.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    if new.dentry.is_dead() {
        return Err(Errno::ENOENT.into());
    }
    if Arc::ptr_eq(&new.mount, &root.mount) || Arc::ptr_eq(&put.mount, &root.mount) {
        return Err(Errno::EBUSY.during("pivoting within the root mount"));
    }
    if !root.is_mount_root() || !new.is_mount_root() {
        return Err(Errno::EINVAL.during("pivoting what is not a mount"));
    }
    let new_place = new.mount.point().ok_or(Errno::EINVAL)?;
    if new.mount.locked().contains(MountFlags::PLACE) {
        return Err(Errno::EINVAL.during("pivoting to a locked mount"));
    }
    if !put.is_below(&new) || !new.is_below(&root) {
        return Err(Errno::EINVAL.during("pivoting to a place that cannot be reached"));
    }
    let root_place = root.mount.point();
    new.mount.detach();
    root.mount.detach();
    if let Err(error) = root.mount.attach(&put) {
        // `put_old` was removed meanwhile.
        if let Some(place) = &root_place {
            put_back(namespace, &root.mount, place);
        }
        put_back(namespace, &new.mount, &new_place);
        return Err(error);
    }
    match &root_place {
        Some(place) => put_back(namespace, &new.mount, place),
        None => namespace.set_root(new.mount.clone()),
    }
    Ok((root, new))
}
