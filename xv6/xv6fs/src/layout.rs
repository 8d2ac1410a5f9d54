//! Where things lie on the disk: [`Super`] (block 0, never rewritten) and [`State`] (block 1, part of every commit).
//!
//! Everything read is checked here once, so that the rest of the crate can trust a mounted volume's geometry.

use crate::BLOCK_SIZE;
use crate::bytes::{Block, get_u32, get_u64, hash64, put_u32, put_u64};
use crate::error::{Error, Result};
use crate::types::FormatOptions;

/// "xv6fs", format 1.
const MAGIC: u64 = u64::from_le_bytes(*b"xv6fs\0\0\x01");
const STATE_MAGIC: u32 = 0x7374_6174;

/// The block of the free counts and the orphan list's head.
pub(crate) const STATE_BLOCK: u32 = 1;
/// Bits in one bitmap block.
pub(crate) const BITS: u32 = (BLOCK_SIZE * 8) as u32;
/// Bytes of one inode on the disk.
pub(crate) const INODE_SIZE: usize = 256;
/// Inodes in one block of the inode table.
pub(crate) const INODES_PER_BLOCK: u32 = (BLOCK_SIZE / INODE_SIZE) as u32;
/// The smallest log: room for the largest single operation, twice.
const MIN_LOG: u32 = 96;
/// The largest log that is made by default, 16 MiB.
const MAX_LOG: u32 = 4096;
/// Bytes of the super block, and of the state, that their checksums cover.
const SUMMED: usize = 128;

/// The volume's geometry. Ranges follow each other in this order and end at `blocks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Super {
    pub blocks: u32,
    pub inodes: u32,
    pub log_start: u32,
    pub log_len: u32,
    /// Bitmap of inodes.
    pub imap_start: u32,
    pub imap_len: u32,
    /// Bitmap of blocks.
    pub bmap_start: u32,
    pub bmap_len: u32,
    /// Inode table.
    pub itab_start: u32,
    pub itab_len: u32,
    pub data_start: u32,
    pub fsid: u64,
}

impl Super {
    /// The geometry for a disk of `blocks` blocks. Fails with [`Error::NoSpace`] on a disk that is too small and with
    /// [`Error::Invalid`] on options that do not fit it.
    pub(crate) fn plan(blocks: u64, options: &FormatOptions) -> Result<Super> {
        // 16 TiB less one block: block numbers have 32 bits, and no run may reach the last one.
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        let log_len = match options.log_blocks {
            0 => (blocks / 32).clamp(MIN_LOG, MAX_LOG),
            n if n < MIN_LOG => return Err(Error::Invalid),
            n => n,
        };
        let wanted = if options.inodes == 0 { (blocks / 4).max(16) } else { options.inodes };
        let inodes = wanted.checked_next_multiple_of(INODES_PER_BLOCK).ok_or(Error::Invalid)?;
        Super::lay_out(blocks, inodes, log_len, options.fsid).ok_or(Error::NoSpace)
    }

    fn lay_out(blocks: u32, inodes: u32, log_len: u32, fsid: u64) -> Option<Super> {
        let log_start = STATE_BLOCK + 1;
        let imap_start = log_start.checked_add(log_len)?;
        let imap_len = inodes.div_ceil(BITS);
        let bmap_start = imap_start.checked_add(imap_len)?;
        let bmap_len = blocks.div_ceil(BITS);
        let itab_start = bmap_start.checked_add(bmap_len)?;
        let itab_len = inodes / INODES_PER_BLOCK;
        let data_start = itab_start.checked_add(itab_len)?;
        let s = Super {
            blocks,
            inodes,
            log_start,
            log_len,
            imap_start,
            imap_len,
            bmap_start,
            bmap_len,
            itab_start,
            itab_len,
            data_start,
            fsid,
        };
        // At least a block for the root directory and as much as the pool keeps back.
        let sound = inodes >= INODES_PER_BLOCK && inodes.is_multiple_of(INODES_PER_BLOCK) && log_len >= MIN_LOG;
        (sound && data_start.checked_add(16)? <= blocks).then_some(s)
    }

    pub(crate) fn encode(&self, b: &mut Block) {
        b.fill(0);
        put_u64(b, 0, MAGIC);
        put_u32(b, 8, BLOCK_SIZE as u32);
        put_u32(b, 12, self.blocks);
        put_u32(b, 16, self.inodes);
        put_u32(b, 20, self.log_len);
        put_u64(b, 24, self.fsid);
        let sum = hash64(&b[..SUMMED], MAGIC);
        put_u64(b, SUMMED, sum);
    }

    /// Fails with [`Error::Corrupt`] on anything but a super block that [`Super::encode`] made and that fits the disk.
    pub(crate) fn decode(b: &Block, disk_blocks: u64) -> Result<Super> {
        let known = get_u64(b, 0) == MAGIC && get_u32(b, 8) == BLOCK_SIZE as u32;
        if !known || get_u64(b, SUMMED) != hash64(&b[..SUMMED], MAGIC) {
            return Err(Error::Corrupt);
        }
        let blocks = get_u32(b, 12);
        if u64::from(blocks) > disk_blocks {
            return Err(Error::Corrupt);
        }
        Super::lay_out(blocks, get_u32(b, 16), get_u32(b, 20), get_u64(b, 24)).ok_or(Error::Corrupt)
    }

    /// Blocks that only block maps may use, so that a promised write always finds room for its map: a map block is
    /// split only when it is full, that is when it maps 340 blocks or more, so there are never more splits to come
    /// than a 340th of the disk; three levels of the map may split at once.
    pub(crate) fn pool(&self) -> u64 {
        u64::from(self.blocks - self.data_start) / 110 + 8
    }

    /// Whether the run lies wholly in the data area.
    pub(crate) fn in_data(&self, start: u32, len: u32) -> bool {
        start >= self.data_start && len > 0 && start.checked_add(len).is_some_and(|end| end <= self.blocks)
    }
}

/// What changes with every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub free_blocks: u32,
    pub free_inodes: u32,
    /// First of the list of unlinked or half truncated inodes; 0 if it is empty.
    pub orphan_head: u32,
    /// The generation that the next inode gets.
    pub generation: u32,
    /// Number of the last commit.
    pub sequence: u64,
}

impl State {
    pub(crate) fn encode(&self, b: &mut Block) {
        put_u32(b, 0, STATE_MAGIC);
        put_u32(b, 4, self.free_blocks);
        put_u32(b, 8, self.free_inodes);
        put_u32(b, 12, self.orphan_head);
        put_u32(b, 16, self.generation);
        put_u64(b, 24, self.sequence);
        let sum = hash64(&b[..SUMMED], MAGIC);
        put_u64(b, SUMMED, sum);
    }

    pub(crate) fn decode(b: &Block, sb: &Super) -> Result<State> {
        let s = State {
            free_blocks: get_u32(b, 4),
            free_inodes: get_u32(b, 8),
            orphan_head: get_u32(b, 12),
            generation: get_u32(b, 16),
            sequence: get_u64(b, 24),
        };
        let sound = get_u32(b, 0) == STATE_MAGIC
            && get_u64(b, SUMMED) == hash64(&b[..SUMMED], MAGIC)
            && s.free_blocks <= sb.blocks - sb.data_start
            && s.free_inodes < sb.inodes
            && s.orphan_head < sb.inodes;
        if sound { Ok(s) } else { Err(Error::Corrupt) }
    }
}
