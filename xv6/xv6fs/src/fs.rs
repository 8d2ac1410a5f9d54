//! [`Fs`]: a mounted volume, and the frame in which every change runs ([`Fs::op`]).
//!
//! An operation first makes room in the log, then checks what can be refused, then changes blocks in the cache. So it is
//! whole in one transaction or not there at all. If something fails in the middle all the same (the device, or a
//! damaged block), the running transaction is given up and the volume turns read-only: what is on the disk is still sound.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::alloc_map::Pending;
use crate::bytes::Block;
use crate::cache::{Cache, new_block};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::layout::{BITS, STATE_BLOCK, State, Super};
use crate::types::{Ino, MountOptions, StatFs};

/// Metadata blocks that one operation may change at most (rename of a directory over another, two splits).
const OP_BLOCKS: usize = 40;

/// Whether the volume takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    Read,
    /// An operation failed half-way or the device failed, with this error: nothing is written any more.
    Aborted(Error),
}

/// A mounted volume. All methods take `&mut self`: the caller brings the lock.
pub struct Fs<D: Disk> {
    pub(crate) disk: D,
    pub(crate) sb: Super,
    pub(crate) state: State,
    pub(crate) cache: Cache,
    pub(crate) access: Access,
    /// Freed blocks that the next commit gives back.
    pub(crate) pending: Pending,
    /// Free blocks per bitmap block, where counted.
    pub(crate) map_free: Vec<Option<u32>>,
    /// Where the search for free blocks begins.
    pub(crate) block_hint: u32,
    /// No inode number below this is free.
    pub(crate) ino_hint: u32,
    /// Blocks promised to later writes.
    pub(crate) reserved: u64,
    pub(crate) held: BTreeMap<Ino, u32>,
    /// Inodes without a name that are held.
    pub(crate) orphans: BTreeSet<Ino>,
    /// Those orphans that the list on the disk does not have yet: a commit puts them there.
    pub(crate) unlisted: BTreeSet<Ino>,
    /// Free counts or the like changed since the last commit.
    pub(crate) state_dirty: bool,
    /// Something was written since the last flush.
    pub(crate) unflushed: bool,
    /// One block for the ragged ends of reads and writes.
    pub(crate) bounce: Box<Block>,
    /// Several blocks for writing runs: log, homes, zeros.
    pub(crate) staging: Vec<u8>,
}

/// Blocks in [`Fs::staging`].
pub(crate) const STAGING: usize = 32;

impl<D: Disk> Fs<D> {
    /// Mounts: replays the log, frees the orphans (both only in memory, and not at all, if read-only).
    ///
    /// Fails with [`Error::Corrupt`] on what is no xv6fs volume or too damaged to be trusted.
    pub fn mount(disk: D, options: &MountOptions) -> Result<Fs<D>> {
        let (mut fs, _) = Fs::load(disk, options)?;
        if !options.read_only {
            fs.access = Access::Write;
            fs.reap_listed()?;
        }
        Ok(fs)
    }

    /// A read-only `Fs` with the log replayed, and whether there was something to replay.
    pub(crate) fn load(mut disk: D, options: &MountOptions) -> Result<(Fs<D>, bool)> {
        let mut bounce = new_block()?;
        disk.read(0, &mut bounce[..])?;
        let sb = Super::decode(&bounce, disk.blocks())?;
        let mut fs = Fs::with(disk, sb, bounce, options.cache_blocks);
        let replayed = fs.replay(options.read_only)?;
        let block = fs.cache.get(&mut fs.disk, STATE_BLOCK)?;
        fs.state = State::decode(block, &fs.sb)?;
        Ok((fs, replayed))
    }

    pub(crate) fn with(disk: D, sb: Super, bounce: Box<Block>, cache_blocks: usize) -> Fs<D> {
        Fs {
            disk,
            sb,
            state: State::default(),
            cache: Cache::new(cache_blocks),
            access: Access::Read,
            pending: Pending::default(),
            map_free: vec![None; sb.blocks.div_ceil(BITS) as usize],
            block_hint: sb.data_start,
            ino_hint: 0,
            reserved: 0,
            held: BTreeMap::new(),
            orphans: BTreeSet::new(),
            unlisted: BTreeSet::new(),
            state_dirty: false,
            unflushed: false,
            bounce,
            staging: vec![0; STAGING * BLOCK_SIZE],
        }
    }

    /// Commits, flushes, marks the log clean, and gives the disk back. A read-only volume's disk is not touched.
    pub fn unmount(mut self) -> Result<D> {
        match self.access {
            Access::Aborted(_) => return Err(Error::Io),
            Access::Read => {}
            Access::Write => {
                // Nobody is left to hold them.
                self.held.clear();
                for ino in core::mem::take(&mut self.orphans) {
                    self.reap(ino)?;
                }
                self.commit()?;
                self.clear_log()?;
            }
        }
        Ok(self.disk)
    }

    /// The disk, to look at.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Runs one atomic change: `f` is refused on a read-only volume, finds room in the log for [`OP_BLOCKS`] blocks,
    /// and must not fail after its first change; if it does, the volume turns read-only. `f` reads the inodes it
    /// writes itself, after [`Fs::need`]: a commit may have put them into the orphan list.
    pub(crate) fn op<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        self.check_writable()?;
        if self.log_need() + OP_BLOCKS > self.log_capacity() {
            self.commit()?;
        }
        let mark = self.cache.changes();
        let result = f(self);
        if self.cache.changes() != mark {
            self.state_dirty = true;
            if let Err(error) = result {
                self.abort(error);
                return Err(error);
            }
        }
        debug_assert!(self.log_need() <= self.log_capacity(), "an operation outgrew the log");
        result
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.access == Access::Write { Ok(()) } else { Err(Error::ReadOnly) }
    }

    /// Gives the running transaction up: no write reaches the disk from now on.
    pub(crate) fn abort(&mut self, error: Error) {
        if self.failure().is_none() {
            self.access = Access::Aborted(error);
        }
    }

    /// Makes a volume that was mounted read-only writable: the log is replayed and the orphans are freed, as a mount would.
    /// [`Error::ReadOnly`] if an error made it read-only.
    pub fn make_writable(&mut self) -> Result<()> {
        match self.access {
            Access::Write => return Ok(()),
            Access::Aborted(_) => return Err(Error::ReadOnly),
            Access::Read => {}
        }
        // What the log holds is in the cache already, as if it were home; now it goes there.
        self.replay(false)?;
        self.cache.clean_all();
        self.access = Access::Write;
        self.reap_listed()
    }

    /// Blocks that a commit would log now: dirty ones, bitmaps of pending frees, the orphan list's links, the state.
    pub(crate) fn log_need(&self) -> usize {
        self.cache.dirty() + self.pending.bitmaps() + 3
    }

    /// Whether the running transaction is more than half of what the log can hold.
    pub fn needs_commit(&self) -> bool {
        self.log_need() > self.log_capacity() / 2
    }

    /// Gives up the memory of all that is only cached.
    pub fn shed_cache(&mut self) {
        self.cache.shed();
    }

    /// Whether there is anything that [`Fs::commit`] would write.
    pub fn is_dirty(&self) -> bool {
        self.access == Access::Write && (self.state_dirty || self.cache.dirty() > 0 || self.unflushed)
    }

    /// The error that made the volume read-only, if one did.
    pub fn failure(&self) -> Option<Error> {
        match self.access {
            Access::Aborted(error) => Some(error),
            Access::Read | Access::Write => None,
        }
    }

    /// Whether writes are refused: mounted so, or turned so by an error.
    pub fn is_read_only(&self) -> bool {
        self.access != Access::Write
    }

    /// How much room there is.
    pub fn statfs(&self) -> StatFs {
        let free = u64::from(self.state.free_blocks) + self.pending.blocks();
        StatFs {
            blocks: u64::from(self.sb.blocks - self.sb.data_start),
            free,
            available: free.saturating_sub(self.reserved + self.sb.pool()),
            inodes: u64::from(self.sb.inodes - 1),
            free_inodes: u64::from(self.state.free_inodes),
            fsid: self.sb.fsid,
        }
    }
}
