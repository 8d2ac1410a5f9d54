//! Directories: names hashed into buckets of one block.
//!
//! A name has a 63-bit hash. A bucket holds the names of a range of hashes, and the directory's extent tree finds it: the
//! extent's key is the upper 31 bits of the smallest hash of the range, which ends where the next extent's key begins.
//! A full bucket is split in two between two keys. So finding a name costs a walk down a flat tree and a look
//! through one block, however many names there are, and the order of the hashes makes cursors that outlive changes.
//!
//! ```text
//! bucket: 0 magic  4 bytes used (u16)  6 entries (u16)  8 directory's inode  16 entries, packed
//! entry:  0 hash (u64)  8 inode  12 kind (u8)  13 name's length (u8)  14 name
//! ```

use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::bytes::{Block, get_u16, get_u32, get_u64, hash64, put, put_u16, put_u32, put_u64};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::extent::Extent;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::types::{DirEntry, Ino, Kind};

const MAGIC: u32 = 0x7465_6b62;
const HEADER: usize = 16;
const ENTRY_HEADER: usize = 14;
/// Bytes of entries that a bucket holds.
const ROOM: usize = BLOCK_SIZE - HEADER;
/// Cursor values of `.` and `..`; hashes lie above.
const DOTS: u64 = 2;

/// One entry of a bucket.
pub(crate) struct Entry<'a> {
    pub at: usize,
    pub hash: u64,
    pub ino: Ino,
    /// `None`: no kind, the bucket is damaged.
    pub kind: Option<Kind>,
    pub name: &'a [u8],
}

impl Entry<'_> {
    fn size(&self) -> usize {
        ENTRY_HEADER + self.name.len()
    }
}

/// The bucket's key that a hash belongs to.
pub(crate) fn key(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Walks a bucket; an entry that does not fit ends it.
pub(crate) struct Entries<'a> {
    used: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let bytes = self.used.get(self.at..)?;
        let header = bytes.first_chunk::<ENTRY_HEADER>()?;
        let name = bytes.get(ENTRY_HEADER..ENTRY_HEADER + usize::from(header[13]))?;
        let entry = Entry {
            at: self.at,
            hash: get_u64(header, 0),
            ino: get_u32(header, 8),
            kind: Kind::from_dtype(header[12]),
            name,
        };
        self.at += entry.size();
        Some(entry)
    }
}

/// The entries of a bucket that belongs to the directory.
pub(crate) fn entries(b: &Block, dir: Ino) -> Result<Entries<'_>> {
    let used = usize::from(get_u16(b, 4));
    if get_u32(b, 0) != MAGIC || get_u32(b, 8) != dir || !(HEADER..=BLOCK_SIZE).contains(&used) {
        return Err(Error::Corrupt);
    }
    Ok(Entries { used: &b[..used], at: HEADER })
}

fn start_bucket(b: &mut Block, dir: Ino) {
    b.fill(0);
    put_u32(b, 0, MAGIC);
    put_u16(b, 4, HEADER as u16);
    put_u32(b, 8, dir);
}

/// Adds an entry; the caller knows that it fits.
fn append(b: &mut Block, hash: u64, ino: Ino, kind: Kind, name: &[u8]) {
    let at = usize::from(get_u16(b, 4));
    put_u64(b, at, hash);
    put_u32(b, at + 8, ino);
    put(b, at + 12, &[kind as u8, name.len() as u8]);
    put(b, at + ENTRY_HEADER, name);
    put_u16(b, 4, (at + ENTRY_HEADER + name.len()) as u16);
    let count = get_u16(b, 6).wrapping_add(1);
    put_u16(b, 6, count);
}

/// Where a name is, or where it would go.
pub(crate) struct Spot {
    hash: u64,
    bucket: Option<Extent>,
    /// Free bytes in the bucket.
    room: usize,
    /// The entry, if the name is there: its inode, kind, and place in the bucket.
    pub found: Option<(Ino, Kind, usize)>,
}

/// How a new name gets in.
pub(crate) enum Plan {
    /// Into this bucket.
    Fits(u32),
    /// Into the directory's first bucket, to be made.
    First,
    /// After the bucket is split at the key.
    Split(Extent, u32),
}

impl Plan {
    /// Blocks to ask [`Fs::need`] for.
    pub(crate) fn blocks(&self) -> u64 {
        match self {
            Plan::Fits(_) => 0,
            Plan::First | Plan::Split(..) => 1,
        }
    }
}

impl<D: Disk> Fs<D> {
    /// The hash of a name: 2 or more, and one more is still no negative `i64`.
    pub(crate) fn name_hash(&self, name: &[u8]) -> u64 {
        (hash64(name, self.sb.fsid) >> 1).clamp(DOTS, i64::MAX as u64 - 1)
    }

    /// Looks a name up.
    pub(crate) fn dir_find(&mut self, dir: &Inode, name: &[u8]) -> Result<Spot> {
        let hash = self.name_hash(name);
        let Some((bucket, _)) = self.map_find(dir, key(hash))?.floor else {
            return Ok(Spot { hash, bucket: None, room: 0, found: None });
        };
        let b = self.cache.get(&mut self.disk, bucket.start)?;
        let mut all = entries(b, dir.ino)?;
        let room = BLOCK_SIZE - all.used.len();
        let found = match all.find(|e| e.hash == hash && e.name == name) {
            Some(e) => Some((e.ino, e.kind.ok_or(Error::Corrupt)?, e.at)),
            None => None,
        };
        Ok(Spot { hash, bucket: Some(bucket), room, found })
    }

    /// Plans the insertion of a name that was not found; changes nothing. [`Error::NoSpace`] if a bucket is full of
    /// names with one hash.
    pub(crate) fn dir_plan(&mut self, dir: &Inode, spot: &Spot, name: &[u8]) -> Result<Plan> {
        let Some(bucket) = spot.bucket else { return Ok(Plan::First) };
        let size = ENTRY_HEADER + name.len();
        if spot.room >= size {
            return Ok(Plan::Fits(bucket.start));
        }
        let b = self.cache.get(&mut self.disk, bucket.start)?;
        let mut sizes: Vec<(u32, usize)> = entries(b, dir.ino)?.map(|e| (key(e.hash), e.size())).collect();
        sizes.push((key(spot.hash), size));
        sizes.sort_unstable();
        let total: usize = sizes.iter().map(|&(_, s)| s).sum();
        // The cut between two keys that leaves the larger half smallest.
        let mut best = None;
        let mut left = 0;
        for pair in sizes.windows(2) {
            left += pair[0].1;
            let larger = left.max(total - left);
            if pair[0].0 < pair[1].0 && best.is_none_or(|(size, _)| larger < size) {
                best = Some((larger, pair[1].0));
            }
        }
        match best {
            Some((larger, at)) if larger <= ROOM && at > bucket.key => Ok(Plan::Split(bucket, at)),
            Some((larger, _)) if larger <= ROOM => Err(Error::Corrupt),
            _ => Err(Error::NoSpace),
        }
    }

    /// Carries a plan out and counts the entry; the caller writes the directory's inode.
    pub(crate) fn dir_insert(&mut self, dir: &mut Inode, plan: &Plan, name: &[u8], ino: Ino, kind: Kind) -> Result<()> {
        let hash = self.name_hash(name);
        let block = match *plan {
            Plan::Fits(block) => block,
            Plan::First => self.new_bucket(dir, 0)?,
            Plan::Split(bucket, at) => {
                let right = self.split_bucket(dir, bucket, at)?;
                if key(hash) >= at { right } else { bucket.start }
            }
        };
        let b = self.cache.get_mut(&mut self.disk, block)?;
        if BLOCK_SIZE.saturating_sub(usize::from(get_u16(b, 4))) < ENTRY_HEADER + name.len() {
            return Err(Error::Corrupt);
        }
        append(b, hash, ino, kind, name);
        dir.entries = dir.entries.checked_add(1).ok_or(Error::Corrupt)?;
        Ok(())
    }

    fn new_bucket(&mut self, dir: &mut Inode, key: u32) -> Result<u32> {
        let block = self.alloc_block()?;
        start_bucket(self.cache.get_new(block)?, dir.ino);
        self.map_insert(dir, Extent { key, start: block, len: 1 })?;
        dir.size += BLOCK_SIZE as u64;
        Ok(block)
    }

    /// Moves the entries from the key `at` on into a new bucket.
    fn split_bucket(&mut self, dir: &mut Inode, bucket: Extent, at: u32) -> Result<u32> {
        let right = self.new_bucket(dir, at)?;
        let old = self.cache.get(&mut self.disk, bucket.start)?.to_vec();
        let old: &Block = old.first_chunk().ok_or(Error::Corrupt)?;
        for (block, upper) in [(bucket.start, false), (right, true)] {
            let b = self.cache.get_mut(&mut self.disk, block)?;
            start_bucket(b, dir.ino);
            for e in entries(old, dir.ino)?.filter(|e| (key(e.hash) >= at) == upper) {
                append(b, e.hash, e.ino, e.kind.ok_or(Error::Corrupt)?, e.name);
            }
        }
        Ok(right)
    }

    /// Takes the entry out that [`Fs::dir_find`] found; the caller writes the directory's inode.
    pub(crate) fn dir_remove(&mut self, dir: &mut Inode, spot: &Spot) -> Result<()> {
        let (Some(bucket), Some((_, _, at))) = (spot.bucket, spot.found) else { return Err(Error::Corrupt) };
        let b = self.cache.get_mut(&mut self.disk, bucket.start)?;
        let used = usize::from(get_u16(b, 4));
        let end = at + ENTRY_HEADER + usize::from(b[at + 13]);
        b.copy_within(end..used, at);
        put_u16(b, 4, (used - (end - at)) as u16);
        let count = get_u16(b, 6).wrapping_sub(1);
        put_u16(b, 6, count);
        let empty = used - (end - at) == HEADER;
        dir.entries = dir.entries.checked_sub(1).ok_or(Error::Corrupt)?;
        // The first bucket stays: it catches what no other has, and a busy small directory keeps it.
        if empty && bucket.key != 0 {
            let Some((start, len)) = self.map_remove(dir, bucket.key, bucket.key + 1, 1)? else {
                return Err(Error::Corrupt);
            };
            self.free_run(start, len, true)?;
            dir.size = dir.size.saturating_sub(BLOCK_SIZE as u64);
        }
        Ok(())
    }

    /// Lets a name stand for another inode.
    pub(crate) fn dir_replace(&mut self, spot: &Spot, ino: Ino, kind: Kind) -> Result<()> {
        let (Some(bucket), Some((_, _, at))) = (spot.bucket, spot.found) else { return Err(Error::Corrupt) };
        let b = self.cache.get_mut(&mut self.disk, bucket.start)?;
        put_u32(b, at + 8, ino);
        put(b, at + 12, &[kind as u8]);
        Ok(())
    }

    /// Shows the entries after `cursor` (0 at first, then a [`DirEntry::next`]) until `each` says `false`; `.` and `..`
    /// come first. An entry for which `each` said `false` was not taken and comes again. What is there throughout
    /// is shown exactly once, whatever else comes and goes between the calls.
    pub fn read_dir(&mut self, dir: Ino, cursor: u64, each: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let inode = self.inode(dir)?;
        if inode.kind != Kind::Dir {
            return Err(Error::NotDir);
        }
        for (at, ino, name) in [(0, dir, &b"."[..]), (1, inode.parent, b"..")] {
            if cursor <= at && !each(DirEntry { ino, kind: Kind::Dir, name, next: at + 1 }) {
                return Ok(());
            }
        }
        let mut cursor = cursor.max(DOTS);
        let mut order: Vec<(u64, usize)> = Vec::new();
        while cursor < i64::MAX as u64 {
            let found = self.map_find(&inode, key(cursor))?;
            // No bucket starts before this; it may be earlier than the next one does, then this one comes again.
            let end = u64::from(found.next) << 32;
            if let Some((bucket, _)) = found.floor {
                let b = self.cache.get(&mut self.disk, bucket.start)?;
                order.clear();
                order.extend(entries(b, dir)?.filter(|e| (cursor..end).contains(&e.hash)).map(|e| (e.hash, e.at)));
                order.sort_unstable();
                for &(hash, at) in &order {
                    let entry = Entries { used: b, at }.next().ok_or(Error::Corrupt)?;
                    let kind = entry.kind.ok_or(Error::Corrupt)?;
                    let next = hash.saturating_add(1);
                    if !each(DirEntry { ino: entry.ino, kind, name: entry.name, next }) {
                        return Ok(());
                    }
                }
            }
            cursor = end;
        }
        Ok(())
    }
}
