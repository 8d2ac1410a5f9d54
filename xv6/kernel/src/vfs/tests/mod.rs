//! Tests of the VFS over tmpfs, on the host: the walk (`walking`), the mount tree (`mounting`), pipes (`piping`), and names
//! against a model (`model`).

mod model;
mod mounting;
mod piping;
mod walking;

use super::content;
use super::file::OpenFlags;
use super::inode::{Kind, RenameMode};
use super::mount::{Mount, MountFlags};
use super::superblock::Superblock;
use super::{File, MountNamespace, Path, Walk, WalkFlags, change, open, walk};
use crate::error::{Errno, Result};
use crate::fs::tmpfs::{Options, TmpFs};
use crate::mm::WriteBuf;
use crate::ns::{CgroupNamespace, IpcNamespace, NetNamespace, NsProxy, PidNamespace, UserNamespace, UtsNamespace};
use crate::task::Cred;
use alloc::sync::Arc;

/// A mount of a fresh tmpfs that belongs to no namespace.
pub fn scratch_mount() -> Arc<Mount> {
    let superblock = Superblock::new(TmpFs::new("tmpfs", &Options::default()), false);
    let root = superblock.root.clone();
    Mount::new(superblock, root, b"scratch", MountFlags::empty())
}

/// An open file of no importance.
pub fn scratch_file() -> Arc<File> {
    let path = scratch_mount().root_path();
    assert_eq!(path.inode().kind(), Kind::Directory);
    File::new(path, content::directory(), OpenFlags::empty())
}

/// A walk by root from `root`.
pub fn walk_from(root: &Path) -> Walk {
    Walk { root: root.clone(), start: root.clone(), cred: Cred::root() }
}

/// A walk by user 1000.
fn walk_as_user(root: &Path) -> Walk {
    let mut cred = (*Cred::root()).clone();
    (cred.uid, cred.euid, cred.suid, cred.fsuid) = (1000, 1000, 1000, 1000);
    (cred.gid, cred.egid, cred.sgid, cred.fsgid) = (1000, 1000, 1000, 1000);
    cred.fix_after_uid_change(&Cred::root());
    Walk { root: root.clone(), start: root.clone(), cred: Arc::new(cred) }
}

fn find(ctx: &Walk, path: &str) -> Result<Path> {
    walk(ctx, path.as_bytes(), WalkFlags::empty())
}

fn mkdir(ctx: &Walk, path: &str) -> Result<Path> {
    change::make(ctx, path.as_bytes(), Kind::Directory, 0o755, 0, b"")
}

fn symlink(ctx: &Walk, target: &str, path: &str) -> Result<Path> {
    change::make(ctx, path.as_bytes(), Kind::Symlink, 0o777, 0, target.as_bytes())
}

/// The namespace that a walk's root belongs to; an empty one if it is no namespace's.
fn namespace_of(ctx: &Walk) -> Arc<MountNamespace> {
    let none = || MountNamespace::new(scratch_mount(), UserNamespace::initial().clone());
    ctx.root.mount.namespace().unwrap_or_else(none)
}

fn unlink(ctx: &Walk, path: &[u8]) -> Result<()> {
    change::unlink(ctx, &namespace_of(ctx), path)
}

fn rmdir(ctx: &Walk, path: &[u8]) -> Result<()> {
    change::rmdir(ctx, &namespace_of(ctx), path)
}

fn rename(ctx: &Walk, from: &[u8], to: &[u8], mode: RenameMode) -> Result<()> {
    change::rename((ctx, from), (ctx, to), &namespace_of(ctx), mode)
}

/// Creates or rewrites a file.
fn put(ctx: &Walk, path: &str, text: &str) -> Result<Arc<File>> {
    let flags = OpenFlags::CREAT | OpenFlags::TRUNC | OpenFlags::RDWR;
    let file = open::open(ctx, path.as_bytes(), flags, 0o644, WalkFlags::empty())?;
    file.write(&mut WriteBuf::kernel(text.as_bytes()))?;
    Ok(file)
}

fn open_with(ctx: &Walk, path: &str, flags: OpenFlags) -> Result<Arc<File>> {
    open::open(ctx, path.as_bytes(), flags, 0o644, WalkFlags::empty())
}

/// The errno of a call that must fail.
fn errno<T>(result: Result<T>) -> Errno {
    result.err().expect("a call that fails").errno
}

/// A process's namespaces, with `mnt` among them.
fn proxy(mnt: Arc<MountNamespace>) -> Arc<NsProxy> {
    let user = UserNamespace::initial();
    Arc::new(NsProxy {
        mnt,
        uts: UtsNamespace::initial(),
        ipc: IpcNamespace::new(user.clone()),
        net: NetNamespace::new(user.clone()),
        cgroup: CgroupNamespace::new(user.clone(), crate::cgroup::root()),
        pid_for_children: PidNamespace::initial().clone(),
    })
}
