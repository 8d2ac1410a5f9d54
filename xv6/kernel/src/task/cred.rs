//! Credentials (credentials(7), capabilities(7)): who a thread acts for, and what it may.
//!
//! [`Cred`] is immutable and shared; a change makes a new one and swaps it in. Ids are the kernel's, that is those of the
//! initial user namespace. No locks.

use crate::ns::UserNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;

macro_rules! capabilities {
    ($($name:ident = $number:literal),* $(,)?) => {
        /// One capability; the numbers are Linux's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "capabilities(7) documents each")]
        pub enum Cap { $($name = $number),* }
    };
}

capabilities! {
    Chown = 0, DacOverride = 1, DacReadSearch = 2, Fowner = 3, Fsetid = 4, Kill = 5, Setgid = 6, Setuid = 7, Setpcap = 8,
    LinuxImmutable = 9, NetBindService = 10, NetBroadcast = 11, NetAdmin = 12, NetRaw = 13, IpcLock = 14, IpcOwner = 15,
    SysModule = 16, SysRawio = 17, SysChroot = 18, SysPtrace = 19, SysPacct = 20, SysAdmin = 21, SysBoot = 22, SysNice = 23,
    SysResource = 24, SysTime = 25, SysTtyConfig = 26, Mknod = 27, Lease = 28, AuditWrite = 29, AuditControl = 30, Setfcap = 31,
    MacOverride = 32, MacAdmin = 33, Syslog = 34, WakeAlarm = 35, BlockSuspend = 36, AuditRead = 37, Perfmon = 38, Bpf = 39,
    CheckpointRestore = 40,
}

/// The largest capability number (`/proc/sys/kernel/cap_last_cap`).
pub const CAP_LAST: u8 = 40;

/// A set of capabilities, bit n for capability n.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapSet(pub u64);

impl CapSet {
    /// Every capability there is.
    pub const FULL: CapSet = CapSet((1 << (CAP_LAST + 1)) - 1);
    /// None.
    pub const EMPTY: CapSet = CapSet(0);

    /// Whether `cap` is in.
    pub const fn has(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u8) != 0
    }

    /// Those in both.
    pub const fn and(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    /// Those in either.
    pub const fn or(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    /// Those not in `other`.
    pub const fn without(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// True if all are in `other`.
    pub const fn within(self, other: CapSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// The capabilities that a file-system user id of 0 stands for (`CAP_FS_MASK`).
    pub const FS: CapSet = CapSet(
        1 << Cap::Chown as u8
            | 1 << Cap::Mknod as u8
            | 1 << Cap::DacOverride as u8
            | 1 << Cap::DacReadSearch as u8
            | 1 << Cap::Fowner as u8
            | 1 << Cap::Fsetid as u8
            | 1 << Cap::LinuxImmutable as u8
            | 1 << Cap::MacOverride as u8,
    );
}

/// A thread's credentials.
#[derive(Clone)]
#[expect(missing_docs, reason = "credentials(7) and capabilities(7) document the fields")]
pub struct Cred {
    pub uid: u32,
    pub euid: u32,
    pub suid: u32,
    pub fsuid: u32,
    pub gid: u32,
    pub egid: u32,
    pub sgid: u32,
    pub fsgid: u32,
    pub groups: Arc<Vec<u32>>,
    pub inheritable: CapSet,
    pub permitted: CapSet,
    pub effective: CapSet,
    pub bounding: CapSet,
    pub ambient: CapSet,
    /// `SECBIT_KEEP_CAPS`: permitted capabilities survive leaving uid 0, until the next exec.
    pub keep_caps: bool,
    pub no_new_privs: bool,
    pub user: Arc<UserNamespace>,
}

impl Cred {
    /// The first process's: root, everything allowed.
    pub fn root() -> Arc<Cred> {
        Arc::new(Cred {
            uid: 0,
            euid: 0,
            suid: 0,
            fsuid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            fsgid: 0,
            groups: Arc::new(Vec::new()),
            inheritable: CapSet::EMPTY,
            permitted: CapSet::FULL,
            effective: CapSet::FULL,
            bounding: CapSet::FULL,
            ambient: CapSet::EMPTY,
            keep_caps: false,
            no_new_privs: false,
            user: UserNamespace::initial().clone(),
        })
    }

    /// Whether `cap` holds over what belongs to the whole machine (the initial user namespace).
    pub fn capable(&self, cap: Cap) -> bool {
        self.user.parent.is_none() && self.effective.has(cap)
    }

    /// Whether `cap` holds over what `target` owns (user_namespaces(7), "Capabilities"): held in that namespace or an ancestor of it, or the
    /// thread acts for the owner of a namespace on the way, from the namespace's parent.
    pub fn capable_in(&self, target: &Arc<UserNamespace>, cap: Cap) -> bool {
        let mut at = target;
        loop {
            if Arc::ptr_eq(at, &self.user) {
                return self.effective.has(cap);
            }
            let Some(parent) = &at.parent else { return false };
            if Arc::ptr_eq(parent, &self.user) && at.owner == self.euid {
                return true;
            }
            at = parent;
        }
    }

    /// Whether the thread is in group `gid`, for file access (file-system gid and supplementary groups).
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }

    /// What leaving or entering uid 0 does to the capabilities (capabilities(7), "Effect of user ID changes").
    pub fn fix_after_uid_change(&mut self, old: &Cred) {
        let root = self.user.uid_to_kernel(0);
        let is_root = |id: u32| Some(id) == root;
        let was = is_root(old.uid) || is_root(old.euid) || is_root(old.suid);
        let still = is_root(self.uid) || is_root(self.euid) || is_root(self.suid);
        if was && !still {
            if !self.keep_caps {
                self.permitted = CapSet::EMPTY;
                self.effective = CapSet::EMPTY;
            }
            self.ambient = CapSet::EMPTY;
        }
        if is_root(old.euid) && !is_root(self.euid) {
            self.effective = CapSet::EMPTY;
        }
        if !is_root(old.euid) && is_root(self.euid) {
            self.effective = self.permitted;
        }
        self.fix_after_fsuid_change(old);
    }

    /// What a change between file-system uid 0 and others does to the effective set.
    pub fn fix_after_fsuid_change(&mut self, old: &Cred) {
        let root = self.user.uid_to_kernel(0);
        if Some(old.fsuid) == root && Some(self.fsuid) != root {
            self.effective = self.effective.without(CapSet::FS);
        }
        if Some(old.fsuid) != root && Some(self.fsuid) == root {
            self.effective = self.effective.or(self.permitted.and(CapSet::FS));
        }
    }

    /// The credentials after execve(2) of a program that is set-user-ID to `set_uid` or set-group-ID to `set_gid`
    /// (capabilities(7), "Transformation of capabilities during execve()"; files carry no capabilities here).
    pub fn after_exec(&self, set_uid: Option<u32>, set_gid: Option<u32>) -> Cred {
        let mut new = self.clone();
        if !self.no_new_privs {
            new.euid = set_uid.unwrap_or(self.euid);
            new.egid = set_gid.unwrap_or(self.egid);
        }
        new.suid = new.euid;
        new.fsuid = new.euid;
        new.sgid = new.egid;
        new.fsgid = new.egid;
        let root = self.user.uid_to_kernel(0);
        let is_root = |id: u32| Some(id) == root;
        let privileged = new.euid != self.euid || new.egid != self.egid;
        if privileged {
            new.ambient = CapSet::EMPTY;
        }
        if is_root(new.uid) || is_root(new.euid) {
            new.permitted = self.inheritable.or(self.bounding);
            new.effective = if is_root(new.euid) { new.permitted } else { new.ambient };
        } else {
            new.permitted = new.ambient;
            new.effective = new.ambient;
        }
        new.keep_caps = false;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::{Cap, CapSet, Cred};

    #[test]
    fn leaving_root_drops_capabilities_and_exec_regains_them_only_for_root() {
        let root = Cred::root();
        assert!(root.capable(Cap::SysAdmin));
        let mut user = (*root).clone();
        (user.uid, user.euid, user.suid, user.fsuid) = (1000, 1000, 1000, 1000);
        user.fix_after_uid_change(&root);
        assert_eq!(user.effective, CapSet::EMPTY);
        assert_eq!(user.after_exec(None, None).permitted, CapSet::EMPTY);
        assert_eq!(user.after_exec(Some(0), None).effective, CapSet::FULL);
        user.no_new_privs = true;
        assert_eq!(user.after_exec(Some(0), None).effective, CapSet::EMPTY);
    }
}
