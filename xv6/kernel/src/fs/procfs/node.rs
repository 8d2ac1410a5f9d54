//! Inodes of procfs: [`ProcNode`], a row of a table about a subject, or an entry of a list. Made anew for each lookup.
//!
//! An inode holds its process weakly, so a cached name or an open file keeps no dead process. Inode numbers are hashes
//! of the path of rows, stable while the process lives.

use super::lists::List;
use super::{ProcFs, Row, Show, Store, Subject, View, What, access};
use crate::error::{Errno, Result};
use crate::fs::text::{Text, TextFile};
use crate::time;
use crate::vfs::Path;
use crate::vfs::census::{self, Counted};
use crate::vfs::file::{FileOps, OpenFlags};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, SetAttr};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

/// A file, folder or link.
pub struct ProcNode {
    _counted: Counted,
    ino: u64,
    mode: u16,
    private: bool,
    view: View,
    what: What,
}

/// The inode number of the root, as Linux has it.
const ROOT_INO: u64 = 1;

/// The root folder.
pub fn root(view: View) -> InodeRef {
    Arc::new(ProcNode {
        _counted: census::INODES.count(),
        ino: ROOT_INO,
        mode: 0o555,
        private: false,
        view,
        what: What::List(&super::lists::Root),
    })
}

/// FNV-1a over the parent's number and a name: a number for a child.
pub fn child_ino(parent: u64, name: &[u8]) -> u64 {
    let seed = parent.to_le_bytes();
    let hash = seed
        .iter()
        .chain(name)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    // Positive as a signed number, and never one of the small ones.
    hash >> 1 | 1 << 32
}

impl ProcNode {
    /// What it is about, if it is a process's folder.
    pub fn of_process(&self) -> Option<&View> {
        matches!(self.what, What::Process(_)).then_some(&self.view)
    }

    /// An entry called `name` of the folder `parent`.
    pub fn new(parent: &ProcNode, name: &[u8], view: View, row: &Row) -> Arc<ProcNode> {
        Arc::new(ProcNode {
            _counted: census::INODES.count(),
            ino: child_ino(parent.ino, name),
            mode: row.mode,
            private: row.private,
            view,
            what: row.what,
        })
    }

    /// The folder's view.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The entry `name` of a table.
    pub fn find_row(&self, rows: &'static [Row], name: &[u8], view: &View) -> Result<InodeRef> {
        let row = rows.iter().find(|row| row.name.as_bytes() == name).ok_or(Errno::ENOENT)?;
        Ok(ProcNode::new(self, name, view.clone(), row))
    }

    /// Feeds a table's rows, at cursors from 1 on; false once `sink` had enough.
    pub fn feed_rows(&self, rows: &[Row], cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> bool {
        let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
        rows.iter().zip(1..).skip(skip).all(|(row, next)| {
            let name = row.name.as_bytes();
            sink(DirEntry { ino: child_ino(self.ino, name), kind: row.what.kind(), name, next })
        })
    }

    /// The number of this folder's entry `name`.
    pub fn entry_ino(&self, name: &[u8]) -> u64 {
        child_ino(self.ino, name)
    }

    fn check(&self) -> Result<()> {
        if self.private { access::may_inspect(&self.view) } else { Ok(()) }
    }

    fn list(&self) -> Result<&'static dyn List> {
        match self.what {
            What::List(list) => Ok(list),
            _ => Err(Errno::ENOTDIR.into()),
        }
    }
}

impl What {
    fn kind(self) -> Kind {
        match self {
            What::Text(_) | What::Knob(..) | What::Memory => Kind::File,
            What::Link(_) | What::Magic(..) => Kind::Symlink,
            What::Rows(_) | What::Process(_) | What::List(_) => Kind::Directory,
        }
    }
}

impl Inode for ProcNode {
    fn attr(&self) -> Result<Attr> {
        let (uid, gid) = access::owner_of(&self.view)?;
        let now = time::now();
        let mode = match self.what {
            What::List(list) => list.mode(&self.view).unwrap_or(self.mode),
            _ => self.mode,
        };
        Ok(Attr {
            ino: self.ino,
            dev: self.view.fs.dev,
            kind: self.kind(),
            mode,
            nlink: if self.kind() == Kind::Directory { 2 } else { 1 },
            uid,
            gid,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
        })
    }

    fn kind(&self) -> Kind {
        self.what.kind()
    }

    fn revalidate(&self) -> bool {
        matches!(self.view.subject, Subject::System)
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        // A shell's `>` truncates; owners and modes stay.
        let changes = change.mode.is_some() || change.uid.is_some() || change.gid.is_some();
        if changes { Err(Errno::EPERM.into()) } else { Ok(()) }
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        match self.what {
            What::Rows(rows) | What::Process(rows) => self.find_row(rows, name, &self.view),
            _ => {
                let list = self.list()?;
                self.check()?;
                list.find(self, name)
            }
        }
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        match self.what {
            What::Rows(rows) | What::Process(rows) => {
                self.feed_rows(rows, cursor, sink);
                Ok(())
            }
            _ => {
                let list = self.list()?;
                self.check()?;
                list.feed(self, cursor, sink)
            }
        }
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        match self.what {
            What::Link(show) => show(&self.view),
            What::Magic(_, show) => {
                self.check()?;
                show(&self.view)
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn magic_link(&self) -> Option<Result<Path>> {
        match self.what {
            What::Magic(place, _) => Some(self.check().and_then(|()| place(&self.view))),
            _ => None,
        }
    }

    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        let (show, store) = match self.what {
            What::Text(show) => (show, None),
            What::Knob(show, store) => (show, Some(store)),
            What::Memory => {
                self.check()?;
                return super::mem::open(&self.view);
            }
            _ => return Ok(None),
        };
        self.check()?;
        TextFile::open(ProcText { view: self.view.clone(), show, store })
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        let fs: Arc<ProcFs> = self.view.fs.clone();
        fs
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An open file.
struct ProcText {
    view: View,
    show: Show,
    store: Option<Store>,
}

impl Text for ProcText {
    fn show(&self) -> Result<Vec<u8>> {
        (self.show)(&self.view)
    }

    fn store(&self, message: &[u8]) -> Result<()> {
        (self.store.ok_or(Errno::EINVAL)?)(&self.view, message)
    }
}
