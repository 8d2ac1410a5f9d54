//! mount(2): a new file system, a bind, a move, a remount, a change of propagation; each with the man page's refusals.
//!
//! Everything is prepared first (the instance, the copied tree, room in the namespace) and hung into the tree as the last step, so a
//! failure leaves nothing behind.
//!
//! Locks: `mount::TOPOLOGY` around each change of the tree; instances are made without it.

use super::Path;
use super::fstype::{self, FsType};
use super::mount::{Mount, MountFlags, TOPOLOGY};
use super::namespace::{MountNamespace, copy_tree};
use super::umount;
use super::walk::{Walk, WalkFlags, walk};
use crate::error::{Errno, Result};
use crate::fs::nsfs;
use crate::ns::{NsProxy, NsRef};
use crate::task::Cap;
use alloc::sync::Arc;

bitflags::bitflags! {
    /// mount(2)'s flags.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MsFlags: u64 {
        /// Nothing may be changed.
        const RDONLY = 1;
        /// Set-id bits have no effect.
        const NOSUID = 2;
        /// Device nodes cannot be opened.
        const NODEV = 4;
        /// Programs cannot be run.
        const NOEXEC = 8;
        /// Writes reach the disk at once: accepted, fsync(2) does it.
        const SYNCHRONOUS = 16;
        /// Change an existing mount.
        const REMOUNT = 32;
        /// As `SYNCHRONOUS`, for directories.
        const DIRSYNC = 128;
        /// Access times stay.
        const NOATIME = 1 << 10;
        /// Directories' access times stay.
        const NODIRATIME = 1 << 11;
        /// Show a place at another place too.
        const BIND = 1 << 12;
        /// Move a mount.
        const MOVE = 1 << 13;
        /// With all mounts below.
        const REC = 1 << 14;
        /// Fewer messages.
        const SILENT = 1 << 15;
        /// Propagation: as `PRIVATE` here.
        const UNBINDABLE = 1 << 17;
        /// Propagation: none.
        const PRIVATE = 1 << 18;
        /// Propagation: as `PRIVATE` here.
        const SLAVE = 1 << 19;
        /// Propagation: as `PRIVATE` here.
        const SHARED = 1 << 20;
        /// Access times follow modifications only.
        const RELATIME = 1 << 21;
        /// Access times are exact.
        const STRICTATIME = 1 << 24;
        /// Times reach the disk late.
        const LAZYTIME = 1 << 25;
    }
}

/// The magic number that old programs put in the upper half (mount(2), NOTES).
const MAGIC: u64 = 0xc0ed_0000;
const MAGIC_MASK: u64 = 0xffff_0000;

/// What one call brings.
pub struct Request<'a> {
    /// The device, the directory to bind or move, or a word.
    pub source: &'a [u8],
    /// Where.
    pub target: &'a [u8],
    /// `mount -t`.
    pub fs_type: &'a [u8],
    /// The flags, magic number included.
    pub flags: u64,
    /// The file system's options.
    pub data: &'a [u8],
}

/// The flags of a mount among the flags of a call. Without a word on access times they are relative (mount(2), `MS_RELATIME`).
fn mount_flags(flags: MsFlags) -> MountFlags {
    let mut own = MountFlags::from_bits_truncate(flags.bits() as u32);
    if !flags.intersects(MsFlags::NOATIME | MsFlags::STRICTATIME) {
        own |= MountFlags::RELATIME;
    }
    own
}

/// `EPERM` unless the caller may change the namespace's mounts.
pub fn check_admin(ctx: &Walk, namespace: &MountNamespace) -> Result<()> {
    if ctx.cred.capable_in(namespace.owner(), Cap::SysAdmin) { Ok(()) } else { Err(Errno::EPERM.into()) }
}

/// mount(2) in the caller's namespace.
pub fn mount(ctx: &Walk, ns: &Arc<NsProxy>, request: &Request<'_>) -> Result<()> {
    let bits = if request.flags & MAGIC_MASK == MAGIC { request.flags & !MAGIC_MASK } else { request.flags };
    let flags = MsFlags::from_bits_truncate(bits);
    let target = walk(ctx, request.target, WalkFlags::empty())?;
    check_admin(ctx, &ns.mnt)?;
    let propagation = MsFlags::SHARED | MsFlags::PRIVATE | MsFlags::SLAVE | MsFlags::UNBINDABLE;
    if flags.contains(MsFlags::REMOUNT | MsFlags::BIND) {
        remount_bind(&ns.mnt, &target, flags)
    } else if flags.contains(MsFlags::REMOUNT) {
        remount(ctx, &ns.mnt, &target, flags, request.data)
    } else if flags.contains(MsFlags::BIND) {
        bind(ctx, &ns.mnt, request.source, target, flags.contains(MsFlags::REC))
    } else if flags.intersects(propagation) {
        change_propagation(&ns.mnt, &target, flags.difference(MsFlags::REC | MsFlags::SILENT))
    } else if flags.contains(MsFlags::MOVE) {
        move_mount(ctx, &ns.mnt, request.source, target)
    } else {
        mount_new(ctx, ns, request, target, flags)
    }
}

/// Hangs `tree` on `target`, on top of what is mounted there. The caller holds `TOPOLOGY`.
pub(super) fn attach_tree(namespace: &Arc<MountNamespace>, tree: &Arc<Mount>, target: Path) -> Result<()> {
    let at = target.cross_mounts();
    if !at.mount.is_in(namespace) {
        return Err(Errno::EINVAL.during("mounting outside the caller's namespace"));
    }
    if at.is_dir() != tree.root.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    let all = tree.subtree();
    let charge = namespace.charge(all.len())?;
    tree.attach(&at)?;
    for mount in all {
        mount.set_namespace(Arc::downgrade(namespace));
    }
    charge.commit();
    Ok(())
}

fn mount_new(ctx: &Walk, ns: &Arc<NsProxy>, request: &Request<'_>, target: Path, flags: MsFlags) -> Result<()> {
    if request.fs_type.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    let fs_type: &'static FsType = fstype::find(request.fs_type)?;
    let initial = ns.mnt.owner().parent.is_none();
    if !initial && !fs_type.in_user_ns {
        return Err(Errno::EPERM.during("mounting this type in a user namespace"));
    }
    let read_only = flags.contains(MsFlags::RDONLY);
    let superblock = fstype::instance(fs_type, request.source, request.data, read_only, ctx, Some(ns.clone()))?;
    let mut own = mount_flags(flags);
    own.set(MountFlags::NODEV, own.contains(MountFlags::NODEV) || !initial);
    let root = superblock.root.clone();
    let mount = Mount::new(superblock, root, request.source, own);
    let _guard = TOPOLOGY.lock();
    let top = target.clone().cross_mounts();
    if top.is_mount_root()
        && Arc::ptr_eq(&top.mount.superblock, &mount.superblock)
        && Arc::ptr_eq(&top.dentry, &mount.root)
    {
        return Err(Errno::EBUSY.during("mounting the same file system on itself"));
    }
    attach_tree(&ns.mnt, &mount, target)
}

fn bind(ctx: &Walk, namespace: &Arc<MountNamespace>, source: &[u8], target: Path, recursive: bool) -> Result<()> {
    if source.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    let from = walk(ctx, source, WalkFlags::empty())?;
    let _guard = TOPOLOGY.lock();
    // A namespace file (`/proc/PID/ns/X` leads to one) may be kept alive by binding it.
    match nsfs::namespace(&from) {
        None if from.mount.is_in(namespace) => {}
        None => return Err(Errno::EINVAL.during("binding from outside the caller's namespace")),
        // An older mount namespace bound in a newer one could hold itself alive for ever (as Linux).
        Some(NsRef::Mnt(bound)) if bound.ino() <= namespace.ino() => {
            return Err(Errno::EINVAL.during("binding a mount namespace in itself or a newer one"));
        }
        Some(_) => {}
    }
    // Without what is mounted below, the bind would show what a more privileged namespace covered.
    let hides = |child: &Arc<Mount>| {
        let below = child.point().is_some_and(|point| from.dentry.is_ancestor_of(&point.dentry));
        below && child.locked().contains(MountFlags::PLACE)
    };
    if !recursive && from.mount.children().iter().any(hides) {
        return Err(Errno::EINVAL.during("binding a place without its locked mounts"));
    }
    let (tree, _) = copy_tree(&from.mount, &from.dentry, recursive)?;
    tree.set_locked(tree.locked().difference(MountFlags::PLACE));
    attach_tree(namespace, &tree, target)
}

fn move_mount(ctx: &Walk, namespace: &Arc<MountNamespace>, source: &[u8], target: Path) -> Result<()> {
    let from = walk(ctx, source, WalkFlags::empty())?;
    let _guard = TOPOLOGY.lock();
    let to = target.cross_mounts();
    let place = from.mount.point();
    if !from.is_mount_root() || !from.mount.is_in(namespace) || !to.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    let Some(place) = place else { return Err(Errno::EINVAL.during("moving the root mount")) };
    if from.mount.locked().contains(MountFlags::PLACE) {
        return Err(Errno::EINVAL.during("moving a locked mount"));
    }
    if from.is_dir() != to.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    if to.is_below(&from.mount.root_path()) {
        return Err(Errno::ELOOP.during("moving a mount below itself"));
    }
    from.mount.detach();
    if let Err(error) = from.mount.attach(&to) {
        umount::put_back(namespace, &from.mount, &place);
        return Err(error);
    }
    Ok(())
}

/// All propagation is private here: `MS_SHARED` is accepted, since programs ask for it by habit, and means the same.
fn change_propagation(namespace: &Arc<MountNamespace>, target: &Path, kind: MsFlags) -> Result<()> {
    if kind.bits().count_ones() != 1 || !target.is_mount_root() || !target.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

/// `MS_REMOUNT | MS_BIND`: changes this mount's own flags.
fn remount_bind(namespace: &Arc<MountNamespace>, target: &Path, flags: MsFlags) -> Result<()> {
    let _guard = TOPOLOGY.lock();
    if !target.is_mount_root() || !target.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    let new = mount_flags(flags);
    check_locked(&target.mount, new)?;
    let becomes_read_only = new.contains(MountFlags::RDONLY) && !target.mount.is_read_only();
    if becomes_read_only && target.mount.has_writers() {
        return Err(Errno::EBUSY.into());
    }
    target.mount.set_flags(new);
    Ok(())
}

/// `EPERM` if `new` lacks a flag that is locked.
fn check_locked(mount: &Mount, new: MountFlags) -> Result<()> {
    let kept = mount.locked().difference(MountFlags::PLACE);
    if new.contains(kept) { Ok(()) } else { Err(Errno::EPERM.during("clearing a locked flag of a mount")) }
}

/// `MS_REMOUNT`: changes the instance, and this mount's flags with it.
fn remount(ctx: &Walk, namespace: &Arc<MountNamespace>, target: &Path, flags: MsFlags, data: &[u8]) -> Result<()> {
    let _guard = TOPOLOGY.lock();
    if !target.is_mount_root() || !target.mount.is_in(namespace) {
        return Err(Errno::EINVAL.into());
    }
    let superblock = &target.mount.superblock;
    if !ctx.cred.capable_in(&superblock.owner, Cap::SysAdmin) {
        return Err(Errno::EPERM.during("remounting another user namespace's file system"));
    }
    check_locked(&target.mount, mount_flags(flags))?;
    if !data.is_empty() && data != superblock.fs.options() {
        superblock.fs.remount(data)?;
    }
    let read_only = flags.contains(MsFlags::RDONLY);
    superblock.set_read_only_unless_busy(read_only)?;
    target.mount.set_flags(mount_flags(flags));
    Ok(())
}
