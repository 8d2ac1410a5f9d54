//! [`Fs`]: a mounted volume.

use alloc::vec::Vec;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{DirEntry, FormatOptions, Ino, MountOptions, NewNode, RenameFlags, Report, SetAttr, Stat, StatFs};

/// A mounted volume.
pub struct Fs<D: Disk> {
    disk: D,
}

#[expect(unused_variables, reason = "signatures first; the bodies follow")]
impl<D: Disk> Fs<D> {
    /// Makes an empty file system on `disk`: a root directory with mode 0755, owned by 0:0.
    pub fn format(disk: &mut D, options: &FormatOptions) -> Result<()> {
        Err(Error::Io)
    }
    /// Mounts: replays the log, frees the orphans (unless read-only). Fails with [`Error::Corrupt`] on what is no xv6fs.
    pub fn mount(disk: D, options: &MountOptions) -> Result<Fs<D>> {
        Err(Error::Io)
    }
    /// Commits, flushes, marks the log clean, and gives the disk back.
    pub fn unmount(self) -> Result<D> {
        Ok(self.disk)
    }
    /// The inode that `name` stands for in `dir`; `.` and `..` work (`..` of the root is the root).
    pub fn lookup(&mut self, dir: Ino, name: &[u8]) -> Result<Ino> {
        Err(Error::Io)
    }
    /// Makes a node and its name.
    pub fn create(&mut self, dir: Ino, name: &[u8], node: &NewNode<'_>, now: i64) -> Result<Ino> {
        Err(Error::Io)
    }
    /// Gives `ino` (not a directory) one more name.
    pub fn link(&mut self, ino: Ino, dir: Ino, name: &[u8], now: i64) -> Result<()> {
        Err(Error::Io)
    }
    /// Removes a name that is not a directory's; gives the inode it stood for.
    pub fn unlink(&mut self, dir: Ino, name: &[u8], now: i64) -> Result<Ino> {
        Err(Error::Io)
    }
    /// Removes an empty directory; gives the inode it had.
    pub fn rmdir(&mut self, dir: Ino, name: &[u8], now: i64) -> Result<Ino> {
        Err(Error::Io)
    }
    /// rename(2).
    pub fn rename(
        &mut self,
        from_dir: Ino,
        from: &[u8],
        to_dir: Ino,
        to: &[u8],
        flags: RenameFlags,
        now: i64,
    ) -> Result<()> {
        Err(Error::Io)
    }
    /// Shows the entries after `cursor` (0 at first; then a [`DirEntry::next`]) until `each` says `false`; `.` and `..`
    /// come first. An entry for which `each` said `false` was not taken and comes again.
    pub fn read_dir(&mut self, dir: Ino, cursor: u64, each: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        Err(Error::Io)
    }
    /// A symlink's target; [`Error::Invalid`] for anything else.
    pub fn read_link(&mut self, ino: Ino) -> Result<Vec<u8>> {
        Err(Error::Io)
    }
    /// An inode's attributes.
    pub fn stat(&mut self, ino: Ino) -> Result<Stat> {
        Err(Error::Io)
    }
    /// Sets attributes.
    pub fn set_attr(&mut self, ino: Ino, attr: &SetAttr) -> Result<()> {
        Err(Error::Io)
    }
    /// Reads a file; short at its end. Whole blocks go straight into `buf`.
    pub fn read_at(&mut self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize> {
        Err(Error::Io)
    }
    /// Writes a file, all of `data` or an error; grows it as needed; touches no times. `reserved` of the blocks that
    /// were promised by [`Fs::reserve`] are used up by this call (0 for a caller without a promise).
    pub fn write_at(&mut self, ino: Ino, offset: u64, data: &[u8], reserved: u64) -> Result<()> {
        Err(Error::Io)
    }
    /// Sets a file's size; what is added reads as zeros. Touches no times.
    pub fn truncate(&mut self, ino: Ino, size: u64) -> Result<()> {
        Err(Error::Io)
    }
    /// fallocate(2) mode 0: blocks for the range, zeroed where there were none; grows the file unless `keep_size`.
    pub fn allocate(&mut self, ino: Ino, offset: u64, len: u64, keep_size: bool) -> Result<()> {
        Err(Error::Io)
    }
    /// fallocate(2) `FALLOC_FL_PUNCH_HOLE`: the range reads as zeros, its whole blocks are freed.
    pub fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        Err(Error::Io)
    }
    /// Whether the block at `offset` has a place on the disk (a write to it needs no reservation).
    pub fn is_mapped(&mut self, ino: Ino, offset: u64) -> Result<bool> {
        Err(Error::Io)
    }
    /// Promises that `write_at` of `blocks` new blocks will find room. On [`Error::NoSpace`] write back and retry once.
    pub fn reserve(&mut self, blocks: u64) -> Result<()> {
        Err(Error::Io)
    }
    /// Gives a promise back unused.
    pub fn unreserve(&mut self, blocks: u64) {}
    /// How much room there is.
    pub fn statfs(&self) -> StatFs {
        StatFs { blocks: 0, free: 0, available: 0, inodes: 0, free_inodes: 0, fsid: 0 }
    }
    /// Makes everything done so far durable: data first, then the log, then the blocks' homes.
    pub fn commit(&mut self) -> Result<()> {
        Err(Error::Io)
    }
    /// Whether the running transaction is more than half of what the log can hold.
    pub fn needs_commit(&self) -> bool {
        false
    }
    /// Whether there is anything that [`Fs::commit`] would write.
    pub fn is_dirty(&self) -> bool {
        false
    }
    /// Whether writes are refused: mounted so, or turned so by an error.
    pub fn is_read_only(&self) -> bool {
        false
    }
    /// Keeps an inode alive when its last name goes; counts.
    pub fn hold(&mut self, ino: Ino) -> Result<()> {
        Err(Error::Io)
    }
    /// Undoes one [`Fs::hold`]; the last one frees an inode without names.
    pub fn release(&mut self, ino: Ino) -> Result<()> {
        Err(Error::Io)
    }
    /// An extended attribute's value; [`Error::NoAttr`] if there is none.
    pub fn get_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        Err(Error::Io)
    }
    /// Sets (`Some`) or removes (`None`) an extended attribute; all of an inode's fit in one block.
    pub fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>) -> Result<()> {
        Err(Error::Io)
    }
    /// Shows the names of the extended attributes.
    pub fn list_xattr(&mut self, ino: Ino, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        Err(Error::Io)
    }
}

/// fsck: examines the whole volume, writes nothing.
pub fn check<D: Disk>(disk: &mut D) -> Result<Report> {
    let _ = disk.blocks();
    Err(Error::Io)
}
