//! Mounting an overlay: the layers are found and checked, the upper one is claimed, the work directory is cleaned.

use super::options::Options;
use super::work::empty;
use super::{Claim, Layer, MAX_DEPTH, OPAQUE, Overlay, Upper};
use crate::error::{Errno, Result};
use crate::vfs::fstype::Source;
use crate::vfs::inode::{FileSystem, Kind, NewNode};
use crate::vfs::{Dentry, FsType, MountArgs, Path, WalkFlags, new_dev, walk};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU64;
use hal::sync::{Rank, SpinLock};

/// The type `overlay`.
pub static TYPE: FsType = FsType { name: "overlay", source: Source::Any, mount, in_user_ns: false };

/// Upper and work directories in use by an overlay, by the addresses of their dentries: a second one on them would contradict the first.
static CLAIMED: SpinLock<BTreeSet<usize>> = SpinLock::new(Rank::Inode, "overlay layers", BTreeSet::new());

/// Makes an instance. `EINVAL`: bad options, or layers that do not fit together; `ENOENT`, `ENOTDIR`, ... as the walk
/// to a layer, `EINVAL` for a file; `EBUSY`: the upper or work directory serves another overlay; `ELOOP`: the upper layer lies in a lower
/// one or the other way round.
fn mount(args: &MountArgs<'_>) -> Result<Arc<dyn FileSystem>> {
    let options = Options::parse(args.data)?;
    let find = |path: &[u8]| -> Result<Path> {
        let found = walk(args.walk, path, WalkFlags::empty())?;
        if found.is_dir() { Ok(found) } else { Err(Errno::EINVAL.during("mounting an overlay on a file")) }
    };
    let lower = options.lower.iter().map(|path| find(path)).collect::<Result<Vec<Path>>>()?;
    let upper = match &options.upper {
        Some((upper, work)) => Some((find(upper)?, find(work)?)),
        None => None,
    };
    Ok(build(lower, upper, args.data)?)
}

/// An overlay of these layers, the first lower one topmost.
pub(super) fn build(lower: Vec<Path>, upper: Option<(Path, Path)>, options: &[u8]) -> Result<Arc<Overlay>> {
    let below = |path: &Path| match path.inode().fs().as_any().downcast_ref::<Overlay>() {
        Some(overlay) => overlay.depth + 1,
        None => 0,
    };
    let depth = lower.iter().map(below).max().unwrap_or(0);
    if depth >= MAX_DEPTH {
        return Err(Errno::EINVAL.during("mounting an overlay on too many others"));
    }
    let upper = match upper {
        Some((root, work)) => Some(prepare(&lower, root, work)?),
        None => None,
    };
    Ok(Arc::new_cyclic(|this| Overlay {
        dev: new_dev(),
        depth,
        lower: lower.into_iter().map(Layer::from).collect(),
        upper,
        options: options.to_vec(),
        inodes: SpinLock::new(Rank::Inode, "overlay inodes", BTreeMap::new()),
        next_temporary: AtomicU64::new(0),
        this: this.clone(),
    }))
}

/// Checks and claims the upper layer.
fn prepare(lower: &[Path], root: Path, work: Path) -> Result<Upper> {
    let overlaps = |a: &Path, b: &Path| a.dentry.is_ancestor_of(&b.dentry) || b.dentry.is_ancestor_of(&a.dentry);
    if !Arc::ptr_eq(&root.mount, &work.mount) {
        return Err(Errno::EINVAL.during("mounting an overlay: upperdir and workdir lie on different mounts"));
    }
    if overlaps(&root, &work) {
        return Err(Errno::EINVAL.during("mounting an overlay: upperdir and workdir overlap"));
    }
    if lower.iter().any(|lower| overlaps(lower, &root) || overlaps(lower, &work)) {
        return Err(Errno::ELOOP.during("mounting an overlay: a lower layer overlaps the upper one"));
    }
    root.mount.check_writable()?;
    if root.inode().fs().as_any().downcast_ref::<Overlay>().is_some() {
        return Err(Errno::EINVAL.during("mounting an overlay: the upper layer is an overlay"));
    }
    let work_dir = inner_work(&work.dentry)?;
    let claim = claim(&root.dentry, &work.dentry)?;
    empty(&work_dir)?;
    // The upper file system must take the marks that an overlay leaves.
    let probe = work_dir.inode().set_xattr(OPAQUE, b"n").and_then(|()| work_dir.inode().remove_xattr(OPAQUE));
    probe.map_err(|_| Errno::EINVAL.during("mounting an overlay: the upper file system keeps no attributes"))?;
    Ok(Upper { root: root.into(), work: work_dir, _claim: claim })
}

/// The folder `work` of the work directory, made if need be (as Linux, which keeps other things beside it).
fn inner_work(dir: &Arc<Dentry>) -> Result<Arc<Dentry>> {
    match dir.lookup(b"work") {
        Ok(found) if found.is_dir() => return Ok(found),
        Ok(_) => dir.unlink(b"work")?,
        Err(error) if error.errno == Errno::ENOENT => {}
        Err(error) => return Err(error),
    }
    dir.create(b"work", &NewNode { kind: Kind::Directory, mode: 0, uid: 0, gid: 0, rdev: 0, target: b"" })
}

/// Takes both directories for a new overlay.
fn claim(upper: &Arc<Dentry>, work: &Arc<Dentry>) -> Result<Claim> {
    let mut claimed = CLAIMED.lock();
    let addresses = [upper, work].map(|dentry| Arc::as_ptr(dentry).addr());
    if addresses.iter().any(|address| claimed.contains(address)) {
        return Err(Errno::EBUSY.during("mounting an overlay: its upperdir or workdir is in use by another"));
    }
    claimed.extend(addresses);
    Ok(Claim { dentries: [upper.clone(), work.clone()] })
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = CLAIMED.lock();
        for dentry in &self.dentries {
            claimed.remove(&Arc::as_ptr(dentry).addr());
        }
    }
}
