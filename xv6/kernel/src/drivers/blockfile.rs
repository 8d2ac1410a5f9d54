//! An open disk (`/dev/vda`): reads and writes go through the disk's pages, which know its size.

use super::block::{BlockDevice, SECTOR};
use crate::error::{Errno, Result};
use crate::mm::{PageCache, ReadBuf, WriteBuf, user};
use crate::vfs::File;
use crate::vfs::file::FileOps;
use alloc::sync::Arc;
use core::any::Any;

/// ioctl(2) requests of linux/fs.h.
const BLKGETSIZE: u32 = 0x1260;
const BLKSSZGET: u32 = 0x1268;
const BLKGETSIZE64: u32 = 0x8008_1272;

/// The operations of an open disk.
pub struct BlockFile {
    disk: Arc<BlockDevice>,
    pages: Arc<PageCache>,
}

impl BlockFile {
    /// For `disk`.
    pub fn new(disk: Arc<BlockDevice>) -> BlockFile {
        BlockFile { pages: disk.pages(), disk }
    }
}

impl FileOps for BlockFile {
    fn read(&self, _file: &File, buf: &mut ReadBuf<'_>, offset: &mut u64) -> Result<usize> {
        let moved = self.pages.read(buf, *offset)?;
        *offset += moved as u64;
        Ok(moved)
    }

    /// A disk does not grow: a write stops at its end, and `ENOSPC` there.
    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, offset: &mut u64) -> Result<usize> {
        let mut done = 0;
        let mut chunk = alloc::vec![0; hal::frame::SIZE];
        while buf.remaining() > 0 {
            let room = self.pages.size().saturating_sub(*offset).min(chunk.len() as u64) as usize;
            if room == 0 {
                return if done == 0 { Err(Errno::ENOSPC.into()) } else { Ok(done) };
            }
            let taken = match buf.take(&mut chunk[..room]) {
                Err(_) if done > 0 => break,
                taken => taken?,
            };
            let moved = self.pages.write(&mut WriteBuf::kernel(&chunk[..taken]), *offset)?;
            *offset += moved as u64;
            done += moved;
        }
        Ok(done)
    }

    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        match request {
            BLKGETSIZE | BLKGETSIZE64 => {
                let value = self.disk.sectors() * if request == BLKGETSIZE { 1 } else { SECTOR as u64 };
                user::write_bytes(arg, &value.to_le_bytes())?;
            }
            BLKSSZGET => user::write_bytes(arg, &(SECTOR as u32).to_le_bytes())?,
            _ => return Err(Errno::ENOTTY.into()),
        }
        Ok(0)
    }

    fn sync(&self, _file: &File) -> Result<()> {
        self.pages.sync()?;
        self.disk.flush()
    }

    fn pages(&self) -> Option<Arc<PageCache>> {
        Some(self.pages.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
