//! devpts: the slaves of pseudo-terminals as files, and `ptmx`, which makes them (pty(7); Linux's filesystems/devpts.rst).
//!
//! Every mount is an instance of its own, with its own numbers: a container sees only its own terminals. Options: `mode=` and
//! `gid=` for slaves, `ptmxmode=` for `ptmx`; `newinstance` is what every mount is anyway.
//!
//! Locks: the table of pairs, `Rank::Leaf`.

use super::pty::{Master, Pty, SLAVE_MAJOR};
use crate::error::{Errno, Result};
use crate::time::now;
use crate::vfs::census::{self, Counted};
use crate::vfs::devnum;
use crate::vfs::file::{FileOps, OpenFlags};
use crate::vfs::fstype::{FsType, Source};
use crate::vfs::inode::{Attr, DirEntry, FileSystem, Inode, InodeRef, Kind, SetAttr, StatFs, Time};
use crate::vfs::new_dev;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use hal::sync::{Rank, SpinLock};

/// The type `devpts`.
pub static TYPE: FsType = FsType {
    name: "devpts",
    source: Source::Any,
    mount: |args| Ok(DevPts::new(args.data)? as Arc<dyn FileSystem>),
    in_user_ns: true,
};

/// The most pseudo-terminals of one instance.
const LIMIT: u32 = 256;
/// Linux's `DEVPTS_SUPER_MAGIC`.
const MAGIC: u64 = 0x1cd1;

const ROOT_INO: u64 = 1;
const PTMX_INO: u64 = 2;
const FIRST_SLAVE_INO: u64 = 3;

/// What a node's attributes may be changed to, and when they were.
#[derive(Clone, Copy)]
struct Access {
    mode: u16,
    uid: u32,
    gid: u32,
    time: Time,
}

/// One instance.
pub struct DevPts {
    dev: u64,
    this: Weak<DevPts>,
    /// Mode and group of new slaves.
    mode: u16,
    gid: u32,
    ptmx: SpinLock<Access>,
    slaves: SpinLock<BTreeMap<u32, (Arc<Pty>, Access)>>,
}

impl DevPts {
    /// An instance with the mount options `data`; an unknown one is `EINVAL`.
    pub fn new(data: &[u8]) -> Result<Arc<DevPts>> {
        let text = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        let (mut mode, mut gid, mut ptmx_mode) = (0o600, 0, 0o000);
        let octal =
            |value: &str| u16::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777).ok_or(Errno::EINVAL);
        for option in text.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                None if option == "newinstance" => {}
                Some(("mode", value)) => mode = octal(value)?,
                Some(("ptmxmode", value)) => ptmx_mode = octal(value)?,
                Some(("gid", value)) => gid = value.parse().map_err(|_| Errno::EINVAL)?,
                Some(("max" | "uid", value)) if value.parse::<u32>().is_ok() => {}
                _ => return Err(Errno::EINVAL.during("reading devpts options")),
            }
        }
        Ok(Arc::new_cyclic(|this| DevPts {
            dev: new_dev(),
            this: this.clone(),
            mode,
            gid,
            ptmx: SpinLock::new(Rank::Leaf, "ptmx", Access { mode: ptmx_mode, uid: 0, gid: 0, time: now() }),
            slaves: SpinLock::new(Rank::Leaf, "devpts", BTreeMap::new()),
        }))
    }

    /// open(2) of `ptmx`: a new pair with the lowest free number.
    fn open_master(&self) -> Result<Arc<dyn FileOps>> {
        let uid = crate::task::try_current().map_or(0, |task| task.cred().fsuid);
        let mut slaves = self.slaves.lock();
        let number = (0..LIMIT).find(|number| !slaves.contains_key(number)).ok_or(Errno::ENOSPC)?;
        let pty = Pty::new(number, self.this.clone());
        slaves.insert(number, (pty.clone(), Access { mode: self.mode, uid, gid: self.gid, time: now() }));
        Ok(Arc::new(Master::new(pty)))
    }

    /// The pair's master is gone, and with it the slave's name.
    pub(super) fn forget(&self, number: u32) {
        let gone = self.slaves.lock().remove(&number);
        drop(gone); // outside the lock
    }

    fn node(&self, what: What) -> Result<InodeRef> {
        Ok(Arc::new(Node { _counted: census::INODES.count(), fs: self.this.upgrade().ok_or(Errno::ENOENT)?, what }))
    }
}

impl FileSystem for DevPts {
    fn name(&self) -> &'static str {
        "devpts"
    }
    fn dev(&self) -> u64 {
        self.dev
    }
    fn root(&self) -> InodeRef {
        // An instance is only ever reached through an `Arc`, so `this` is alive.
        let fs = self.this.upgrade().unwrap_or_else(|| unreachable!("a devpts without an owner"));
        Arc::new(Node { _counted: census::INODES.count(), fs, what: What::Root })
    }
    fn statfs(&self) -> Result<StatFs> {
        Ok(StatFs { magic: MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() })
    }
    fn is_volatile(&self) -> bool {
        true
    }
    fn options(&self) -> Vec<u8> {
        let ptmx = self.ptmx.lock().mode;
        format!("gid={},mode={:03o},ptmxmode={ptmx:03o}", self.gid, self.mode).into_bytes()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Clone, Copy)]
enum What {
    Root,
    Ptmx,
    Slave(u32),
}

struct Node {
    _counted: Counted,
    fs: Arc<DevPts>,
    what: What,
}

impl Node {
    /// (inode number, access, device number); `ENOENT` for a slave that is gone.
    fn facts(&self) -> Result<(u64, Access, u64)> {
        Ok(match self.what {
            What::Root => (ROOT_INO, Access { mode: 0o755, uid: 0, gid: 0, ..*self.fs.ptmx.lock() }, 0),
            What::Ptmx => (PTMX_INO, *self.fs.ptmx.lock(), devnum::make(5, 2)),
            What::Slave(number) => {
                let access = self.fs.slaves.lock().get(&number).map(|(_, access)| *access).ok_or(Errno::ENOENT)?;
                (FIRST_SLAVE_INO + u64::from(number), access, devnum::make(SLAVE_MAJOR, number))
            }
        })
    }
}

impl Inode for Node {
    fn attr(&self) -> Result<Attr> {
        let (ino, access, rdev) = self.facts()?;
        let nlink = if self.kind() == Kind::Directory { 2 } else { 1 };
        Ok(Attr {
            ino,
            dev: self.fs.dev,
            kind: self.kind(),
            mode: access.mode,
            nlink,
            uid: access.uid,
            gid: access.gid,
            rdev,
            size: 0,
            blocks: 0,
            atime: access.time,
            mtime: access.time,
            ctime: access.time,
        })
    }

    fn kind(&self) -> Kind {
        if matches!(self.what, What::Root) { Kind::Directory } else { Kind::CharDevice }
    }

    fn revalidate(&self) -> bool {
        self.facts().is_ok()
    }

    fn set_attr(&self, change: &SetAttr) -> Result<()> {
        let apply = |access: &mut Access| {
            access.mode = change.mode.unwrap_or(access.mode);
            access.uid = change.uid.unwrap_or(access.uid);
            access.gid = change.gid.unwrap_or(access.gid);
            access.time = now();
        };
        match self.what {
            What::Root => return Err(Errno::EPERM.into()),
            What::Ptmx => apply(&mut self.fs.ptmx.lock()),
            What::Slave(number) => apply(&mut self.fs.slaves.lock().get_mut(&number).ok_or(Errno::ENOENT)?.1),
        }
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<InodeRef> {
        if !matches!(self.what, What::Root) {
            return Err(Errno::ENOTDIR.into());
        }
        if name == b"ptmx" {
            return self.fs.node(What::Ptmx);
        }
        let number = core::str::from_utf8(name).ok().and_then(|text| text.parse::<u32>().ok()).ok_or(Errno::ENOENT)?;
        let canonical = format!("{number}").as_bytes() == name;
        if canonical && self.fs.slaves.lock().contains_key(&number) {
            self.fs.node(What::Slave(number))
        } else {
            Err(Errno::ENOENT.into())
        }
    }

    fn read_dir(&self, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        if !matches!(self.what, What::Root) {
            return Err(Errno::ENOTDIR.into());
        }
        // Cursor 1 stands after ptmx, 2 + n after slave n.
        let kind = Kind::CharDevice;
        if cursor == 0 && !sink(DirEntry { ino: PTMX_INO, kind, name: b"ptmx", next: 1 }) {
            return Ok(());
        }
        let numbers: Vec<u32> = self.fs.slaves.lock().keys().copied().collect();
        for number in numbers {
            let (next, name) = (2 + u64::from(number), format!("{number}"));
            let entry = DirEntry { ino: FIRST_SLAVE_INO + u64::from(number), kind, name: name.as_bytes(), next };
            if next > cursor && !sink(entry) {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        match self.what {
            What::Root => Ok(None),
            What::Ptmx => self.fs.open_master().map(Some),
            What::Slave(number) => {
                let pty = self.fs.slaves.lock().get(&number).map(|(pty, _)| pty.clone()).ok_or(Errno::EIO)?;
                pty.open_slave(flags).map(Some)
            }
        }
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.fs.clone()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
