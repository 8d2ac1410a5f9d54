//! The cgroup tree as files (`mount -t cgroup2`, cgroups(7)): a folder for each group, `mkdir` and `rmdir` to make and
//! remove them, control files in each.
//!
//! [`CgroupFs`] is one mount; its root is the root of the mounter's cgroup namespace. `files` is the table of control
//! files, `node` the inodes, `members` what concerns processes. This file system and procfs are views: the only ones
//! that look up into `task`.
//!
//! Locks: none of its own; `cgroup::tree::lock` around migrations.

mod files;
mod members;
mod node;
#[cfg(test)]
mod tests;

use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::vfs::fstype::Source;
use crate::vfs::inode::{FileSystem, InodeRef, StatFs};
use crate::vfs::{FsType, MountArgs, new_dev};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

/// statfs(2)'s `f_type` of cgroup2.
const MAGIC: u64 = 0x6367_7270;

/// One mount of the tree.
pub struct CgroupFs {
    dev: u64,
    root: Arc<Cgroup>,
    this: Weak<CgroupFs>,
}

/// The type `cgroup2`.
pub static TYPE: FsType = FsType { name: "cgroup2", source: Source::Any, mount, in_user_ns: true };

/// Makes an instance that shows what the caller's cgroup namespace sees.
fn mount(args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    let root = args.ns.as_ref().map_or_else(crate::cgroup::root, |ns| ns.cgroup.root.clone());
    Ok(CgroupFs::of(root))
}

impl CgroupFs {
    /// An instance that shows `root` and what is below it.
    fn of(root: Arc<Cgroup>) -> Arc<CgroupFs> {
        Arc::new_cyclic(|this| CgroupFs { dev: new_dev(), root, this: this.clone() })
    }
}

impl FileSystem for CgroupFs {
    fn name(&self) -> &'static str {
        "cgroup2"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        node::folder(self.this.upgrade().expect("a borrowed file system is alive"), self.root.clone())
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs { magic: MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() })
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn options(&self) -> Vec<u8> {
        b"nsdelegate".to_vec()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
