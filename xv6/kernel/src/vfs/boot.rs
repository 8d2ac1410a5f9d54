//! The first mounts: the root file system from its disk, and devtmpfs on `/dev`.
//!
//! `kernel_main` calls [`init`] once, when threads can sleep; without a root there is nothing to run, and it says why.

use super::fstype::{self, FsType};
use super::inode::{Kind, NewNode};
use super::mount::{Mount, MountFlags, TOPOLOGY};
use super::superblock::{self, Superblock};
use super::{FsContext, MountNamespace, Walk};
use crate::drivers::{block, mem};
use crate::error::{Errno, Result};
use crate::fs::{devtmpfs, tmpfs};
use crate::ns::UserNamespace;
use crate::task::Cred;
use alloc::format;
use alloc::sync::Arc;
use hal::log::{self, Level};

/// The file system type of a root disk.
const ROOT_TYPE: &str = "xv6fs";

/// Mounts the root that the kernel option `root=` names (`vda`, `/dev/vda`, or `tmpfs` for an empty one in memory) and `/dev`. Returns
/// the first mount namespace and a context that stands at its root.
pub fn init(root: &str) -> Result<(Arc<MountNamespace>, FsContext)> {
    mem::init();
    let root = mount_root(root)?;
    let namespace = MountNamespace::new(root.clone(), UserNamespace::initial().clone());
    if let Err(error) = mount_dev(&namespace) {
        log::record(Level::Error, format_args!("cannot mount devtmpfs on /dev: {error:?}"));
    }
    Ok((namespace, FsContext::new(root.root_path())))
}

fn mount_root(root: &str) -> Result<Arc<Mount>> {
    if root == "tmpfs" {
        let superblock =
            Superblock::new(tmpfs::TmpFs::new("tmpfs", &tmpfs::Options { mode: 0o755, ..Default::default() }), false);
        return Ok(Mount::new(superblock.clone(), superblock.root.clone(), b"tmpfs", MountFlags::RELATIME));
    }
    let name = root.strip_prefix("/dev/").unwrap_or(root);
    let index = match name.as_bytes() {
        [b'v', b'd', letter @ b'a'..=b'z'] => usize::from(letter - b'a'),
        _ => return Err(Errno::EINVAL.during("reading the option root=")),
    };
    let disk = block::devices().get(index).ok_or(Errno::ENXIO.during("looking for the root disk"))?;
    let fs_type: &'static FsType = fstype::find(ROOT_TYPE.as_bytes())?;
    // Types on a disk resolve no paths; what stands in for a root here is never walked.
    let nowhere = super::anon::path_of("boot");
    let walk = Walk { root: nowhere.clone(), start: nowhere, cred: Cred::root() };
    let superblock = match fstype::instance_on_disk(fs_type, disk, disk.read_only(), &walk) {
        // The disk does not take what its log holds, say: that can be read all the same, from memory.
        Err(error) if error.errno == Errno::EIO && !disk.read_only() => {
            let superblock = fstype::instance_on_disk(fs_type, disk, true, &walk)?;
            let text = format_args!("cannot write to the root disk {name} ({error:?}): it is mounted read-only");
            log::record(Level::Critical, text);
            superblock
        }
        superblock => superblock?,
    };
    let source = format!("/dev/{name}");
    Ok(Mount::new(superblock.clone(), superblock.root.clone(), source.as_bytes(), MountFlags::RELATIME))
}

fn mount_dev(namespace: &Arc<MountNamespace>) -> Result<()> {
    let root = namespace.root();
    let point = match root.root.lookup(b"dev") {
        Ok(point) => point,
        Err(error) if error.errno == Errno::ENOENT => {
            let node = NewNode { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: b"" };
            root.root.create(b"dev", &node)?
        }
        Err(error) => return Err(error),
    };
    let superblock = superblock::of(devtmpfs::instance().clone(), false, UserNamespace::initial());
    let mount =
        Mount::new(superblock.clone(), superblock.root.clone(), b"devtmpfs", MountFlags::NOSUID | MountFlags::RELATIME);
    let _guard = TOPOLOGY.lock();
    let charge = namespace.charge(1)?;
    mount.attach(&super::Path { mount: root, dentry: point })?;
    mount.set_namespace(Arc::downgrade(namespace));
    charge.commit();
    Ok(())
}
