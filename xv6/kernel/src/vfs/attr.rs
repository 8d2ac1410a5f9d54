//! Changes of attributes: chmod, chown, utimensat, truncate, each with its permission rules.

use super::inode::{InodeRef, Kind, Owner, SetAttr, Time};
use super::path::Path;
use super::perm::{self, May, SET_GID, SET_UID};
use super::text::Writing;
use crate::error::{Errno, Result};
use crate::task::{self, Cap, Cred};

/// chmod(2): the owner's right. A caller outside the file's group loses the set-group-ID bit.
pub fn chmod(path: &Path, cred: &Cred, mode: u16) -> Result<()> {
    path.mount.check_writable()?;
    let owner = path.inode().owner()?;
    if !perm::is_owner(cred, &owner) {
        return Err(Errno::EPERM.into());
    }
    let mut mode = mode & 0o7777;
    if path.inode().kind() != Kind::Directory
        && !cred.in_group(owner.gid)
        && !perm::capable_over(cred, &owner, Cap::Fsetid)
    {
        mode &= !SET_GID;
    }
    path.inode().set_attr(&SetAttr { mode: Some(mode), ..SetAttr::default() })
}

/// The mode without the set-id bits that a change of owner or content takes away.
fn without_set_id(mode: u16) -> u16 {
    let group_runs = mode & 0o010 != 0;
    mode & !SET_UID & if group_runs { !SET_GID } else { !0 }
}

/// chown(2): `CAP_CHOWN`, or the owner giving the file to another of its own groups.
pub fn chown(path: &Path, cred: &Cred, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    path.mount.check_writable()?;
    let owner = path.inode().owner()?;
    let privileged = perm::capable_over(cred, &owner, Cap::Chown);
    let uid_ok = uid.is_none_or(|uid| uid == owner.uid && cred.fsuid == owner.uid);
    let gid_ok = gid.is_none_or(|gid| cred.fsuid == owner.uid && (gid == owner.gid || cred.in_group(gid)));
    let allowed = privileged || (uid_ok && gid_ok);
    if !allowed {
        return Err(Errno::EPERM.into());
    }
    let kept = without_set_id(owner.mode);
    let mode = (path.inode().kind() == Kind::File && kept != owner.mode).then_some(kept);
    path.inode().set_attr(&SetAttr { mode, uid, gid, ..SetAttr::default() })
}

/// utimensat(2): `None` leaves a time alone. `now` tells that both are to be the present, which a writer may do too.
pub fn set_times(path: &Path, cred: &Cred, atime: Option<Time>, mtime: Option<Time>, now: bool) -> Result<()> {
    if atime.is_none() && mtime.is_none() {
        return Ok(());
    }
    path.mount.check_writable()?;
    let owner = path.inode().owner()?;
    if !perm::is_owner(cred, &owner) {
        if !now {
            return Err(Errno::EPERM.into());
        }
        perm::may(path.inode(), cred, May::WRITE)?;
    }
    path.inode().set_attr(&SetAttr { atime, mtime, ..SetAttr::default() })
}

/// truncate(2) by name: write permission on a regular file.
pub fn truncate(path: &Path, cred: &Cred, size: u64) -> Result<()> {
    match path.inode().kind() {
        Kind::File => {}
        Kind::Directory => return Err(Errno::EISDIR.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    perm::may(path.inode(), cred, May::WRITE)?;
    path.mount.check_writable()?;
    let _writing = Writing::begin(path.inode())?;
    set_size(path, cred, size)
}

/// Sets the size of a file whose permission was checked; set-id bits go, as after any write. `EFBIG` and `SIGXFSZ` if it grows past `RLIMIT_FSIZE`.
pub fn set_size(path: &Path, cred: &Cred, size: u64) -> Result<()> {
    if size > task::file_size_limit() && size > path.inode().attr()?.size {
        return Err(task::file_too_large());
    }
    let mode = mode_after_write(&path.inode().owner()?, cred);
    path.inode().set_attr(&SetAttr { size: Some(size), mode, ..SetAttr::default() })
}

/// Before a write to `inode`: what another writes no longer runs as its owner (inode(7)).
pub fn drop_set_id(inode: &InodeRef) -> Result<()> {
    let owner = inode.owner()?;
    if owner.mode & (SET_UID | SET_GID) == 0 {
        return Ok(());
    }
    match mode_after_write(&owner, &task::current().cred()) {
        None => Ok(()),
        mode => inode.set_attr(&SetAttr { mode, ..SetAttr::default() }),
    }
}

/// The mode a write leaves, where that differs (`CAP_FSETID` keeps set-id bits).
pub fn mode_after_write(owner: &Owner, cred: &Cred) -> Option<u16> {
    let kept = without_set_id(owner.mode);
    (kept != owner.mode && !perm::capable_over(cred, owner, Cap::Fsetid)).then_some(kept)
}
