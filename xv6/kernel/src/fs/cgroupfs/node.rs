//! Inodes of the cgroup tree: [`Folder`], a group, and [`Control`], one of its files. Both are made anew for each
//! lookup; the group is what lasts.
//!
//! Owners and modes that chown(2) and chmod(2) gave (delegation) are kept in the group. Locks: none of its own.

use super::CgroupFs;
use super::files::{ROWS, Row};
use crate::cgroup::{Cgroup, Owner, tree};
use crate::error::{Errno, Result};
use crate::fs::text::{Text, TextFile};
use crate::sync::Poller;
use crate::task;
use crate::time;
use crate::vfs::census::{self, Counted};
use crate::vfs::file::{Events, FileOps, OpenFlags};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, NewNode, SetAttr};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

/// A group's folder.
struct Folder {
    _counted: Counted,
    fs: Arc<CgroupFs>,
    group: Arc<Cgroup>,
}

/// One of a group's files.
struct Control {
    _counted: Counted,
    fs: Arc<CgroupFs>,
    group: Arc<Cgroup>,
    /// Which row of [`ROWS`].
    row: usize,
}

/// The folder of `group`.
pub fn folder(fs: Arc<CgroupFs>, group: Arc<Cgroup>) -> InodeRef {
    Arc::new(Folder { _counted: census::INODES.count(), fs, group })
}

/// Inode numbers: 64 for each group.
fn ino(group: &Cgroup, file: Option<usize>) -> u64 {
    group.id() * 64 + file.map_or(0, |row| row as u64 + 1)
}

fn attr(fs: &CgroupFs, group: &Cgroup, file: Option<usize>) -> Attr {
    let (name, kind, mode) = match file {
        Some(row) => (ROWS[row].name, Kind::File, ROWS[row].mode()),
        None => ("", Kind::Directory, 0o755),
    };
    let owner = group.owner(name).unwrap_or(Owner { uid: 0, gid: 0, mode });
    let now = time::now();
    Attr {
        ino: ino(group, file),
        dev: fs.dev,
        kind,
        mode: owner.mode,
        nlink: if file.is_some() { 1 } else { 2 + group.child_count() as u32 },
        uid: owner.uid,
        gid: owner.gid,
        rdev: 0,
        size: 0,
        blocks: 0,
        atime: now,
        mtime: now,
        ctime: now,
    }
}

fn set_attr(fs: &CgroupFs, group: &Cgroup, file: Option<usize>, change: &SetAttr) -> Result<()> {
    let now = attr(fs, group, file);
    let owner = Owner {
        uid: change.uid.unwrap_or(now.uid),
        gid: change.gid.unwrap_or(now.gid),
        mode: change.mode.unwrap_or(now.mode),
    };
    // A truncation (`>` of a shell) changes nothing.
    if change.uid.is_some() || change.gid.is_some() || change.mode.is_some() {
        group.set_owner(file.map_or("", |row| ROWS[row].name), owner);
    }
    Ok(())
}

impl Inode for Folder {
    fn attr(&self) -> Result<Attr> {
        Ok(attr(&self.fs, &self.group, None))
    }

    fn kind(&self) -> Kind {
        Kind::Directory
    }

    fn revalidate(&self) -> bool {
        !self.group.is_dead()
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        set_attr(&self.fs, &self.group, None, change)
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        if let Some(child) = self.group.child(name) {
            return Ok(folder(self.fs.clone(), child));
        }
        let found = ROWS.iter().position(|row| row.name.as_bytes() == name && row.is_in(&self.group));
        match found {
            Some(row) if !self.group.is_dead() => Ok(Arc::new(Control {
                _counted: census::INODES.count(),
                fs: self.fs.clone(),
                group: self.group.clone(),
                row,
            })),
            _ => Err(Errno::ENOENT.into()),
        }
    }

    fn create(&self, name: &[u8], node: &NewNode<'_>) -> Result<InodeRef> {
        if node.kind != Kind::Directory {
            // As where a file system has no way at all to make files, or nodes.
            return Err(if node.kind == Kind::File { Errno::EACCES } else { Errno::EPERM }.into());
        }
        let group = tree::make(&self.group, name)?;
        // A delegated group's children belong to who makes them, with their files that hand on and take in.
        if node.uid != 0 || node.gid != 0 {
            group.set_owner("", Owner { uid: node.uid, gid: node.gid, mode: node.mode });
            for row in ROWS.iter().filter(|row| row.store.is_some()) {
                group.set_owner(row.name, Owner { uid: node.uid, gid: node.gid, mode: row.mode() });
            }
        }
        Ok(folder(self.fs.clone(), group))
    }

    fn unlink(&self, _name: &[u8]) -> Result<()> {
        Err(Errno::EPERM.into())
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        tree::remove(&self.group, name)
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        // Files first, at cursors up to their number; then the children, at their ids beyond.
        const FIRST_CHILD: u64 = 64;
        for (row, next) in ROWS.iter().enumerate().zip(1..) {
            let (index, row) = row;
            if next > cursor && row.is_in(&self.group) {
                let entry =
                    DirEntry { ino: ino(&self.group, Some(index)), kind: Kind::File, name: row.name.as_bytes(), next };
                if !sink(entry) {
                    return Ok(());
                }
            }
        }
        let mut children = self.group.children();
        children.sort_by_key(|child| child.id());
        for child in children {
            let next = FIRST_CHILD + child.id();
            let entry = DirEntry { ino: ino(&child, None), kind: Kind::Directory, name: child.name(), next };
            if next > cursor && !sink(entry) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Inode for Control {
    fn attr(&self) -> Result<Attr> {
        Ok(attr(&self.fs, &self.group, Some(self.row)))
    }

    fn kind(&self) -> Kind {
        Kind::File
    }

    fn revalidate(&self) -> bool {
        !self.group.is_dead() && ROWS[self.row].is_in(&self.group)
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        set_attr(&self.fs, &self.group, Some(self.row), change)
    }

    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        TextFile::open(ControlText { group: self.group.clone(), row: &ROWS[self.row] })
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An open control file.
struct ControlText {
    group: Arc<Cgroup>,
    row: &'static Row,
}

impl Text for ControlText {
    fn show(&self) -> Result<Vec<u8>> {
        if self.group.is_dead() {
            return Err(Errno::ENODEV.into());
        }
        let show = self.row.show.ok_or(Errno::EINVAL)?;
        Ok(show(&self.group)?.into_bytes())
    }

    fn store(&self, message: &[u8]) -> Result<()> {
        if self.group.is_dead() {
            return Err(Errno::ENODEV.into());
        }
        let store = self.row.store.ok_or(Errno::EINVAL)?;
        // What limits a namespace from outside is not for those inside to change.
        let visible = task::try_current().and_then(|task| task.try_ns()).map(|ns| ns.cgroup.root.clone());
        let own_root = visible.is_some_and(|visible| !visible.is_root() && Arc::ptr_eq(&visible, &self.group));
        if !self.row.delegated && own_root {
            return Err(Errno::EPERM.during("changing the root of one's own cgroup namespace"));
        }
        store(&self.group, message)
    }

    fn generation(&self) -> u64 {
        self.row.notifier.map_or(0, |notifier| notifier(&self.group).generation())
    }

    fn poll(&self, seen: u64, poller: Option<&mut Poller>) -> Events {
        let mut events = Events::IN | Events::OUT | Events::RDNORM | Events::WRNORM;
        if let Some(notifier) = self.row.notifier {
            let notifier = notifier(&self.group);
            if let Some(poller) = poller {
                poller.register(notifier.queue());
            }
            if notifier.generation() != seen {
                events |= Events::PRI | Events::ERR;
            }
        }
        events
    }
}
