//! The set of namespaces a thread is in, and one namespace of any kind.
//!
//! [`NsProxy`] is immutable and shared by threads and children; unshare(2) and setns(2) give the thread a new one. The user
//! namespace belongs to the credentials instead. No locks.

use super::{CgroupNamespace, IpcNamespace, NetNamespace, PidNamespace, UserNamespace, UtsNamespace};
use crate::vfs::MountNamespace;
use alloc::sync::Arc;

bitflags::bitflags! {
    /// The namespace flags of clone(2), unshare(2) and setns(2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CloneNs: u64 {
        /// A time namespace: not supported.
        const TIME = 0x0000_0080;
        /// Mounts.
        const MNT = 0x0002_0000;
        /// The root of the cgroup tree.
        const CGROUP = 0x0200_0000;
        /// Host and domain name.
        const UTS = 0x0400_0000;
        /// System V IPC.
        const IPC = 0x0800_0000;
        /// Users and groups.
        const USER = 0x1000_0000;
        /// Process ids.
        const PID = 0x2000_0000;
        /// Network.
        const NET = 0x4000_0000;
    }
}

/// The namespaces of a thread.
#[derive(Clone)]
pub struct NsProxy {
    /// Mounts.
    pub mnt: Arc<MountNamespace>,
    /// Host name.
    pub uts: Arc<UtsNamespace>,
    /// System V IPC.
    pub ipc: Arc<IpcNamespace>,
    /// Network.
    pub net: Arc<NetNamespace>,
    /// The root of the cgroup tree as it is seen.
    pub cgroup: Arc<CgroupNamespace>,
    /// Where children get their pids (the thread's own never change).
    pub pid_for_children: Arc<PidNamespace>,
}

/// One namespace of any kind.
#[derive(Clone)]
#[expect(missing_docs, reason = "the kinds are namespaces(7)'s")]
pub enum NsRef {
    Mnt(Arc<MountNamespace>),
    Uts(Arc<UtsNamespace>),
    Ipc(Arc<IpcNamespace>),
    Net(Arc<NetNamespace>),
    Cgroup(Arc<CgroupNamespace>),
    Pid(Arc<PidNamespace>),
    User(Arc<UserNamespace>),
}

impl NsRef {
    /// The clone(2) flag of its kind.
    pub fn kind(&self) -> CloneNs {
        match self {
            NsRef::Mnt(_) => CloneNs::MNT,
            NsRef::Uts(_) => CloneNs::UTS,
            NsRef::Ipc(_) => CloneNs::IPC,
            NsRef::Net(_) => CloneNs::NET,
            NsRef::Cgroup(_) => CloneNs::CGROUP,
            NsRef::Pid(_) => CloneNs::PID,
            NsRef::User(_) => CloneNs::USER,
        }
    }

    /// The name in `/proc/PID/ns/`, which also opens the link's text: `uts:[4026531838]`.
    pub fn name(&self) -> &'static str {
        match self {
            NsRef::Mnt(_) => "mnt",
            NsRef::Uts(_) => "uts",
            NsRef::Ipc(_) => "ipc",
            NsRef::Net(_) => "net",
            NsRef::Cgroup(_) => "cgroup",
            NsRef::Pid(_) => "pid",
            NsRef::User(_) => "user",
        }
    }

    /// Its inode number.
    pub fn ino(&self) -> u64 {
        match self {
            NsRef::Mnt(ns) => ns.ino(),
            NsRef::Uts(ns) => ns.common.ino,
            NsRef::Ipc(ns) => ns.common.ino,
            NsRef::Net(ns) => ns.common.ino,
            NsRef::Cgroup(ns) => ns.common.ino,
            NsRef::Pid(ns) => ns.common.ino,
            NsRef::User(ns) => ns.ino,
        }
    }

    /// The user namespace that owns it (for a user namespace: its parent).
    pub fn owner(&self) -> Arc<UserNamespace> {
        match self {
            NsRef::Mnt(ns) => ns.owner().clone(),
            NsRef::Uts(ns) => ns.common.owner.clone(),
            NsRef::Ipc(ns) => ns.common.owner.clone(),
            NsRef::Net(ns) => ns.common.owner.clone(),
            NsRef::Cgroup(ns) => ns.common.owner.clone(),
            NsRef::Pid(ns) => ns.common.owner.clone(),
            NsRef::User(ns) => ns.parent.clone().unwrap_or_else(|| ns.clone()),
        }
    }
}
