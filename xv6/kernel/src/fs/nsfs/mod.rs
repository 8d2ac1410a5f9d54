//! Namespaces as files: what `/proc/PID/ns/X` leads to. A file here can be opened (for setns(2)) and bind-mounted, and
//! keeps its namespace alive.
//!
//! [`NsFile`] is one that is open.
//!
//! All lie on an [`Internal`] mount. No locks.

mod file;

pub use file::NsFile;

use crate::error::Result;
use crate::ns::NsRef;
use crate::vfs::census::{self, Counted};
use crate::vfs::file::{FileOps, OpenFlags};
use crate::vfs::inode::{Attr, FileSystem, Inode, InodeRef, Kind, StatFs, Time};
use crate::vfs::internal::Internal;
use crate::vfs::{Path, new_dev};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use hal::sync::Lazy;

/// Linux's `NSFS_MAGIC`.
const MAGIC: u64 = 0x6e73_6673;

struct NsFs {
    dev: u64,
}

static INSTANCE: Lazy<Internal<NsFs>> = Lazy::new(|| Internal::new(NsFs { dev: new_dev() }));

/// What the link to `namespace` shows, e.g. `pid:[4026531836]`.
pub fn text(namespace: &NsRef) -> Vec<u8> {
    format!("{}:[{}]", namespace.name(), namespace.ino()).into_bytes()
}

/// The place where `namespace` is a file.
pub fn path(namespace: NsRef) -> Path {
    let name = text(&namespace);
    INSTANCE.path(Arc::new(NsInode { _counted: census::INODES.count(), namespace: Some(namespace) }), &name)
}

/// The namespace that the file at `path` is, if it is one.
pub fn namespace(path: &Path) -> Option<&NsRef> {
    path.inode().as_any().downcast_ref::<NsInode>()?.namespace.as_ref()
}

impl FileSystem for NsFs {
    fn name(&self) -> &'static str {
        "nsfs"
    }

    fn dev(&self) -> u64 {
        self.dev
    }

    fn root(&self) -> InodeRef {
        Arc::new(NsInode { _counted: census::INODES.count(), namespace: None })
    }

    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs { magic: MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A namespace's inode, or the root that nobody sees.
struct NsInode {
    _counted: Counted,
    namespace: Option<NsRef>,
}

impl Inode for NsInode {
    fn attr(&self) -> Result<Attr> {
        let zero = Time::default();
        Ok(Attr {
            ino: self.namespace.as_ref().map_or(1, NsRef::ino),
            dev: INSTANCE.fs.dev,
            kind: self.kind(),
            mode: 0o444,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: zero,
            mtime: zero,
            ctime: zero,
        })
    }

    fn kind(&self) -> Kind {
        if self.namespace.is_some() { Kind::File } else { Kind::Directory }
    }

    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        Ok(self.namespace.as_ref().map(|namespace| {
            let ops: Arc<dyn FileOps> = Arc::new(NsFile(namespace.clone()));
            ops
        }))
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        INSTANCE.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
