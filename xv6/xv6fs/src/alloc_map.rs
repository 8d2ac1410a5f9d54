//! Free blocks: the bitmap, blocks freed but not yet committed ([`Pending`]), and promises ([`Fs::reserve`]).
//!
//! A freed block keeps its bit until the commit that makes its freeing durable: until then a power cut brings the
//! old owner back, so nobody may write over its contents.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::bytes::{Block, get_u64};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::layout::BITS;

/// Blocks set aside per promised block: itself, and one for a map that outgrows its inode. (Splits of full map
/// blocks are covered by the pool, see [`crate::layout::Super::pool`].)
const PROMISE: u64 = 2;
/// A free run this long is taken although a longer one may lie further on.
const GOOD_RUN: u32 = 256;

/// Runs of freed blocks that wait for the commit.
#[derive(Default)]
pub(crate) struct Pending {
    runs: Vec<(u32, u32)>,
    blocks: u64,
    /// The bitmap blocks that the runs touch.
    maps: BTreeSet<u32>,
}

impl Pending {
    pub(crate) fn bitmaps(&self) -> usize {
        self.maps.len()
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }

    fn add(&mut self, start: u32, len: u32) {
        self.blocks += u64::from(len);
        self.maps.extend(start / BITS..=(start + len - 1) / BITS);
        match self.runs.last_mut() {
            Some((s, l)) if *s + *l == start => *l += len,
            Some((s, l)) if start + len == *s => (*s, *l) = (start, *l + len),
            _ => self.runs.push((start, len)),
        }
    }
}

/// The first run of clear bits in `[from, to)`: its start and its length, at most `want`.
fn clear_run(bytes: &Block, from: u32, to: u32, want: u32) -> Option<(u32, u32)> {
    let word = |bit: u32| get_u64(bytes, bit as usize / 64 * 8) >> (bit % 64);
    let mut start = from;
    while start < to {
        let ones = word(start).trailing_ones().min(64 - start % 64);
        if ones < 64 - start % 64 {
            start += ones;
            break;
        }
        start += ones;
    }
    if start >= to {
        return None;
    }
    let limit = to.min(start.saturating_add(want));
    let mut end = start;
    while end < limit {
        let zeros = word(end).trailing_zeros().min(64 - end % 64);
        end += zeros;
        if !end.is_multiple_of(64) || zeros == 0 {
            break;
        }
    }
    Some((start, end.min(limit) - start))
}

/// Sets (`true`) or clears bits; `false` if one of them was so already.
fn change_bits(bytes: &mut Block, from: u32, len: u32, set: bool) -> bool {
    let (mut bit, end) = (from, from + len);
    while bit < end {
        let n = (8 - bit % 8).min(end - bit);
        let mask = (((1u16 << n) - 1) as u8) << (bit % 8);
        let byte = &mut bytes[bit as usize / 8];
        if *byte & mask != if set { 0 } else { mask } {
            return false;
        }
        *byte ^= mask;
        bit += n;
    }
    true
}

impl<D: Disk> Fs<D> {
    /// Blocks that can be taken without breaking a promise or touching the pool.
    fn available(&self) -> u64 {
        u64::from(self.state.free_blocks).saturating_sub(self.reserved + self.sb.pool())
    }

    /// Makes sure that `blocks` blocks (beside map blocks) can be taken; commits if that frees enough. To be called
    /// before an operation's first change. Gives what is available.
    pub(crate) fn need(&mut self, blocks: u64) -> Result<u64> {
        if self.available() < blocks && self.available() + self.pending.blocks() >= blocks {
            self.commit()?;
        }
        let available = self.available();
        if available >= blocks { Ok(available) } else { Err(Error::NoSpace) }
    }

    /// Promises that `write_at` of `blocks` new blocks will find room, block maps included. Twice as much is set aside
    /// until then, so on [`Error::NoSpace`] write back what is promised already, [`Fs::commit`], and try once more.
    pub fn reserve(&mut self, blocks: u64) -> Result<()> {
        self.check_writable()?;
        let cost = blocks.saturating_mul(PROMISE);
        self.need(cost)?;
        self.reserved += cost;
        Ok(())
    }

    /// Gives a promise of `blocks` blocks back unused.
    pub fn unreserve(&mut self, blocks: u64) {
        self.reserved = self.reserved.saturating_sub(blocks.saturating_mul(PROMISE));
    }

    /// Takes up to `want` consecutive free blocks, at `goal` if that is free.
    pub(crate) fn alloc_run(&mut self, goal: u32, want: u32) -> Result<(u32, u32)> {
        let want = want.clamp(1, BITS);
        if self.sb.in_data(goal, 1) {
            let block = self.sb.bmap_start + goal / BITS;
            let to = (self.sb.blocks - goal / BITS * BITS).min(BITS);
            let bytes = self.cache.get(&mut self.disk, block)?;
            if let Some((bit, len)) = clear_run(bytes, goal % BITS, to, want)
                && bit == goal % BITS
            {
                return self.take(goal, len);
            }
        }
        let mut best = (0, 0);
        let first = self.block_hint / BITS;
        // One more than there are: the first one is looked at twice, from the hint on and from its start.
        for i in 0..=self.sb.bmap_len {
            let map = (first + i) % self.sb.bmap_len;
            let from = if i == 0 { self.block_hint % BITS } else { 0 };
            self.search(map, from, want, &mut best)?;
            if best.1 >= want.min(GOOD_RUN) {
                break;
            }
        }
        if best.1 == 0 {
            // The count says that there are free blocks, the bitmap that there are none.
            return Err(Error::Corrupt);
        }
        self.take(best.0, best.1)
    }

    /// Looks for a run in one bitmap block that is better than `best`.
    fn search(&mut self, map: u32, from: u32, want: u32, best: &mut (u32, u32)) -> Result<()> {
        if self.map_free[map as usize] == Some(0) {
            return Ok(());
        }
        let base = map * BITS;
        let to = (self.sb.blocks - base).min(BITS);
        let bytes = self.cache.get(&mut self.disk, self.sb.bmap_start + map)?;
        let free = self.map_free[map as usize]
            .get_or_insert_with(|| to.saturating_sub(bytes.iter().map(|b| b.count_ones()).sum()));
        if *free == 0 {
            return Ok(());
        }
        let mut bit = from;
        while let Some((start, len)) = clear_run(bytes, bit, to, want) {
            if len > best.1 && self.sb.in_data(base + start, len) {
                *best = (base + start, len);
            }
            if best.1 >= want {
                break;
            }
            bit = start + len.max(1);
        }
        Ok(())
    }

    fn take(&mut self, start: u32, len: u32) -> Result<(u32, u32)> {
        let map = start / BITS;
        let bytes = self.cache.get_mut(&mut self.disk, self.sb.bmap_start + map)?;
        let sound = change_bits(bytes, start % BITS, len, true);
        self.state.free_blocks = self.state.free_blocks.checked_sub(len).ok_or(Error::Corrupt)?;
        if let Some(free) = &mut self.map_free[map as usize] {
            *free = free.saturating_sub(len);
        }
        self.block_hint = if start + len < self.sb.blocks { start + len } else { self.sb.data_start };
        if sound { Ok((start, len)) } else { Err(Error::Corrupt) }
    }

    /// One block for metadata.
    pub(crate) fn alloc_block(&mut self) -> Result<u32> {
        Ok(self.alloc_run(0, 1)?.0)
    }

    /// Frees blocks; with `meta`, drops them from the cache.
    pub(crate) fn free_run(&mut self, start: u32, len: u32, meta: bool) -> Result<()> {
        if !self.sb.in_data(start, len) {
            return Err(Error::Corrupt);
        }
        if meta {
            (start..start + len).for_each(|block| self.cache.forget(block));
        }
        self.pending.add(start, len);
        Ok(())
    }

    /// At the commit: the pending runs' bits go. Fails with [`Error::Corrupt`] if one was free already.
    pub(crate) fn apply_pending(&mut self) -> Result<()> {
        let pending = core::mem::take(&mut self.pending);
        for (mut start, mut len) in pending.runs {
            while len > 0 {
                let map = start / BITS;
                let n = len.min(BITS - start % BITS);
                let bytes = self.cache.get_mut(&mut self.disk, self.sb.bmap_start + map)?;
                if !change_bits(bytes, start % BITS, n, false) {
                    return Err(Error::Corrupt);
                }
                if let Some(free) = &mut self.map_free[map as usize] {
                    *free += n;
                }
                self.state.free_blocks += n;
                self.block_hint = self.block_hint.min(start);
                (start, len) = (start + n, len - n);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{change_bits, clear_run};
    use crate::BLOCK_SIZE;

    #[test]
    fn runs_are_found_across_words() {
        let mut map = [0u8; BLOCK_SIZE];
        assert!(change_bits(&mut map, 0, 70, true));
        assert!(change_bits(&mut map, 200, 1, true));
        assert_eq!(clear_run(&map, 0, 32768, 1000), Some((70, 130)));
        assert_eq!(clear_run(&map, 0, 32768, 5), Some((70, 5)));
        assert_eq!(clear_run(&map, 201, 32768, 40000), Some((201, 32768 - 201)));
        assert_eq!(clear_run(&map, 0, 70, 5), None);
        assert_eq!(clear_run(&map, 100, 110, 50), Some((100, 10)));
        assert!(!change_bits(&mut map, 199, 2, true), "bit 200 is set already");
    }

    #[test]
    fn bits_change_both_ways() {
        let mut map = [0u8; BLOCK_SIZE];
        assert!(change_bits(&mut map, 3, 100, true));
        assert!(!change_bits(&mut map, 2, 1, false));
        assert!(change_bits(&mut map, 3, 100, false));
        assert!(map.iter().all(|&b| b == 0));
    }
}
