//! Making and entering namespaces: what clone(2), unshare(2) and setns(2) share.
//!
//! No locks of its own.

use super::{CgroupNamespace, CloneNs, IpcNamespace, NetNamespace, NsProxy, NsRef, PidNamespace, UserNamespace};
use crate::cgroup::Cgroup;
use crate::error::{Errno, Result};
use crate::task::{Cap, CapSet, Cred};
use crate::vfs::FsContext;
use alloc::sync::Arc;

impl NsProxy {
    /// A copy with new namespaces of the kinds in `flags`, owned by `owner`, for a thread in pid namespace `own`. `fs`, the context of the thread
    /// that will use it, is moved to the same places in a new mount namespace. `group` becomes the root of a new cgroup namespace.
    pub fn with_new(
        &self,
        flags: CloneNs,
        fs: &FsContext,
        owner: &Arc<UserNamespace>,
        own: &Arc<PidNamespace>,
        group: &Arc<Cgroup>,
    ) -> Result<NsProxy> {
        let mut new = self.clone();
        if flags.contains(CloneNs::PID) {
            // One at a time: the last one asked for must have its init first.
            if !Arc::ptr_eq(&self.pid_for_children, own) {
                return Err(Errno::EINVAL.during("making a second pid namespace"));
            }
            new.pid_for_children = self.pid_for_children.new_child(owner.clone())?;
        }
        if flags.contains(CloneNs::UTS) {
            new.uts = self.uts.copy(owner.clone());
        }
        if flags.contains(CloneNs::IPC) {
            new.ipc = IpcNamespace::new(owner.clone());
        }
        if flags.contains(CloneNs::NET) {
            new.net = NetNamespace::new(owner.clone());
        }
        if flags.contains(CloneNs::CGROUP) {
            new.cgroup = CgroupNamespace::new(owner.clone(), group.clone());
        }
        // Last, since it changes `fs`.
        if flags.contains(CloneNs::MNT) {
            new.mnt = self.mnt.copy(fs, owner.clone())?;
        }
        Ok(new)
    }

    /// A copy with one namespace replaced (the user namespace is not in here).
    pub fn with(&self, ns: &NsRef) -> NsProxy {
        let mut new = self.clone();
        match ns {
            NsRef::Mnt(ns) => new.mnt = ns.clone(),
            NsRef::Uts(ns) => new.uts = ns.clone(),
            NsRef::Ipc(ns) => new.ipc = ns.clone(),
            NsRef::Net(ns) => new.net = ns.clone(),
            NsRef::Cgroup(ns) => new.cgroup = ns.clone(),
            NsRef::Pid(ns) => new.pid_for_children = ns.clone(),
            NsRef::User(_) => {}
        }
        new
    }
}

/// Credentials in a new user namespace below the present one: all capabilities inside, none outside. `EPERM` if the ids have no mapping here.
pub fn enter_new_user(cred: &Cred) -> Result<Cred> {
    if cred.user.uid_from_kernel(cred.euid) == super::user::OVERFLOW_ID && cred.euid != super::user::OVERFLOW_ID {
        return Err(Errno::EPERM.during("making a user namespace"));
    }
    let user = cred.user.new_child(cred.euid, cred.egid)?;
    Ok(in_user(cred, user))
}

/// The same ids in user namespace `user`, with all capabilities there.
pub fn in_user(cred: &Cred, user: Arc<UserNamespace>) -> Cred {
    let mut new = cred.clone();
    new.user = user;
    new.inheritable = CapSet::EMPTY;
    new.permitted = CapSet::FULL;
    new.effective = CapSet::FULL;
    new.bounding = CapSet::FULL;
    new.ambient = CapSet::EMPTY;
    new.keep_caps = false;
    new
}

/// Whether a thread with `cred` may enter `ns` (setns(2)): `EPERM` without `CAP_SYS_ADMIN` over it (and, but for user namespaces, over its own).
pub fn may_enter(cred: &Cred, ns: &NsRef) -> Result<()> {
    let over_target = match ns {
        NsRef::User(user) => {
            if Arc::ptr_eq(user, &cred.user) {
                return Err(Errno::EINVAL.during("entering the user namespace one is in"));
            }
            return if cred.capable_in(user, Cap::SysAdmin) { Ok(()) } else { Err(Errno::EPERM.into()) };
        }
        other => cred.capable_in(&other.owner(), Cap::SysAdmin),
    };
    let over_own = cred.capable_in(&cred.user, Cap::SysAdmin);
    let chroot = !matches!(ns, NsRef::Mnt(_)) || cred.capable_in(&cred.user, Cap::SysChroot);
    if over_target && over_own && chroot { Ok(()) } else { Err(Errno::EPERM.during("entering a namespace")) }
}
