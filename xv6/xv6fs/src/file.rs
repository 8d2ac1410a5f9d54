//! File contents: reading, writing, sizes, holes.
//!
//! Contents go straight between the caller's buffer and the disk, in runs as long as the extents; only ragged ends pass
//! through a bounce buffer. Bytes of the last block behind the file's end are not kept zero: whoever grows a file
//! zeroes them first, so that shrinking writes nothing over contents that a power cut may bring back.

use crate::BLOCK_SIZE;
use crate::bytes::Block;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::layout::BITS;
use crate::types::{Ino, Kind};

/// Blocks of the largest file, 16 TiB: keys have 32 bits, and the last one means "none".
pub const MAX_FILE_BLOCKS: u64 = u32::MAX as u64 - 1;
/// Bytes of the largest file.
pub(crate) const MAX_SIZE: u64 = MAX_FILE_BLOCKS * BLOCK_SIZE as u64;
/// Extents that one operation frees at most; a longer cut is several operations, kept safe by the orphan list.
const CUT_STEP: usize = 4;

static ZEROS: Block = [0; BLOCK_SIZE];

/// The key of the block with this byte, and the byte's place in it. Callers keep `pos` below [`MAX_SIZE`].
fn split(pos: u64) -> (u32, usize) {
    ((pos / BLOCK_SIZE as u64) as u32, (pos % BLOCK_SIZE as u64) as usize)
}

/// Blocks up to the one with the last byte.
pub(crate) fn blocks_for(size: u64) -> u32 {
    size.min(MAX_SIZE).div_ceil(BLOCK_SIZE as u64) as u32
}

/// Bytes of `len` that lie in `blocks` blocks of which the first begins `skip` bytes early.
fn clip(blocks: u32, skip: usize, len: usize) -> usize {
    usize::try_from(u64::from(blocks) * BLOCK_SIZE as u64 - skip as u64).map_or(len, |n| n.min(len))
}

pub(crate) fn file_only(inode: &Inode) -> Result<()> {
    match inode.kind {
        Kind::File => Ok(()),
        Kind::Dir => Err(Error::IsDir),
        _ => Err(Error::Invalid),
    }
}

impl<D: Disk> Fs<D> {
    /// The place of the block `key` and how many from it on lie together; without a place, how many have none.
    pub(crate) fn run_at(&mut self, inode: &Inode, key: u32) -> Result<(Option<u32>, u32)> {
        let found = self.map_find(inode, key)?;
        match found.floor {
            Some((e, _)) if key < e.end() => Ok((Some(e.start + (key - e.key)), e.end() - key)),
            _ => Ok((None, found.next - key)),
        }
    }

    /// Reads a file; short at its end, holes as zeros. Whole blocks go straight into `buf`.
    pub fn read_at(&mut self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        let left = inode.size.saturating_sub(offset);
        let len = usize::try_from(left).map_or(buf.len(), |n| n.min(buf.len()));
        let mut rest = &mut buf[..len];
        let mut pos = offset;
        while !rest.is_empty() {
            let (key, skip) = split(pos);
            let (start, blocks) = self.run_at(&inode, key)?;
            let (piece, tail) = rest.split_at_mut(clip(blocks, skip, rest.len()));
            pos += piece.len() as u64;
            match start {
                Some(start) => self.read_run(start, skip, piece)?,
                None => piece.fill(0),
            }
            rest = tail;
        }
        Ok(len)
    }

    /// Reads from a run of blocks, from the byte `skip` of the first on.
    fn read_run(&mut self, mut start: u32, mut skip: usize, mut buf: &mut [u8]) -> Result<()> {
        while !buf.is_empty() {
            let whole = if skip == 0 { buf.len() / BLOCK_SIZE * BLOCK_SIZE } else { 0 };
            let n = if whole > 0 { whole } else { buf.len().min(BLOCK_SIZE - skip) };
            let (piece, tail) = buf.split_at_mut(n);
            if whole > 0 {
                self.disk.read(u64::from(start), piece)?;
            } else {
                self.disk.read(u64::from(start), &mut self.bounce[..])?;
                piece.copy_from_slice(&self.bounce[skip..skip + n]);
            }
            (start, skip, buf) = (start + n.div_ceil(BLOCK_SIZE) as u32, 0, tail);
        }
        Ok(())
    }

    /// Writes into a run of blocks, from the byte `skip` of the first on. What a ragged end leaves of its block is
    /// kept, or zeroed in a `fresh` run.
    fn write_run(&mut self, mut start: u32, mut skip: usize, mut data: &[u8], fresh: bool) -> Result<()> {
        self.unflushed = true;
        while !data.is_empty() {
            let whole = if skip == 0 { data.len() / BLOCK_SIZE * BLOCK_SIZE } else { 0 };
            let n = if whole > 0 { whole } else { data.len().min(BLOCK_SIZE - skip) };
            let (piece, tail) = data.split_at(n);
            if whole > 0 {
                self.disk.write(u64::from(start), piece)?;
            } else {
                if fresh {
                    self.bounce.fill(0);
                } else {
                    self.disk.read(u64::from(start), &mut self.bounce[..])?;
                }
                self.bounce[skip..skip + n].copy_from_slice(piece);
                self.disk.write(u64::from(start), &self.bounce[..])?;
            }
            (start, skip, data) = (start + n.div_ceil(BLOCK_SIZE) as u32, 0, tail);
        }
        Ok(())
    }

    /// Writes over blocks that the file has already; an error turns the volume read-only.
    fn overwrite(&mut self, start: u32, skip: usize, data: &[u8]) -> Result<()> {
        self.check_writable()?;
        let result = self.write_run(start, skip, data, false);
        result.inspect_err(|&error| self.abort(error))
    }

    /// Before a file grows: zeroes the last block's bytes behind the end.
    pub(crate) fn zero_tail(&mut self, inode: &Inode) -> Result<()> {
        let (key, skip) = split(inode.size);
        if skip == 0 {
            return Ok(());
        }
        match self.run_at(inode, key)?.0 {
            Some(start) => self.overwrite(start, skip, &ZEROS[skip..]),
            None => Ok(()),
        }
    }

    /// Writes a file and grows it as needed; touches no times. `reserved` of the blocks promised by [`Fs::reserve`]
    /// are used up when it succeeds (0 for a caller without a promise). Without a promise the disk can fill half-way:
    /// then what went before stays written, as the new size shows.
    pub fn write_at(&mut self, ino: Ino, offset: u64, data: &[u8], reserved: u64) -> Result<()> {
        let held_back = self.reserved;
        self.unreserve(reserved);
        let result = self.write_pieces(ino, offset, data, reserved);
        if result.is_err() {
            self.reserved = held_back;
        }
        result
    }

    fn write_pieces(&mut self, ino: Ino, offset: u64, data: &[u8], mut promised: u64) -> Result<()> {
        self.check_writable()?;
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > MAX_SIZE) {
            return Err(Error::TooBig);
        }
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        if offset > inode.size && !data.is_empty() {
            self.zero_tail(&inode)?;
        }
        let mut done = 0;
        while done < data.len() {
            done += self.write_piece(ino, offset + done as u64, &data[done..], &mut promised)?;
        }
        Ok(())
    }

    /// Writes as much as lies in one run; gives how much that was.
    fn write_piece(&mut self, ino: Ino, pos: u64, data: &[u8], promised: &mut u64) -> Result<usize> {
        let (key, skip) = split(pos);
        let inode = self.inode(ino)?;
        let (start, blocks) = self.run_at(&inode, key)?;
        let Some(start) = start else {
            let want = blocks.min(blocks_for((skip + data.len()) as u64));
            return self.op(|fs| {
                let most = if *promised > 0 { *promised } else { fs.need(2)? - 1 };
                let want = u32::try_from(most).map_or(want, |n| n.min(want));
                let got = fs.map_new_run(ino, key, want, pos, |fs, start, got| {
                    let n = clip(got, skip, data.len());
                    fs.write_run(start, skip, &data[..n], true)?;
                    Ok(n as u64)
                })?;
                *promised = promised.saturating_sub(u64::from(got));
                Ok(clip(got, skip, data.len()))
            });
        };
        let n = clip(blocks, skip, data.len());
        self.overwrite(start, skip, &data[..n])?;
        let end = pos + n as u64;
        if end > inode.size {
            self.op(|fs| {
                let mut inode = fs.inode(ino)?;
                inode.size = end;
                fs.put_inode(&inode)
            })?;
        }
        Ok(n)
    }

    /// Takes up to `want` blocks for the hole at `key`, lets `fill` write them, and maps them. `fill` gives the bytes
    /// from `pos` on that count as contents: the file grows to hold them. Gives the number of blocks.
    pub(crate) fn map_new_run(
        &mut self,
        ino: Ino,
        key: u32,
        want: u32,
        pos: u64,
        fill: impl FnOnce(&mut Self, u32, u32) -> Result<u64>,
    ) -> Result<u32> {
        let mut inode = self.inode(ino)?;
        let floor = self.map_find(&inode, key)?.floor;
        let goal = floor.map_or(0, |(e, _)| e.start.saturating_add(key - e.key));
        let (start, len) = self.alloc_run(goal, want)?;
        let grown = pos + fill(self, start, len)?;
        self.map_insert(&mut inode, Extent { key, start, len })?;
        inode.size = inode.size.max(grown);
        self.put_inode(&inode)?;
        Ok(len)
    }

    /// Sets a file's size; what is added reads as zeros. Touches no times.
    pub fn truncate(&mut self, ino: Ino, size: u64) -> Result<()> {
        self.check_writable()?;
        if size > MAX_SIZE {
            return Err(Error::TooBig);
        }
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        if size > inode.size {
            self.zero_tail(&inode)?;
        }
        let shrunk = size < inode.size;
        let done = self.op(|fs| {
            let mut inode = fs.inode(ino)?;
            inode.size = size;
            let done = !shrunk || fs.cut(&mut inode, blocks_for(size), u32::MAX)?;
            if !done {
                fs.unlisted.insert(ino);
            }
            fs.put_inode(&inode)?;
            Ok(done)
        })?;
        if done { Ok(()) } else { self.reap(ino) }
    }

    /// Unmaps and frees up to [`CUT_STEP`] pieces of the blocks in `[from, to)`, the last first. Says whether that was
    /// all. The caller writes the inode.
    pub(crate) fn cut(&mut self, inode: &mut Inode, from: u32, to: u32) -> Result<bool> {
        for _ in 0..CUT_STEP {
            let Some((start, len)) = self.map_remove(inode, from, to, BITS)? else { return Ok(true) };
            self.free_run(start, len, inode.kind != Kind::File)?;
        }
        Ok(inode.count == 0)
    }

    /// Whether [`Fs::allocate`] of the range finds room: [`Error::NoSpace`] before anything is changed.
    pub fn room_for(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|&end| end <= MAX_SIZE).ok_or(Error::TooBig)?;
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        let (mut key, last) = (split(offset).0, blocks_for(end));
        let mut missing = 0;
        while key < last {
            let (start, blocks) = self.run_at(&inode, key)?;
            let step = blocks.min(last - key);
            missing += if start.is_none() { u64::from(step) } else { 0 };
            key += step;
        }
        // One more, as for each piece below.
        if missing > 0 { self.need(missing + 1).map(drop) } else { Ok(()) }
    }

    /// fallocate(2) mode 0: blocks for the range, zeroed where there were none; then grows the file unless `keep_size`. Without room for all of it
    /// nothing is changed.
    pub fn allocate(&mut self, ino: Ino, offset: u64, len: u64, keep_size: bool) -> Result<()> {
        self.check_writable()?;
        if len == 0 {
            return Err(Error::Invalid);
        }
        self.room_for(ino, offset, len)?;
        let end = offset + len;
        let (mut key, last) = (split(offset).0, blocks_for(end));
        while key < last {
            let inode = self.inode(ino)?;
            let (start, blocks) = self.run_at(&inode, key)?;
            let mut step = blocks.min(last - key);
            if start.is_none() {
                step = self.op(|fs| {
                    let most = fs.need(2)? - 1;
                    let want = u32::try_from(most).map_or(step, |n| n.min(step));
                    fs.map_new_run(ino, key, want, 0, |fs, start, got| fs.write_zeros(start, got))
                })?;
            }
            key += step;
        }
        let grows = end > self.inode(ino)?.size && !keep_size;
        if grows { self.truncate(ino, end) } else { Ok(()) }
    }

    fn write_zeros(&mut self, start: u32, len: u32) -> Result<u64> {
        self.unflushed = true;
        self.staging.fill(0);
        let end = start + len;
        let mut block = start;
        while block < end {
            let n = (end - block).min((self.staging.len() / BLOCK_SIZE) as u32);
            self.disk.write(u64::from(block), &self.staging[..n as usize * BLOCK_SIZE])?;
            block += n;
        }
        Ok(0)
    }

    /// fallocate(2) `FALLOC_FL_PUNCH_HOLE`: the range reads as zeros, its whole blocks are freed.
    pub fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        self.check_writable()?;
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        let end = offset.saturating_add(len).min(inode.size);
        if offset >= end {
            return Ok(());
        }
        let ((first, head), (last, tail)) = (split(offset), split(end));
        if first == last {
            return self.zero_in_block(&inode, first, head, tail);
        }
        if head > 0 {
            self.zero_in_block(&inode, first, head, BLOCK_SIZE)?;
        }
        // The block with the file's end goes whole: nothing behind the end counts.
        let whole_tail = end == inode.size;
        if tail > 0 && !whole_tail {
            self.zero_in_block(&inode, last, 0, tail)?;
        }
        let from = if head > 0 { first + 1 } else { first };
        let to = if whole_tail { blocks_for(end) } else { last };
        let mut done = false;
        while !done {
            done = self.op(|fs| {
                // An extent cut in two takes a map entry more.
                fs.need(1)?;
                let mut inode = fs.inode(ino)?;
                let done = fs.cut(&mut inode, from, to)?;
                fs.put_inode(&inode)?;
                Ok(done)
            })?;
        }
        Ok(())
    }

    fn zero_in_block(&mut self, inode: &Inode, key: u32, from: usize, to: usize) -> Result<()> {
        match self.run_at(inode, key)?.0 {
            Some(start) if from < to => self.overwrite(start, from, &ZEROS[from..to]),
            _ => Ok(()),
        }
    }

    /// The first mapped range at or after `offset`: its first byte and its length, both cut to `offset` and to whole
    /// blocks. `None` if there is only hole. (For `SEEK_DATA`, and to know which pages have a place on the disk.)
    pub fn next_mapped(&mut self, ino: Ino, offset: u64) -> Result<Option<(u64, u64)>> {
        let inode = self.inode(ino)?;
        file_only(&inode)?;
        let mut key = match offset {
            0..MAX_SIZE => split(offset).0,
            _ => return Ok(None),
        };
        loop {
            let (start, blocks) = self.run_at(&inode, key)?;
            if start.is_some() {
                let from = (u64::from(key) * BLOCK_SIZE as u64).max(offset);
                let to = u64::from(key + blocks) * BLOCK_SIZE as u64;
                return Ok(Some((from, to - from)));
            }
            key += blocks;
            if key == u32::MAX {
                return Ok(None);
            }
        }
    }

    /// Whether the block at `offset` has a place on the disk (a write to it needs no promise).
    pub fn is_mapped(&mut self, ino: Ino, offset: u64) -> Result<bool> {
        if offset >= MAX_SIZE {
            return Ok(false);
        }
        let inode = self.inode(ino)?;
        Ok(self.run_at(&inode, split(offset).0)?.0.is_some())
    }
}
