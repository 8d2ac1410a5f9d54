//! Files without a name in any directory: pipes, pidfds, epolls, eventfds.
//!
//! They live on an [`Internal`] mount, so that every open file has a [`Path`]. The dentry's name is what `/proc/PID/fd` shows.

use super::Path;
use super::census::{self, Counted};
use super::file::{FileOps, OpenFlags};
use super::inode::{Attr, FileSystem, Inode, InodeRef, Kind, StatFs, Time};
use super::internal::Internal;
use super::superblock::new_dev;
use crate::error::{Errno, Result};
use alloc::format;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};
use hal::sync::Lazy;

/// Linux's `ANON_INODE_FS_MAGIC`.
const MAGIC: u64 = 0x0904_1934;

struct AnonFs {
    dev: u64,
}

static ANON: Lazy<Internal<AnonFs>> = Lazy::new(|| Internal::new(AnonFs { dev: new_dev() }));

impl FileSystem for AnonFs {
    fn name(&self) -> &'static str {
        "anon_inodefs"
    }
    fn dev(&self) -> u64 {
        self.dev
    }
    fn root(&self) -> InodeRef {
        Arc::new(AnonInode { _counted: census::INODES.count(), ino: 1, kind: Kind::Directory })
    }
    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs { magic: MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The next inode number on the internal mount.
pub fn next_ino() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(2);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The internal file system, for inodes that bring their own type (pipes).
pub fn fs() -> Arc<dyn FileSystem> {
    ANON.fs.clone()
}

/// What stat(2) tells about an inode here: mode 0600, owned by root, no size.
pub fn attr(ino: u64, kind: Kind) -> Attr {
    let zero = Time::default();
    let (dev, uid, gid) = (ANON.fs.dev, 0, 0);
    Attr {
        ino,
        dev,
        kind,
        mode: 0o600,
        nlink: 1,
        uid,
        gid,
        rdev: 0,
        size: 0,
        blocks: 0,
        atime: zero,
        mtime: zero,
        ctime: zero,
    }
}

/// An inode without content: the open file's operations are all there is.
struct AnonInode {
    _counted: Counted,
    ino: u64,
    kind: Kind,
}

impl Inode for AnonInode {
    fn attr(&self) -> Result<Attr> {
        Ok(attr(self.ino, self.kind))
    }
    fn kind(&self) -> Kind {
        self.kind
    }
    /// Opening it again, through `/proc/PID/fd`, is not possible.
    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        Err(Errno::ENXIO.into())
    }
    fn fs(&self) -> Arc<dyn FileSystem> {
        fs()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A place for an open file that is all operations; shown as `anon_inode:NAME`.
pub fn path_of(name: &str) -> Path {
    let inode = Arc::new(AnonInode { _counted: census::INODES.count(), ino: next_ino(), kind: Kind::File });
    path(inode, format!("anon_inode:{name}").as_bytes())
}

/// A place for `inode`; `/proc/PID/fd` shows `name` as it is.
pub fn path(inode: InodeRef, name: &[u8]) -> Path {
    ANON.path(inode, name)
}

/// True for places made here.
pub fn is_anonymous(path: &Path) -> bool {
    ANON.holds(path)
}
