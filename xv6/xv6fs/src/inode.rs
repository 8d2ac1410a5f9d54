//! [`Inode`]: an inode in memory, its 256 bytes on the disk, and the bitmap that says which inodes are in use.
//!
//! ```text
//!   0 mode  4 nlink  8 uid  12 gid  16 rdev   24 size   32 atime  40 mtime  48 ctime  56 btime
//!  64 generation  68 flags  72 blocks  76 parent  80 entries  84 xattr  88 orphan prev  92 orphan next
//!  96 map depth (u16)  98 map count (u16)  100 map: 12 extents or child pointers, or a short symlink's target
//! ```

use crate::bytes::{get_u16, get_u32, get_u64, put, put_u16, put_u32, put_u64};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::extent::{ENTRY, MAX_DEPTH};
use crate::fs::Fs;
use crate::layout::{BITS, INODE_SIZE, INODES_PER_BLOCK};
use crate::types::{Ino, Kind, SetAttr, Stat};

/// Bytes of the map in the inode.
pub(crate) const MAP_BYTES: usize = 12 * ENTRY;
/// Entries of the map in the inode.
pub(crate) const ROOT_ENTRIES: usize = 12;
/// The most names an inode can have (a directory: subdirectories), as ext4 has it.
pub(crate) const MAX_LINKS: u32 = 65_000;

/// Flag: the inode is in the orphan list on the disk.
pub(crate) const ORPHAN: u32 = 1;
/// Flag: the symlink's target lies in the map's place.
pub(crate) const SHORT_LINK: u32 = 2;

const MAP_AT: usize = 100;

/// An inode, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub ino: Ino,
    pub kind: Kind,
    pub mode: u16,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    pub size: u64,
    pub atime: i64,
    pub mtime: i64,
    pub ctime: i64,
    pub btime: i64,
    pub generation: u32,
    pub flags: u32,
    /// Blocks in use: contents, map, attributes.
    pub blocks: u32,
    /// A directory's parent.
    pub parent: Ino,
    /// A directory's entries, without `.` and `..`.
    pub entries: u32,
    /// The block of extended attributes, or 0.
    pub xattr: u32,
    pub orphan_prev: Ino,
    pub orphan_next: Ino,
    /// Levels of map blocks below the inode; 0: the map holds extents itself.
    pub depth: u16,
    pub count: u16,
    pub map: [u8; MAP_BYTES],
}

impl Inode {
    fn decode(ino: Ino, b: &[u8; INODE_SIZE]) -> Result<Inode> {
        let mode = get_u32(b, 0);
        let dtype = u8::try_from(mode >> 12).map_err(|_| Error::Corrupt)?;
        let kind = Kind::from_dtype(dtype).ok_or(Error::Corrupt)?;
        let mut map = [0; MAP_BYTES];
        map.copy_from_slice(&b[MAP_AT..MAP_AT + MAP_BYTES]);
        let inode = Inode {
            ino,
            kind,
            mode: (mode & 0o7777) as u16,
            nlink: get_u32(b, 4),
            uid: get_u32(b, 8),
            gid: get_u32(b, 12),
            rdev: get_u64(b, 16),
            size: get_u64(b, 24),
            atime: get_u64(b, 32).cast_signed(),
            mtime: get_u64(b, 40).cast_signed(),
            ctime: get_u64(b, 48).cast_signed(),
            btime: get_u64(b, 56).cast_signed(),
            generation: get_u32(b, 64),
            flags: get_u32(b, 68),
            blocks: get_u32(b, 72),
            parent: get_u32(b, 76),
            entries: get_u32(b, 80),
            xattr: get_u32(b, 84),
            orphan_prev: get_u32(b, 88),
            orphan_next: get_u32(b, 92),
            depth: get_u16(b, 96),
            count: get_u16(b, 98),
            map,
        };
        let short = inode.flags & SHORT_LINK != 0;
        let sound = usize::from(inode.count) <= ROOT_ENTRIES
            && inode.depth <= MAX_DEPTH
            && (inode.depth == 0 || inode.count > 0)
            && inode.size <= crate::file::MAX_SIZE
            && (!short || (kind == Kind::Symlink && inode.size <= MAP_BYTES as u64 && inode.count == 0));
        if sound { Ok(inode) } else { Err(Error::Corrupt) }
    }

    fn encode(&self, b: &mut [u8]) {
        put_u32(b, 0, self.kind.s_ifmt() | u32::from(self.mode));
        put_u32(b, 4, self.nlink);
        put_u32(b, 8, self.uid);
        put_u32(b, 12, self.gid);
        put_u64(b, 16, self.rdev);
        put_u64(b, 24, self.size);
        put_u64(b, 32, self.atime.cast_unsigned());
        put_u64(b, 40, self.mtime.cast_unsigned());
        put_u64(b, 48, self.ctime.cast_unsigned());
        put_u64(b, 56, self.btime.cast_unsigned());
        put_u32(b, 64, self.generation);
        put_u32(b, 68, self.flags);
        put_u32(b, 72, self.blocks);
        put_u32(b, 76, self.parent);
        put_u32(b, 80, self.entries);
        put_u32(b, 84, self.xattr);
        put_u32(b, 88, self.orphan_prev);
        put_u32(b, 92, self.orphan_next);
        put_u16(b, 96, self.depth);
        put_u16(b, 98, self.count);
        put(b, MAP_AT, &self.map);
    }

    /// An inode of this kind with everything else empty.
    pub(crate) fn blank(ino: Ino, kind: Kind, generation: u32, now: i64) -> Inode {
        Inode {
            ino,
            kind,
            mode: 0,
            nlink: 0,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            generation,
            flags: 0,
            blocks: 0,
            parent: 0,
            entries: 0,
            xattr: 0,
            orphan_prev: 0,
            orphan_next: 0,
            depth: 0,
            count: 0,
            map: [0; MAP_BYTES],
        }
    }

    pub(crate) fn stat(&self) -> Stat {
        Stat {
            ino: self.ino,
            generation: self.generation,
            kind: self.kind,
            mode: self.mode,
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev,
            size: self.size,
            blocks: u64::from(self.blocks),
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            btime: self.btime,
        }
    }

    pub(crate) fn set(&mut self, attr: &SetAttr) {
        self.mode = attr.mode.map_or(self.mode, |m| m & 0o7777);
        self.uid = attr.uid.unwrap_or(self.uid);
        self.gid = attr.gid.unwrap_or(self.gid);
        self.atime = attr.atime.unwrap_or(self.atime);
        self.mtime = attr.mtime.unwrap_or(self.mtime);
        self.ctime = attr.ctime.unwrap_or(self.ctime);
    }
}

impl<D: Disk> Fs<D> {
    fn inode_place(&self, ino: Ino) -> Result<(u32, usize)> {
        if ino == 0 || ino >= self.sb.inodes {
            return Err(Error::Corrupt);
        }
        Ok((self.sb.itab_start + ino / INODES_PER_BLOCK, (ino % INODES_PER_BLOCK) as usize * INODE_SIZE))
    }

    pub(crate) fn inode(&mut self, ino: Ino) -> Result<Inode> {
        let (block, at) = self.inode_place(ino)?;
        let bytes = self.cache.get(&mut self.disk, block)?;
        Inode::decode(ino, bytes[at..].first_chunk().ok_or(Error::Corrupt)?)
    }

    pub(crate) fn put_inode(&mut self, inode: &Inode) -> Result<()> {
        let (block, at) = self.inode_place(inode.ino)?;
        let bytes = self.cache.get_mut(&mut self.disk, block)?;
        inode.encode(&mut bytes[at..at + INODE_SIZE]);
        Ok(())
    }

    /// Takes a free inode number; [`Error::NoSpace`] if there is none, with nothing changed.
    pub(crate) fn alloc_ino(&mut self) -> Result<Ino> {
        if self.state.free_inodes == 0 {
            return Err(Error::NoSpace);
        }
        for map in self.ino_hint / BITS..self.sb.imap_len {
            let base = map * BITS;
            let bits = (self.sb.inodes - base).min(BITS);
            let first_word = if map == self.ino_hint / BITS { (self.ino_hint % BITS) as usize / 64 } else { 0 };
            let block = self.sb.imap_start + map;
            let bytes = self.cache.get(&mut self.disk, block)?;
            let found = (first_word..(bits as usize).div_ceil(64)).find_map(|w| {
                let bit = w as u32 * 64 + get_u64(bytes, w * 8).trailing_ones();
                (bit < (w as u32 + 1) * 64 && bit < bits).then_some(bit)
            });
            if let Some(bit) = found {
                let bytes = self.cache.get_mut(&mut self.disk, block)?;
                bytes[bit as usize / 8] |= 1 << (bit % 8);
                self.state.free_inodes -= 1;
                self.ino_hint = base + bit;
                return Ok(base + bit);
            }
        }
        // The count says that there is one, the bitmap that there is none.
        Err(Error::Corrupt)
    }

    /// Gives an inode number back; its blocks are free already.
    pub(crate) fn free_ino(&mut self, inode: &Inode) -> Result<()> {
        let ino = inode.ino;
        let (block, at) = self.inode_place(ino)?;
        let bytes = self.cache.get_mut(&mut self.disk, block)?;
        bytes[at..at + INODE_SIZE].fill(0);
        let bytes = self.cache.get_mut(&mut self.disk, self.sb.imap_start + ino / BITS)?;
        let byte = &mut bytes[(ino % BITS) as usize / 8];
        if *byte & (1 << (ino % 8)) == 0 {
            return Err(Error::Corrupt);
        }
        *byte &= !(1 << (ino % 8));
        self.state.free_inodes = (self.state.free_inodes + 1).min(self.sb.inodes - 1);
        self.ino_hint = self.ino_hint.min(ino);
        Ok(())
    }

    /// An inode's attributes.
    pub fn stat(&mut self, ino: Ino) -> Result<Stat> {
        Ok(self.inode(ino)?.stat())
    }

    /// Sets attributes.
    pub fn set_attr(&mut self, ino: Ino, attr: &SetAttr) -> Result<()> {
        self.op(|fs| {
            let mut inode = fs.inode(ino)?;
            inode.set(attr);
            fs.put_inode(&inode)
        })
    }
}
