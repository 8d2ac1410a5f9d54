//! The plain data that goes in and out of [`crate::Fs`]: kinds of node, attributes, options, reports.

use alloc::string::String;
use alloc::vec::Vec;

/// An inode number; 0 is never one.
pub type Ino = u32;

/// The root directory's inode number.
pub const ROOT_INO: Ino = 1;

/// What an inode is. The values are those of `d_type` in getdents64(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A FIFO.
    Fifo = 1,
    /// A character device.
    CharDev = 2,
    /// A directory.
    Dir = 4,
    /// A block device.
    BlockDev = 6,
    /// A regular file.
    File = 8,
    /// A symbolic link.
    Symlink = 10,
    /// A bound Unix socket.
    Socket = 12,
}

impl Kind {
    /// The kind with this `d_type` value; `None` for any other value.
    pub fn from_dtype(value: u8) -> Option<Kind> {
        Some(match value {
            1 => Kind::Fifo,
            2 => Kind::CharDev,
            4 => Kind::Dir,
            6 => Kind::BlockDev,
            8 => Kind::File,
            10 => Kind::Symlink,
            12 => Kind::Socket,
            _ => return None,
        })
    }

    /// The `S_IFMT` bits of `st_mode` (inode(7)).
    pub fn s_ifmt(self) -> u32 {
        (self as u32) << 12
    }
}

/// A node to be made by [`crate::Fs::create`].
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// What it is.
    pub kind: Kind,
    /// The permission bits (0o7777); the umask is already applied.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The device number of a device node, as in `st_rdev`; else 0.
    pub rdev: u64,
    /// A symlink's target, 1 to 4095 bytes; else empty.
    pub target: &'a [u8],
}

/// An inode's attributes. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The inode number.
    pub ino: Ino,
    /// Differs between two files that had the same inode number one after the other.
    pub generation: u32,
    /// What it is.
    pub kind: Kind,
    /// The permission bits (0o7777).
    pub mode: u16,
    /// The number of names; 0 for an unlinked inode that is still held.
    pub nlink: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// A device node's number.
    pub rdev: u64,
    /// The size in bytes: a file's contents, a symlink's target, a directory's blocks.
    pub size: u64,
    /// Blocks of 4096 bytes on the disk, those of the block map included.
    pub blocks: u64,
    /// Last access.
    pub atime: i64,
    /// Last change of the contents.
    pub mtime: i64,
    /// Last change of the inode.
    pub ctime: i64,
    /// Birth.
    pub btime: i64,
}

/// Attributes to set; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// The permission bits (0o7777).
    pub mode: Option<u16>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// Last access.
    pub atime: Option<i64>,
    /// Last change of the contents.
    pub mtime: Option<i64>,
    /// Last change of the inode.
    pub ctime: Option<i64>,
}

/// One entry of a directory, as [`crate::Fs::read_dir`] shows it.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// The inode number.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// The name, without a NUL.
    pub name: &'a [u8],
    /// The cursor that continues after this entry (`d_off`); never negative as an `i64`.
    pub next: u64,
}

/// How rename(2) treats a target that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenameFlags {
    /// It is replaced.
    #[default]
    Replace,
    /// `RENAME_NOREPLACE`: `EEXIST`.
    NoReplace,
    /// `RENAME_EXCHANGE`: the two change places; both must exist.
    Exchange,
}

/// How much room there is, as statfs(2) tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    /// Blocks that files and directories can use, in all.
    pub blocks: u64,
    /// Blocks free now.
    pub free: u64,
    /// Blocks that can still be promised: `free` less reservations and the pool kept for block maps.
    pub available: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes free.
    pub free_inodes: u64,
    /// A number that names this file system.
    pub fsid: u64,
}

/// What [`crate::Fs::format`] makes.
#[derive(Clone, Copy, Debug)]
pub struct FormatOptions {
    /// Inodes; 0 for one per 16 KiB.
    pub inodes: u32,
    /// Blocks of the log; 0 for a size that suits the disk.
    pub log_blocks: u32,
    /// Names the volume and seeds its name hash; 0 is allowed, random is better.
    pub fsid: u64,
    /// The time of the root directory, nanoseconds since 1970.
    pub now: i64,
}

impl Default for FormatOptions {
    fn default() -> FormatOptions {
        FormatOptions { inodes: 0, log_blocks: 0, fsid: 0x7836_6673, now: 0 }
    }
}

/// How [`crate::Fs::mount`] mounts.
#[derive(Clone, Copy, Debug)]
pub struct MountOptions {
    /// Never write to the disk, the log's replay included (that is then done in memory).
    pub read_only: bool,
    /// Metadata blocks to keep in memory; dirty ones may exceed it until the next commit.
    pub cache_blocks: usize,
}

impl Default for MountOptions {
    fn default() -> MountOptions {
        MountOptions { read_only: false, cache_blocks: 1024 }
    }
}

/// What [`crate::check`] found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One line per problem; empty for a sound volume. Ends early, saying so, when there are very many.
    pub problems: Vec<String>,
    /// The log held a committed transaction that mount will replay (no problem).
    pub needs_replay: bool,
    /// Unlinked inodes that mount will free (no problem).
    pub orphans: u32,
    /// Directories reached.
    pub dirs: u32,
    /// Other inodes reached.
    pub files: u32,
    /// Blocks in use by files and directories.
    pub used_blocks: u64,
}
