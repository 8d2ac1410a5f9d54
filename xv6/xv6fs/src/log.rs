//! The log: group commit and replay.
//!
//! It holds one transaction. A commit is
//! 1. a flush, so that file contents and the homes of the last commit are durable (skipped if nothing was written),
//! 2. one sequential write of the log: header, home numbers, blocks; a checksum covers them all,
//! 3. a flush: the transaction is durable,
//! 4. the writes of the blocks to their homes, which the next commit's first flush makes durable.
//!
//! A cut before 3 leaves a log that fails its checksum while all homes are durable; a cut after it leaves one that
//! replay writes home again. Because a freed block is reused only after the commit that freed it, and that commit
//! overwrites the log, replay never writes over a block's new life.
//!
//! ```text
//! header: 0 magic  8 fsid  16 sequence  24 count (u32)  32 checksum  64 home numbers (u32 each, on into more blocks)
//! ```

use alloc::vec;
use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::bytes::{Block, get_u32, get_u64, hash64, put_u32, put_u64};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::{Access, Fs, STAGING};
use crate::layout::STATE_BLOCK;

const MAGIC: u64 = u64::from_le_bytes(*b"xv6log\0\x01");
/// Where the home numbers start in the header.
const TAGS: usize = 64;
const SUM: usize = 32;

/// Blocks taken by the header and `count` home numbers.
fn header_blocks(count: usize) -> usize {
    (TAGS + 4 * count).div_ceil(BLOCK_SIZE)
}

/// Gathers blocks for consecutive places and writes each run at once.
struct Stager<'a, D: Disk> {
    disk: &'a mut D,
    buf: &'a mut [u8],
    start: u32,
    len: usize,
}

impl<D: Disk> Stager<'_, D> {
    fn push(&mut self, place: u32, block: &[u8]) -> Result<()> {
        if self.len > 0 && (self.start + self.len as u32 != place || self.len == STAGING) {
            self.write()?;
        }
        if self.len == 0 {
            self.start = place;
        }
        self.buf[self.len * BLOCK_SIZE..][..BLOCK_SIZE].copy_from_slice(block);
        self.len += 1;
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let bytes = core::mem::take(&mut self.len) * BLOCK_SIZE;
        if bytes == 0 { Ok(()) } else { self.disk.write(u64::from(self.start), &self.buf[..bytes]) }
    }
}

impl<D: Disk> Fs<D> {
    /// Blocks that one transaction can log.
    pub(crate) fn log_capacity(&self) -> usize {
        let len = self.sb.log_len as usize;
        len - header_blocks(len)
    }

    /// Makes everything done so far durable. Fails with [`Error::Io`] if the device did; the volume is then read-only.
    pub fn commit(&mut self) -> Result<()> {
        match self.access {
            Access::Read => return Ok(()),
            Access::Aborted(_) => return Err(Error::Io),
            Access::Write => {}
        }
        let mark = self.cache.changes();
        let result = self.write_transaction();
        self.cache.forget_changes_since(mark);
        result.inspect_err(|&error| self.abort(error))
    }

    fn write_transaction(&mut self) -> Result<()> {
        self.list_orphans()?;
        self.apply_pending()?;
        if self.state_dirty || self.cache.dirty() > 0 {
            self.state.sequence += 1;
            let state = self.state;
            state.encode(self.cache.get_mut(&mut self.disk, STATE_BLOCK)?);
            if self.unflushed {
                self.disk.flush()?;
            }
            self.write_log()?;
            self.disk.flush()?;
            self.write_homes()?;
            self.cache.clean_all();
            self.state_dirty = false;
            self.unflushed = true;
        } else if self.unflushed {
            self.disk.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn write_log(&mut self) -> Result<()> {
        let count = self.cache.dirty();
        if count > self.log_capacity() {
            return Err(Error::Corrupt);
        }
        let mut header = vec![0u8; header_blocks(count) * BLOCK_SIZE];
        put_u64(&mut header, 0, MAGIC);
        put_u64(&mut header, 8, self.sb.fsid);
        put_u64(&mut header, 16, self.state.sequence);
        put_u32(&mut header, 24, count as u32);
        for (i, (home, _)) in self.cache.dirty_blocks().enumerate() {
            put_u32(&mut header, TAGS + 4 * i, home);
        }
        let sum = self.cache.dirty_blocks().fold(header_sum(&header), |sum, (_, block)| hash64(block, sum));
        put_u64(&mut header, SUM, sum);
        let contents = self.cache.dirty_blocks().map(|(_, block)| &block[..]);
        let mut stager = Stager { disk: &mut self.disk, buf: &mut self.staging, start: 0, len: 0 };
        for (place, block) in (self.sb.log_start..).zip(header.chunks_exact(BLOCK_SIZE).chain(contents)) {
            stager.push(place, block)?;
        }
        stager.write()
    }

    fn write_homes(&mut self) -> Result<()> {
        let mut stager = Stager { disk: &mut self.disk, buf: &mut self.staging, start: 0, len: 0 };
        for (home, block) in self.cache.dirty_blocks() {
            stager.push(home, block)?;
        }
        stager.write()
    }

    /// At mount: writes a committed transaction home, or, `in_memory`, puts it into the cache for good. Says whether
    /// there was one.
    pub(crate) fn replay(&mut self, in_memory: bool) -> Result<bool> {
        let Some((homes, first)) = self.read_log()? else { return Ok(false) };
        let mut block = crate::cache::new_block()?;
        for (i, &home) in homes.iter().enumerate() {
            self.disk.read(u64::from(first) + i as u64, &mut block[..])?;
            if in_memory {
                // Dirty and never committed: it stays in memory.
                *self.cache.get_new(home)? = *block;
            } else {
                self.disk.write(u64::from(home), &block[..])?;
            }
        }
        if !in_memory {
            self.clear_log()?;
        }
        Ok(true)
    }

    /// The home numbers in the log and the place of the first block, if it holds a whole transaction of this volume.
    fn read_log(&mut self) -> Result<Option<(Vec<u32>, u32)>> {
        let mut header = vec![0u8; BLOCK_SIZE];
        self.disk.read(u64::from(self.sb.log_start), &mut header)?;
        let count = get_u32(&header, 24) as usize;
        let ours = get_u64(&header, 0) == MAGIC && get_u64(&header, 8) == self.sb.fsid;
        if !ours || count == 0 || count > self.log_capacity() {
            return Ok(None);
        }
        header.resize(header_blocks(count) * BLOCK_SIZE, 0);
        self.disk.read(u64::from(self.sb.log_start), &mut header)?;
        let first = self.sb.log_start + header_blocks(count) as u32;
        let mut sum = header_sum(&header);
        let mut block = crate::cache::new_block()?;
        for i in 0..count {
            self.disk.read(u64::from(first) + i as u64, &mut block[..])?;
            sum = hash64(&block[..], sum);
        }
        let homes: Vec<u32> = (0..count).map(|i| get_u32(&header, TAGS + 4 * i)).collect();
        let fits = |home: u32| home == STATE_BLOCK || (home >= self.sb.imap_start && home < self.sb.blocks);
        let whole = sum == get_u64(&header, SUM) && homes.iter().all(|&home| fits(home));
        Ok(whole.then_some((homes, first)))
    }

    /// Makes the homes durable and the log empty.
    pub(crate) fn clear_log(&mut self) -> Result<()> {
        self.disk.flush()?;
        let empty: Block = [0; BLOCK_SIZE];
        self.disk.write(u64::from(self.sb.log_start), &empty)?;
        self.disk.flush()?;
        self.unflushed = false;
        Ok(())
    }
}

/// The checksum's start: the header without the sum itself, and the home numbers.
fn header_sum(header: &[u8]) -> u64 {
    hash64(&header[TAGS..], hash64(&header[..SUM], MAGIC))
}
