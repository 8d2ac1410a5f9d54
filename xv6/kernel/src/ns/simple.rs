//! The namespaces with little inside: UTS (host and domain name), IPC and network (an identity so far), cgroup (a root).
//!
//! Locks: the names of a UTS namespace are behind a spin lock.

use super::{NsCommon, UserNamespace};
use crate::cgroup::Cgroup;
use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::sync::{Rank, SpinLock};

/// Longest host or domain name in bytes (`__NEW_UTS_LEN`).
const NAME_MAX: usize = 64;

struct Names {
    host: Vec<u8>,
    domain: Vec<u8>,
}

/// Host and domain name (uts_namespaces(7)).
pub struct UtsNamespace {
    /// Identity and owner.
    pub common: NsCommon,
    names: SpinLock<Names>,
}

impl UtsNamespace {
    /// The boot's: host name `xv6`, until init sets another.
    pub fn initial() -> Arc<UtsNamespace> {
        UtsNamespace::with(UserNamespace::initial().clone(), b"xv6".to_vec(), b"(none)".to_vec())
    }

    fn with(owner: Arc<UserNamespace>, host: Vec<u8>, domain: Vec<u8>) -> Arc<UtsNamespace> {
        let names = SpinLock::new(Rank::Leaf, "uts namespace", Names { host, domain });
        Arc::new(UtsNamespace { common: NsCommon::new(owner), names })
    }

    /// A copy that changes apart from this one.
    pub fn copy(&self, owner: Arc<UserNamespace>) -> Arc<UtsNamespace> {
        UtsNamespace::with(owner, self.host(), self.domain())
    }

    /// The host name.
    pub fn host(&self) -> Vec<u8> {
        self.names.lock().host.clone()
    }

    /// The NIS domain name.
    pub fn domain(&self) -> Vec<u8> {
        self.names.lock().domain.clone()
    }

    /// Sets the host name; `EINVAL` beyond 64 bytes.
    pub fn set_host(&self, name: Vec<u8>) -> Result<()> {
        if name.len() > NAME_MAX {
            return Err(Errno::EINVAL.into());
        }
        self.names.lock().host = name;
        Ok(())
    }

    /// Sets the domain name; `EINVAL` beyond 64 bytes.
    pub fn set_domain(&self, name: Vec<u8>) -> Result<()> {
        if name.len() > NAME_MAX {
            return Err(Errno::EINVAL.into());
        }
        self.names.lock().domain = name;
        Ok(())
    }
}

/// An IPC namespace: an identity, since System V IPC and POSIX queues are not supported.
pub struct IpcNamespace {
    /// Identity and owner.
    pub common: NsCommon,
}

impl IpcNamespace {
    /// A new one.
    pub fn new(owner: Arc<UserNamespace>) -> Arc<IpcNamespace> {
        Arc::new(IpcNamespace { common: NsCommon::new(owner) })
    }
}

/// A network namespace: an identity so far.
pub struct NetNamespace {
    /// Identity and owner.
    pub common: NsCommon,
}

impl NetNamespace {
    /// A new one.
    pub fn new(owner: Arc<UserNamespace>) -> Arc<NetNamespace> {
        Arc::new(NetNamespace { common: NsCommon::new(owner) })
    }
}

/// A cgroup namespace: the group that shows as `/` inside (cgroup_namespaces(7)).
pub struct CgroupNamespace {
    /// Identity and owner.
    pub common: NsCommon,
    /// The group that shows as the root.
    pub root: Arc<Cgroup>,
}

impl CgroupNamespace {
    /// A new one that shows `root` as `/`.
    pub fn new(owner: Arc<UserNamespace>, root: Arc<Cgroup>) -> Arc<CgroupNamespace> {
        Arc::new(CgroupNamespace { common: NsCommon::new(owner), root })
    }
}
