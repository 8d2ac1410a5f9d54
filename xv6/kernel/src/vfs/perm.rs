//! Who may do what to an inode: mode bits, owners, capabilities (inode(7), capabilities(7), path_resolution(7)).
//!
//! A capability counts over an inode only where the caller's user namespace has a name for its owner: root of a fresh user namespace
//! is nobody to the files outside. No locks.

use super::inode::{InodeRef, Kind, Owner};
use crate::error::{Errno, Result};
use crate::ns::UserNamespace;
use crate::task::{Cap, Cred};
use alloc::sync::Arc;

bitflags::bitflags! {
    /// What one wants to do; the values are access(2)'s.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct May: u32 {
        /// Execute a file; search a directory.
        const EXEC = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }
}

/// The set-user-ID bit.
pub const SET_UID: u16 = 0o4000;
/// The set-group-ID bit.
pub const SET_GID: u16 = 0o2000;
/// The sticky bit: only owners remove entries.
pub const STICKY: u16 = 0o1000;

/// Whether `cap` counts over an inode owned so.
pub fn capable_over(cred: &Cred, owner: &Owner, cap: Cap) -> bool {
    cred.effective.has(cap) && (is_initial(&cred.user) || maps(&cred.user, owner))
}

fn is_initial(user: &Arc<UserNamespace>) -> bool {
    user.parent.is_none()
}

fn maps(user: &UserNamespace, owner: &Owner) -> bool {
    let uid_known =
        user.uid_map().is_some_and(|map| map.ranges().iter().any(|range| holds(range.outside, range.count, owner.uid)));
    uid_known
        && user
            .gid_map()
            .is_some_and(|map| map.ranges().iter().any(|range| holds(range.outside, range.count, owner.gid)))
}

fn holds(first: u32, count: u32, id: u32) -> bool {
    id.checked_sub(first).is_some_and(|offset| offset < count)
}

/// True when `cred` may search every directory, so that a walk need not ask.
pub fn searches_all(cred: &Cred) -> bool {
    is_initial(&cred.user) && (cred.effective.has(Cap::DacOverride) || cred.effective.has(Cap::DacReadSearch))
}

/// `EACCES` unless `cred` may do all of `want` to `inode`.
pub fn may(inode: &InodeRef, cred: &Cred, want: May) -> Result<()> {
    let owner = inode.owner()?;
    let shift = if cred.fsuid == owner.uid {
        6
    } else if cred.in_group(owner.gid) {
        3
    } else {
        0
    };
    let granted = May::from_bits_truncate(u32::from(owner.mode >> shift) & 7);
    if granted.contains(want) {
        return Ok(());
    }
    let is_dir = inode.kind() == Kind::Directory;
    let overridable = is_dir || !want.contains(May::EXEC) || owner.mode & 0o111 != 0;
    if overridable && capable_over(cred, &owner, Cap::DacOverride) {
        return Ok(());
    }
    let only_reads = want == May::READ || (is_dir && !want.contains(May::WRITE));
    if only_reads && capable_over(cred, &owner, Cap::DacReadSearch) {
        return Ok(());
    }
    Err(Errno::EACCES.into())
}

/// True for the owner of an inode, and for who holds `CAP_FOWNER` over it.
pub fn is_owner(cred: &Cred, owner: &Owner) -> bool {
    cred.fsuid == owner.uid || capable_over(cred, owner, Cap::Fowner)
}

/// `EACCES` or `EPERM` unless `cred` may remove `victim` from `dir`: write permission, and in a sticky directory ownership of either.
pub fn may_remove(dir: &InodeRef, victim: &InodeRef, cred: &Cred) -> Result<()> {
    may(dir, cred, May::WRITE | May::EXEC)?;
    let above = dir.owner()?;
    if above.mode & STICKY == 0 || cred.fsuid == above.uid {
        return Ok(());
    }
    if is_owner(cred, &victim.owner()?) { Ok(()) } else { Err(Errno::EPERM.into()) }
}

/// `EPERM` unless `cred` may give `inode` another name: its own, or a plain file that it could write anyway (proc_sys_fs(5),
/// `protected_hardlinks`). Another name would keep a replaced set-user-ID program alive.
pub fn may_link(inode: &InodeRef, cred: &Cred) -> Result<()> {
    let owner = inode.owner()?;
    if is_owner(cred, &owner) {
        return Ok(());
    }
    let runs_as_other = owner.mode & SET_UID != 0 || owner.mode & (SET_GID | 0o010) == SET_GID | 0o010;
    let plain = inode.kind() == Kind::File && !runs_as_other;
    if plain && may(inode, cred, May::READ | May::WRITE).is_ok() { Ok(()) } else { Err(Errno::EPERM.into()) }
}

/// The owner and mode of a new inode in `dir`: the caller's ids, the group of a set-group-ID directory (inode(7)).
pub fn owner_of_new(dir: &InodeRef, cred: &Cred, kind: Kind, mode: u16) -> Result<Owner> {
    let above = dir.owner()?;
    let inherits = above.mode & SET_GID != 0;
    let gid = if inherits { above.gid } else { cred.fsgid };
    let mut mode = mode & 0o7777;
    if inherits && kind == Kind::Directory {
        mode |= SET_GID;
    } else if mode & (SET_GID | 0o010) == SET_GID | 0o010 && !cred.in_group(gid) && !cred.effective.has(Cap::Fsetid) {
        mode &= !SET_GID;
    }
    Ok(Owner { mode, uid: cred.fsuid, gid })
}
