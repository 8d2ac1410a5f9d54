//! Contents by whole blocks, for a caller with a page cache of its own: [`Fs::locate`] tells where blocks lie, so that it
//! reads them without this library; [`Fs::write_blocks`] lets it write them itself at the right moment.

use core::ops::Range;

use crate::BLOCK_SIZE;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::file::{MAX_FILE_BLOCKS, MAX_SIZE, file_only};
use crate::fs::Fs;
use crate::types::Ino;

/// Writes some of a call's blocks (the range counts from its first) to the given place on the disk.
pub type BlockWriter<'a, D> = dyn FnMut(&mut D, u64, Range<usize>) -> Result<()> + 'a;

impl<D: Disk> Fs<D> {
    /// Tells `each` where `count` blocks of a file from its block `first` on lie, run by run: the place on the disk
    /// (`None`: a hole) and the number of blocks. Gives the file's size: what lies behind it in its last block counts as
    /// zeros. A place stays true until the caller truncates or punches the file or lets go of the inode.
    pub fn locate(
        &mut self,
        ino: Ino,
        first: u64,
        count: usize,
        each: &mut dyn FnMut(Option<u64>, usize),
    ) -> Result<u64> {
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        let mut done = 0;
        while done < count {
            let key = first.saturating_add(done as u64);
            if key >= MAX_FILE_BLOCKS {
                each(None, count - done);
                break;
            }
            let (place, blocks) = self.run_at(&inode, key as u32)?;
            let n = (blocks as usize).min(count - done);
            each(place.map(u64::from), n);
            done += n;
        }
        Ok(inode.size)
    }

    /// Writes `count` whole blocks of a file from its block `first` on: `write` is called for each run with the place on
    /// the disk and which of the blocks go there. The file is `size` bytes long afterwards, if it was shorter; the
    /// bytes behind `size` in its last block should be zeros. `reserved` as in [`Fs::write_at`]; touches no times.
    pub fn write_blocks(
        &mut self,
        ino: Ino,
        first: u64,
        count: usize,
        size: u64,
        reserved: u64,
        write: &mut BlockWriter<'_, D>,
    ) -> Result<()> {
        let held_back = self.reserved;
        self.unreserve(reserved);
        let result = self.write_runs(ino, first, count, size, reserved, write);
        if result.is_err() {
            self.reserved = held_back;
        }
        result
    }

    fn write_runs(
        &mut self,
        ino: Ino,
        first: u64,
        count: usize,
        size: u64,
        mut promised: u64,
        write: &mut BlockWriter<'_, D>,
    ) -> Result<()> {
        self.check_writable()?;
        let end = first.checked_add(count as u64).filter(|&end| end <= MAX_FILE_BLOCKS).ok_or(Error::TooBig)?;
        let size = size.min(MAX_SIZE);
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        if first * BLOCK_SIZE as u64 > inode.size {
            self.zero_tail(&inode)?;
        }
        let mut at = first;
        while at < end {
            let key = at as u32;
            let done = (at - first) as usize;
            let inode = self.inode(ino)?;
            let (place, blocks) = self.run_at(&inode, key)?;
            let left = blocks.min((end - at) as u32);
            let n = match place {
                Some(place) => {
                    self.unflushed = true;
                    if let Err(e) = write(&mut self.disk, u64::from(place), done..done + left as usize) {
                        self.abort(e);
                        return Err(e);
                    }
                    left
                }
                None => self.op(|fs| {
                    let most = if promised > 0 { promised } else { fs.need(2)? - 1 };
                    let want = u32::try_from(most).map_or(left, |n| n.min(left));
                    fs.map_new_run(ino, key, want, 0, |fs, place, got| {
                        fs.unflushed = true;
                        write(&mut fs.disk, u64::from(place), done..done + got as usize)?;
                        Ok(size.min((at + u64::from(got)) * BLOCK_SIZE as u64))
                    })
                })?,
            };
            if place.is_none() {
                promised = promised.saturating_sub(u64::from(n));
            }
            at += u64::from(n);
        }
        if self.inode(ino)?.size < size {
            self.op(|fs| {
                let mut inode = fs.inode(ino)?;
                inode.size = size;
                fs.put_inode(&inode)
            })?;
        }
        Ok(())
    }
}
