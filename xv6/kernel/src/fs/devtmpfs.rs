//! devtmpfs: the one tmpfs that the kernel fills with its device nodes; every mount of the type shows it.

use super::tmpfs::{Options, TmpFs};
use crate::drivers::{chr, mem};
use crate::error::Result;
use crate::vfs::devnum;
use crate::vfs::fstype::{self, FsType, Source};
use crate::vfs::inode::{Inode, Kind, NewNode};
use alloc::sync::Arc;
use hal::sync::Lazy;

/// The type `devtmpfs`.
pub static TYPE: FsType =
    FsType { name: "devtmpfs", source: Source::Any, mount: |_| Ok(instance().clone()), in_user_ns: false };

/// Terminals: name, major, minor, mode.
const TTYS: &[(&str, u32, u32, u16)] = &[("tty", 5, 0, 0o666), ("console", 5, 1, 0o600)];

static INSTANCE: Lazy<Arc<TmpFs>> = Lazy::new(|| {
    let fs = TmpFs::new("devtmpfs", &Options { mode: 0o755, ..Options::default() });
    if let Err(error) = fill(&fs) {
        hal::log::record(hal::log::Level::Error, format_args!("devtmpfs: {error:?}"));
    }
    fs
});

/// The instance.
pub fn instance() -> &'static Arc<TmpFs> {
    &INSTANCE
}

fn fill(fs: &TmpFs) -> Result<()> {
    let root = fs.root_inode();
    let node = |kind, mode, rdev| NewNode { kind, mode, uid: 0, gid: 0, rdev, target: b"" };
    for &(name, minor, mode) in mem::NODES {
        root.create(name.as_bytes(), &node(Kind::CharDevice, mode, devnum::make(mem::MAJOR, minor)))?;
    }
    for &(name, major, minor, mode) in TTYS {
        root.create(name.as_bytes(), &node(Kind::CharDevice, mode, devnum::make(major, minor)))?;
    }
    for (name, rdev) in fstype::disks() {
        debug_assert!(chr::disk(rdev).is_some(), "a disk has its number");
        root.create(&name, &node(Kind::BlockDevice, 0o660, rdev))?;
    }
    for name in [&b"pts"[..], b"shm"] {
        root.create(name, &node(Kind::Directory, 0o755, 0))?;
    }
    let link = |target| NewNode { kind: Kind::Symlink, mode: 0o777, uid: 0, gid: 0, rdev: 0, target };
    root.create(b"fd", &link(b"/proc/self/fd"))?;
    root.create(b"stdin", &link(b"/proc/self/fd/0"))?;
    root.create(b"stdout", &link(b"/proc/self/fd/1"))?;
    root.create(b"stderr", &link(b"/proc/self/fd/2"))?;
    // Each devpts instance brings its own (Linux's filesystems/devpts.rst).
    root.create(b"ptmx", &link(b"pts/ptmx"))?;
    Ok(())
}
