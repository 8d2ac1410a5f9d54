//! An open `/proc/PID/ns/X`: it keeps the namespace alive, is what setns(2) takes, and tells of what it belongs to (ioctl_ns(2)).
//!
//! No locks.

use crate::error::{Errno, Result};
use crate::mm::user;
use crate::ns::{NsRef, UserNamespace};
use crate::task::{self, Task};
use crate::vfs::File;
use crate::vfs::file::{FileOps, OpenFlags};
use alloc::sync::Arc;
use core::any::Any;

/// ioctl_ns(2)'s requests.
const GET_USERNS: u32 = 0xb701;
const GET_PARENT: u32 = 0xb702;
const GET_NSTYPE: u32 = 0xb703;
const GET_OWNER_UID: u32 = 0xb704;

/// What an open namespace file can do: name its namespace.
pub struct NsFile(pub NsRef);

impl FileOps for NsFile {
    /// ioctl_ns(2). `EPERM` where the answer lies outside the caller's own namespaces, `EINVAL` where there can be none.
    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        let task = task::current();
        match request {
            GET_USERNS => open(&task, NsRef::User(seen_owner(&self.0, &task.cred().user)?)),
            GET_PARENT => open(&task, seen_parent(&self.0, &task)?),
            GET_NSTYPE => Ok(self.0.kind().bits() as usize),
            GET_OWNER_UID => {
                let NsRef::User(ns) = &self.0 else { return Err(Errno::EINVAL.into()) };
                let uid = task.cred().user.uid_from_kernel(ns.owner);
                user::write(arg, &uid)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A new descriptor for `namespace`, close-on-exec as all of these are.
fn open(task: &Task, namespace: NsRef) -> Result<usize> {
    let ops = Arc::new(NsFile(namespace.clone()));
    let file = File::new(super::path(namespace), ops, OpenFlags::empty());
    Ok(task.files().insert(file, true)? as usize)
}

/// The user namespace that owns `of`, if it is `own` or lies within.
fn seen_owner(of: &NsRef, own: &Arc<UserNamespace>) -> Result<Arc<UserNamespace>> {
    let owner = match of {
        NsRef::User(ns) => ns.parent.clone().ok_or(Errno::EPERM)?,
        other => other.owner(),
    };
    if owner.is_within(own) { Ok(owner) } else { Err(Errno::EPERM.into()) }
}

/// What `of` was made in, if it is the caller's own or lies within: a pid or a user namespace's parent.
fn seen_parent(of: &NsRef, task: &Task) -> Result<NsRef> {
    match of {
        NsRef::Pid(ns) => {
            let parent = ns.parent.clone().ok_or(Errno::EPERM)?;
            if parent.is_within(&task.pid_ns()) { Ok(NsRef::Pid(parent)) } else { Err(Errno::EPERM.into()) }
        }
        NsRef::User(_) => Ok(NsRef::User(seen_owner(of, &task.cred().user)?)),
        _ => Err(Errno::EINVAL.into()),
    }
}
