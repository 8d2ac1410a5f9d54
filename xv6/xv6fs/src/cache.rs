//! [`Cache`]: metadata blocks in memory. Dirty ones stay until the log has them; clean ones go when room is needed.
//!
//! File contents never pass through here, except a long symlink's target. A hint table in front of the tree makes
//! the blocks of a hot directory cost one compare.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::bytes::Block;
use crate::disk::Disk;
use crate::error::{Error, Result};

/// No block has this number (a volume ends before it).
const NONE: u32 = u32::MAX;
const HINTS: usize = 64;

struct Slot {
    block: u32,
    dirty: bool,
    /// Used since the clock hand last came by.
    recent: bool,
    data: Box<Block>,
}

/// The metadata cache.
pub(crate) struct Cache {
    index: BTreeMap<u32, usize>,
    slots: Vec<Slot>,
    /// Slots without a block.
    spare: Vec<usize>,
    hints: [usize; HINTS],
    hand: usize,
    limit: usize,
    dirty: usize,
    changes: u64,
}

/// A zeroed block on the heap.
pub(crate) fn new_block() -> Result<Box<Block>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(BLOCK_SIZE).map_err(|_| Error::NoMemory)?;
    bytes.resize(BLOCK_SIZE, 0);
    bytes.into_boxed_slice().try_into().map_err(|_| Error::NoMemory)
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Cache {
        Cache {
            index: BTreeMap::new(),
            slots: Vec::new(),
            spare: Vec::new(),
            hints: [0; HINTS],
            hand: 0,
            limit: limit.max(32),
            dirty: 0,
            changes: 0,
        }
    }

    /// Counts every change, so that a failed operation can tell whether it had changed anything.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes the counter back: what lies between was no operation's change.
    pub(crate) fn forget_changes_since(&mut self, mark: u64) {
        self.changes = mark;
    }

    /// Blocks that the next commit must log.
    pub(crate) fn dirty(&self) -> usize {
        self.dirty
    }

    /// Gives up every clean block, and its memory.
    pub(crate) fn shed(&mut self) {
        self.slots.retain(|slot| slot.dirty);
        self.slots.shrink_to_fit();
        self.index = self.slots.iter().enumerate().map(|(at, slot)| (slot.block, at)).collect();
        self.spare = Vec::new();
        self.hints = [0; HINTS];
        self.hand = 0;
    }

    fn find(&mut self, block: u32) -> Option<usize> {
        let hint = &mut self.hints[block as usize % HINTS];
        if self.slots.get(*hint).is_some_and(|s| s.block == block) {
            return Some(*hint);
        }
        let slot = *self.index.get(&block)?;
        *hint = slot;
        Some(slot)
    }

    /// A slot to fill: spare, or a clean one's, or a new one.
    fn vacate(&mut self) -> Result<usize> {
        if let Some(slot) = self.spare.pop() {
            return Ok(slot);
        }
        if self.slots.len() >= self.limit {
            // Twice round: the first pass may only take the marks away.
            for _ in 0..2 * self.slots.len() {
                self.hand = (self.hand + 1) % self.slots.len();
                let slot = &mut self.slots[self.hand];
                if slot.dirty {
                    continue;
                }
                if slot.recent {
                    slot.recent = false;
                    continue;
                }
                let old = core::mem::replace(&mut slot.block, NONE);
                self.index.remove(&old);
                return Ok(self.hand);
            }
        }
        self.slots.try_reserve(1).map_err(|_| Error::NoMemory)?;
        self.slots.push(Slot { block: NONE, dirty: false, recent: false, data: new_block()? });
        Ok(self.slots.len() - 1)
    }

    fn occupy(&mut self, slot: usize, block: u32) {
        self.slots[slot].block = block;
        self.index.insert(block, slot);
        self.hints[block as usize % HINTS] = slot;
    }

    fn load<D: Disk>(&mut self, disk: &mut D, block: u32) -> Result<usize> {
        if let Some(slot) = self.find(block) {
            self.slots[slot].recent = true;
            return Ok(slot);
        }
        let slot = self.vacate()?;
        if let Err(e) = disk.read(u64::from(block), &mut self.slots[slot].data[..]) {
            self.spare.push(slot);
            return Err(e);
        }
        self.occupy(slot, block);
        Ok(slot)
    }

    fn soil(&mut self, slot: usize) {
        self.changes += 1;
        self.slots[slot].recent = true;
        if !self.slots[slot].dirty {
            self.slots[slot].dirty = true;
            self.dirty += 1;
        }
    }

    /// A block to look at.
    pub(crate) fn get<D: Disk>(&mut self, disk: &mut D, block: u32) -> Result<&Block> {
        let slot = self.load(disk, block)?;
        Ok(&self.slots[slot].data)
    }

    /// A block to change; it is dirty from now on.
    pub(crate) fn get_mut<D: Disk>(&mut self, disk: &mut D, block: u32) -> Result<&mut Block> {
        let slot = self.load(disk, block)?;
        self.soil(slot);
        Ok(&mut self.slots[slot].data)
    }

    /// A block whose old contents do not matter: zeroed, dirty, not read.
    pub(crate) fn get_new(&mut self, block: u32) -> Result<&mut Block> {
        let slot = match self.find(block) {
            Some(slot) => slot,
            None => {
                let slot = self.vacate()?;
                self.occupy(slot, block);
                slot
            }
        };
        self.soil(slot);
        self.slots[slot].data.fill(0);
        Ok(&mut self.slots[slot].data)
    }

    /// Drops a block that was freed: it must not be logged, its next life may be file contents.
    pub(crate) fn forget(&mut self, block: u32) {
        if let Some(slot) = self.find(block) {
            self.changes += 1;
            self.index.remove(&block);
            let s = &mut self.slots[slot];
            s.block = NONE;
            s.recent = false;
            if core::mem::take(&mut s.dirty) {
                self.dirty -= 1;
            }
            self.spare.push(slot);
        }
    }

    /// The dirty blocks in the disk's order.
    pub(crate) fn dirty_blocks(&self) -> impl Iterator<Item = (u32, &Block)> {
        self.index.iter().filter(|&(_, &slot)| self.slots[slot].dirty).map(|(&b, &slot)| (b, &*self.slots[slot].data))
    }

    /// After a commit: nothing is dirty any more. Slots beyond the limit are given back.
    pub(crate) fn clean_all(&mut self) {
        for slot in &mut self.slots {
            slot.dirty = false;
        }
        self.dirty = 0;
        if self.slots.len() > self.limit {
            for slot in self.slots.drain(self.limit..) {
                self.index.remove(&slot.block);
            }
            self.spare.retain(|&s| s < self.limit);
            self.hand = 0;
        }
    }
}
