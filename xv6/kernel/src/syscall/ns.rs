//! Namespaces: unshare, setns, host and domain name.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::fs::nsfs::NsFile;
use crate::mm::user as memory;
use crate::ns::{self, CloneNs, NsRef};
use crate::task::clone::CloneFlags;
use crate::task::pidfd::PidFd;
use crate::task::{Cap, Cred, Task};
use crate::version::{MACHINE, RELEASE, SYSTEM, VERSION};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 63, name: "uname", handler: uname },
    Row { number: 170, name: "sethostname", handler: sethostname },
    Row { number: 171, name: "setdomainname", handler: setdomainname },
    Row { number: 272, name: "unshare", handler: unshare },
    Row { number: 308, name: "setns", handler: setns },
];

/// Bytes of each field of `struct utsname`.
const FIELD: usize = 65;

fn uname(call: &mut Call<'_>) -> Result<usize> {
    let uts = call.task.ns().uts.clone();
    let fields: [&[u8]; 6] =
        [SYSTEM.as_bytes(), &uts.host(), RELEASE.as_bytes(), VERSION.as_bytes(), MACHINE.as_bytes(), &uts.domain()];
    let mut names = [0u8; 6 * FIELD];
    for (slot, field) in names.chunks_exact_mut(FIELD).zip(fields) {
        slot[..field.len()].copy_from_slice(field);
    }
    memory::write(call.args[0], &names)?;
    Ok(0)
}

/// The name a caller with `CAP_SYS_ADMIN` over its UTS namespace wants to set.
fn read_name(call: &Call<'_>) -> Result<Vec<u8>> {
    let [address, len, ..] = call.args;
    if !call.task.cred().capable_in(&call.task.ns().uts.common.owner, Cap::SysAdmin) {
        return Err(Errno::EPERM.into());
    }
    if len >= FIELD {
        return Err(Errno::EINVAL.into());
    }
    let mut name = vec![0; len];
    memory::read_bytes(address, &mut name)?;
    Ok(name)
}

fn sethostname(call: &mut Call<'_>) -> Result<usize> {
    call.task.ns().uts.set_host(read_name(call)?)?;
    Ok(0)
}

fn setdomainname(call: &mut Call<'_>) -> Result<usize> {
    call.task.ns().uts.set_domain(read_name(call)?)?;
    Ok(0)
}

fn unshare(call: &mut Call<'_>) -> Result<usize> {
    let bits = call.args[0] as u64;
    let mut flags = CloneFlags::from_bits_truncate(bits);
    let namespaces = CloneNs::from_bits_truncate(bits);
    let known = CloneFlags::FILES
        | CloneFlags::FS
        | CloneFlags::SYSVSEM
        | CloneFlags::THREAD
        | CloneFlags::VM
        | CloneFlags::SIGHAND;
    if bits & !(known.bits() | namespaces.bits()) != 0 || namespaces.contains(CloneNs::TIME) {
        return Err(Errno::EINVAL.into());
    }
    let task = call.task;
    let alone = task.process.thread_count() == 1;
    let wants_alone = flags.intersects(CloneFlags::THREAD | CloneFlags::VM | CloneFlags::SIGHAND)
        || namespaces.contains(CloneNs::USER);
    if wants_alone && !alone {
        return Err(Errno::EINVAL.into());
    }
    if namespaces.intersects(CloneNs::MNT | CloneNs::USER) {
        flags |= CloneFlags::FS;
    }
    let mut cred = task.cred();
    if namespaces.contains(CloneNs::USER) {
        cred = Arc::new(ns::enter_new_user(&cred)?);
    } else if !namespaces.is_empty() && !cred.capable_in(&cred.user, Cap::SysAdmin) {
        return Err(Errno::EPERM.into());
    }
    // Everything that can fail comes before anything is changed.
    let fs = flags.contains(CloneFlags::FS).then(|| Arc::new(task.fs().fork()));
    let files = flags.contains(CloneFlags::FILES).then(|| Arc::new(task.files().fork()));
    let others = namespaces.difference(CloneNs::USER);
    let proxy = if others.is_empty() {
        None
    } else {
        let context = fs.clone().unwrap_or_else(|| task.fs());
        Some(task.ns().with_new(others, &context, &cred.user, &task.pid_ns(), &task.cgroup())?)
    };
    task.replace_shared(files, fs, proxy, namespaces.contains(CloneNs::USER).then_some(cred));
    Ok(0)
}

fn setns(call: &mut Call<'_>) -> Result<usize> {
    let [fd, kind, ..] = call.args;
    let kinds = CloneNs::from_bits(kind as u64).ok_or(Errno::EINVAL)?;
    let file = call.task.files().get(fd as u32)?;
    let targets = if let Some(NsFile(target)) = file.operations::<NsFile>() {
        if !kinds.is_empty() && kinds != target.kind() {
            return Err(Errno::EINVAL.into());
        }
        vec![target.clone()]
    } else if let Some(PidFd(process)) = file.operations::<PidFd>() {
        if kinds.is_empty() || kinds.contains(CloneNs::TIME) {
            return Err(Errno::EINVAL.into());
        }
        let leader = process.leader().ok_or(Errno::ESRCH)?;
        of_task(&leader, kinds)?
    } else {
        return Err(Errno::EINVAL.into());
    };
    enter(call.task, &targets)?;
    Ok(0)
}

/// The namespaces of `task` of the kinds asked for; the user namespace first, so that its capabilities count for the others.
fn of_task(task: &Task, kinds: CloneNs) -> Result<Vec<NsRef>> {
    let proxy = task.try_ns().ok_or(Errno::ESRCH)?;
    let all = [
        NsRef::User(task.cred().user.clone()),
        NsRef::Mnt(proxy.mnt.clone()),
        NsRef::Uts(proxy.uts.clone()),
        NsRef::Ipc(proxy.ipc.clone()),
        NsRef::Net(proxy.net.clone()),
        NsRef::Cgroup(proxy.cgroup.clone()),
        NsRef::Pid(task.pid_ns()),
    ];
    Ok(all.into_iter().filter(|ns| kinds.contains(ns.kind())).collect())
}

/// Moves the calling thread into `targets`, all or none.
fn enter(task: &Arc<Task>, targets: &[NsRef]) -> Result<()> {
    let mut cred = task.cred();
    let mut proxy = (*task.ns()).clone();
    let mut root = None;
    for target in targets {
        ns::may_enter(&cred, target)?;
        match target {
            NsRef::User(user) => {
                if task.process.thread_count() != 1 || is_shared(task) {
                    return Err(Errno::EINVAL.into());
                }
                cred = Arc::new(ns::in_user(&cred, user.clone()));
            }
            NsRef::Mnt(mnt) => {
                // Root and working directory move: nobody may share them.
                if is_shared(task) {
                    return Err(Errno::EINVAL.into());
                }
                root = Some(mnt.clone());
            }
            NsRef::Pid(pid) if !pid.is_within(&task.pid_ns()) => {
                return Err(Errno::EINVAL.during("entering a pid namespace that is not below one's own"));
            }
            _ => {}
        }
        proxy = proxy.with(target);
    }
    if let Some(mnt) = &root {
        task.fs().enter(mnt);
    }
    let new_cred: Option<Arc<Cred>> = (!Arc::ptr_eq(&cred, &task.cred())).then_some(cred);
    task.replace_shared(None, None, Some(proxy), new_cred);
    Ok(())
}

/// Whether another thread shares root and working directory (`CLONE_FS`); the thread's own and `fs` here are two references.
fn is_shared(task: &Task) -> bool {
    let fs = task.fs();
    Arc::strong_count(&fs) > 2
}
