//! What a file system provides: [`Inode`], [`FileSystem`], and the plain data they exchange.
//!
//! The VFS calls these traits; file systems (`fs/*`) implement them and never call `task` or `syscall`. Permission
//! checks, mount flags (read-only, nodev, ...), dentries and path walk are the VFS's business and happen before a call arrives
//! here; the file system checks what only it knows (names, types, space). Names are bytes without `/`, never `.` or `..`.
//!
//! Locks: a file system brings its own; the VFS holds the directory's dentry lock(s) around a change of a directory, so two
//! changes of one directory never race, but a lookup or a read may.

use super::file::{FileOps, OpenFlags};
use super::text::Usage;
use crate::error::{Errno, Result};
use crate::mm::PageCache;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

/// A shared reference to an inode.
pub type InodeRef = Arc<dyn Inode>;

/// What an inode is (inode(7), "The file type and mode"); the values are `S_IFMT >> 12`, which is also `d_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "inode(7) documents each kind")]
pub enum Kind {
    Fifo = 1,
    CharDevice = 2,
    Directory = 4,
    BlockDevice = 6,
    File = 8,
    Symlink = 10,
    Socket = 12,
}

/// Seconds and nanoseconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time {
    /// Whole seconds.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: u32,
}

/// What stat(2) tells about an inode.
#[derive(Clone, Copy, Debug)]
pub struct Attr {
    /// Inode number, unique within `dev`.
    pub ino: u64,
    /// Device number of the file system instance (`FileSystem::dev`).
    pub dev: u64,
    /// File type.
    pub kind: Kind,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u16,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node (makedev(3) layout as the kernel's 64-bit `dev_t`).
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Space used, in 512-byte units.
    pub blocks: u64,
    /// Last access.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
}

/// Whom an inode belongs to and what its mode says: what a permission check needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A change of attributes; `None` leaves a field alone. The file system sets `ctime` itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// New permission bits (07777).
    pub mode: Option<u16>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New size (truncate(2)); the inode also trims its page cache.
    pub size: Option<u64>,
    /// New access time.
    pub atime: Option<Time>,
    /// New modification time.
    pub mtime: Option<Time>,
}

/// A new directory entry's inode: what `open(O_CREAT)`, `mkdir`, `mknod` and `symlink` ask for.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// File type.
    pub kind: Kind,
    /// Permission bits, the umask already applied.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number for device nodes, else 0.
    pub rdev: u64,
    /// A symlink's target, else empty.
    pub target: &'a [u8],
}

/// One entry of `Inode::read_dir`.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// Inode number.
    pub ino: u64,
    /// File type.
    pub kind: Kind,
    /// Name without `/`.
    pub name: &'a [u8],
    /// The cursor that continues after this entry.
    pub next: u64,
}

/// What rename(2)'s flags ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameMode {
    /// An existing target is replaced.
    Replace,
    /// `RENAME_NOREPLACE`: an existing target is `EEXIST`.
    NoReplace,
    /// `RENAME_EXCHANGE`: both exist and trade places.
    Exchange,
}

/// What statfs(2) tells about a file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatFs {
    /// The magic number (`f_type`).
    pub magic: u64,
    /// Bytes in a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
    /// Longest name.
    pub name_max: u64,
}

/// One mounted instance of a file system (a superblock).
pub trait FileSystem: Send + Sync {
    /// The name `mount -t` knows, as `/proc/mounts` shows it.
    fn name(&self) -> &'static str;
    /// The device number that this instance's inodes carry in `st_dev` (from `vfs::new_dev()` for one without a disk).
    fn dev(&self) -> u64;
    /// The root directory.
    fn root(&self) -> InodeRef;
    /// Space and limits.
    fn statfs(&self) -> Result<StatFs>;
    /// Writes everything dirty to the disk and waits for it (sync(2), umount(2)).
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    /// The last mount is gone: what only this instance holds reaches the disk.
    fn unmounted(&self) -> Result<()> {
        self.sync()
    }
    /// Changes options of a mounted instance (`mount -o remount,...`).
    fn remount(&self, _data: &[u8]) -> Result<()> {
        Err(Errno::EINVAL.during("remounting with other options"))
    }
    /// Called before `remount,ro` and `remount,rw` take effect; `EROFS` if the instance can never be written.
    fn set_read_only(&self, _read_only: bool) -> Result<()> {
        Ok(())
    }
    /// True once an error made the instance read-only for good.
    fn is_failed(&self) -> bool {
        false
    }
    /// True where names come and go without the VFS (procfs, cgroupfs, devpts): dentries are then looked up anew each time.
    fn is_volatile(&self) -> bool {
        false
    }
    /// True where a name that is not shown never will be, whoever asks (procfs): making one is `ENOENT`, taking one away `EPERM`.
    fn is_fixed(&self) -> bool {
        false
    }
    /// The mount options to show in `/proc/mounts` after the flags, e.g. `lowerdir=...`; empty for none.
    fn options(&self) -> Vec<u8> {
        Vec::new()
    }
    /// For downcasts within one file system.
    fn as_any(&self) -> &dyn Any;
}

/// One file, directory, symlink or device node of a file system. Calls that do not fit the kind fail as the defaults say.
pub trait Inode: Send + Sync + Any {
    /// stat(2).
    fn attr(&self) -> Result<Attr>;
    /// The kind, without the cost of `attr`.
    fn kind(&self) -> Kind;
    /// Mode and owners. Asked for each directory of a walk, so it takes no sleeping lock if it can.
    fn owner(&self) -> Result<Owner> {
        let attr = self.attr()?;
        Ok(Owner { mode: attr.mode, uid: attr.uid, gid: attr.gid })
    }
    /// On a volatile file system: whether the name this inode was found under still stands for it, so that the cached dentry serves
    /// again. False: it is looked up anew each time.
    fn revalidate(&self) -> bool {
        false
    }
    /// chmod(2), chown(2), utimensat(2), truncate(2).
    fn set_attr(&self, _change: &SetAttr) -> Result<()> {
        Err(Errno::EPERM.into())
    }
    /// fallocate(2): keeps space for the file's bytes from `offset` on, zeros where there was none, whether or not they lie behind its end; the size
    /// stays. `ENOSPC` before anything is done, if there is not room for all `len` bytes. A long range takes several calls: returns how many bytes
    /// are kept by this one.
    fn allocate(&self, _offset: u64, _len: u64) -> Result<u64> {
        Err(Errno::EOPNOTSUPP.into())
    }
    /// The entry `name` of this directory, or `ENOENT`.
    fn lookup(&self, _name: &[u8]) -> Result<InodeRef> {
        Err(Errno::ENOTDIR.into())
    }
    /// A new entry; `EEXIST` if the name is taken.
    fn create(&self, _name: &[u8], _node: &NewNode<'_>) -> Result<InodeRef> {
        Err(Errno::EPERM.into())
    }
    /// A new hard link to `target`, an inode of the same file system instance.
    fn link(&self, _name: &[u8], _target: &InodeRef) -> Result<()> {
        Err(Errno::EPERM.into())
    }
    /// Removes an entry that is not a directory; the inode itself lives until its last reference is dropped.
    fn unlink(&self, _name: &[u8]) -> Result<()> {
        Err(Errno::EPERM.into())
    }
    /// Removes an empty directory.
    fn rmdir(&self, _name: &[u8]) -> Result<()> {
        Err(Errno::EPERM.into())
    }
    /// rename(2) within one file system instance; the VFS has checked that a directory does not move below itself.
    fn rename(&self, _name: &[u8], _new_dir: &InodeRef, _new_name: &[u8], _mode: RenameMode) -> Result<()> {
        Err(Errno::EPERM.into())
    }
    /// Feeds the entries after `cursor` (0: from the start; without `.` and `..`, which the VFS adds) to `sink` until it returns false.
    /// Cursors stay valid while entries come and go.
    fn read_dir(&self, _cursor: u64, _sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        Err(Errno::ENOTDIR.into())
    }
    /// A symlink's target.
    fn read_link(&self) -> Result<Vec<u8>> {
        Err(Errno::EINVAL.into())
    }
    /// A magic link (`/proc/PID/{exe,cwd,root,fd/N,ns/X}`): the path it stands for, reached without walking `read_link`'s text.
    fn magic_link(&self) -> Option<Result<super::Path>> {
        None
    }
    /// The page cache of a regular file: the VFS reads, writes and maps through it. A file without one brings `open`.
    fn pages(&self) -> Option<Arc<PageCache>> {
        None
    }
    /// Who writes this file and who runs it, where it can be written at all.
    fn usage(&self) -> Option<&Usage> {
        None
    }
    /// Called at open(2): a file whose content is not in pages (a device, a generated file) returns its own operations.
    /// `None`: the VFS uses its own for the kind (pages, directory, FIFO, device numbers through `drivers`).
    fn open(&self, _flags: OpenFlags) -> Result<Option<Arc<dyn FileOps>>> {
        Ok(None)
    }
    /// Writes this file's dirty pages and metadata to the disk and waits (fsync(2)).
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    /// Small extended attributes (xattr(7)), of which the overlay keeps `trusted.overlay.*`. `ENODATA` if absent.
    fn get_xattr(&self, _name: &[u8]) -> Result<Vec<u8>> {
        Err(Errno::EOPNOTSUPP.into())
    }
    /// Sets an extended attribute; an empty `value` removes nothing, see `remove_xattr`.
    fn set_xattr(&self, _name: &[u8], _value: &[u8]) -> Result<()> {
        Err(Errno::EOPNOTSUPP.into())
    }
    /// Removes an extended attribute.
    fn remove_xattr(&self, _name: &[u8]) -> Result<()> {
        Err(Errno::EOPNOTSUPP.into())
    }
    /// The names of the extended attributes.
    fn list_xattrs(&self) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
    /// The file system instance this inode belongs to.
    fn fs(&self) -> Arc<dyn FileSystem>;
    /// For downcasts within one file system.
    fn as_any(&self) -> &dyn Any;
}
