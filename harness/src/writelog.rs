//! writelog: everything a guest wrote to a disk, and that disk after a power cut at any moment.
//!
//! QEMU's `blklogwrites` driver ([`crate::Drive::logged`]) keeps the log in the format of Linux's dm-log-writes (its
//! `Documentation/admin-guide/device-mapper/log-writes.rst`). [`WriteLog`] reads it; a [`Rebuilder`] goes through it from front to back
//! and gives the [`CutDisk`]s that a power cut may leave.
//!
//! ```text
//!   super block   magic  version  entries        (u64 each)  sector size (u32)    then zeros to the sector's end
//!   entry         sector  sectors  flags  length (u64 each)                       then zeros to the sector's end, then the data
//! ```
//! QEMU logs a request when it is done, so what stands before a flush was done before that flush ended, and is durable. What comes
//! after the last flush may be on the disk or not, each sector for itself, since a disk promises no more than that. Of several
//! writes of one sector any may be the last that counts: keeping some and losing others covers their reordering.

use crate::failure::Failure;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes in a sector, which a disk writes whole or not at all.
pub const SECTOR: usize = 512;
const MAGIC: u64 = 0x6a_7366_7773_6872;
const VERSION: u64 = 1;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One request that the disk has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Sectors from `sector` on were written; the data is in the log's bytes.
    Write {
        /// The first sector.
        sector: u64,
        /// Where the data lies.
        data: Range<usize>,
    },
    /// All that was done before is durable.
    Flush,
}

/// A log.
#[derive(Debug)]
pub struct WriteLog {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl WriteLog {
    /// Reads the log at `path`, which should be complete: the machine has ended, and flushed its disk before that.
    ///
    /// # Errors
    /// `Setup` when it cannot be read, or is no such log.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let reading = |e| Failure::setup(format_args!("read the write log {}", path.display()), e);
        Self::parse(std::fs::read(path).map_err(|e| reading(e.to_string()))?).map_err(reading)
    }

    /// Reads a log from memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let number = |at: usize| {
            let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
            word.map(u64::from_le_bytes).ok_or_else(|| format!("it ends at byte {}", bytes.len()))
        };
        if number(0)? != MAGIC || number(8)? != VERSION || number(24)? as u32 as usize != SECTOR {
            return Err("it is no write log of version 1 with sectors of 512 bytes".into());
        }
        let mut entries = Vec::new();
        let mut at = SECTOR;
        for index in 0..number(16)? {
            let [sector, sectors, flags] = [number(at)?, number(at + 8)?, number(at + 16)?];
            if flags & !(FLUSH | FUA | DISCARD) != 0 || flags & DISCARD != 0 {
                return Err(format!("entry {index} has the flags {flags:#x}, which no guest here causes"));
            }
            let len = usize::try_from(sectors).ok().and_then(|n| n.checked_mul(SECTOR)).ok_or("a write is too long")?;
            let data = at + SECTOR..(at + SECTOR).saturating_add(len);
            if data.end > bytes.len() {
                return Err(format!("it ends within entry {index}"));
            }
            at = data.end;
            if len > 0 {
                entries.push(Entry::Write { sector, data });
            }
            if flags & (FLUSH | FUA) != 0 {
                entries.push(Entry::Flush);
            }
        }
        Ok(Self { bytes, entries })
    }

    /// The requests in the order in which they were done.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The data of a write; empty for a flush.
    pub fn data(&self, entry: &Entry) -> &[u8] {
        match entry {
            Entry::Write { data, .. } => &self.bytes[data.clone()],
            Entry::Flush => &[],
        }
    }
}

/// Goes through a log and gives the disk after cuts on the way.
#[derive(Debug)]
pub struct Rebuilder<'a> {
    log: &'a WriteLog,
    /// What is durable at the last flush that was passed.
    durable: Vec<u8>,
    flushed: usize,
}

impl<'a> Rebuilder<'a> {
    /// Begins with `disk`, the contents before the log's first write.
    ///
    /// # Panics
    /// When it is not made of whole pages of 4096 bytes.
    pub fn new(log: &'a WriteLog, disk: Vec<u8>) -> Self {
        assert!(disk.len().is_multiple_of(PAGE), "a disk of {} bytes", disk.len());
        Self { log, durable: disk, flushed: 0 }
    }

    /// The disk after a cut behind the first `at` requests. `keep` decides about each sector that was written and not flushed, by the
    /// request's number; all that `keep` loses keeps what it had. Cuts must be asked for in order.
    ///
    /// # Panics
    /// When `at` lies before an earlier cut's last flush, or a write lies outside the disk.
    pub fn cut(&mut self, at: usize, mut keep: impl FnMut(usize) -> bool) -> CutDisk<'_> {
        assert!(at >= self.flushed && at <= self.log.entries.len(), "cuts go forward");
        let last_flush = self.log.entries[self.flushed..at].iter().rposition(|entry| *entry == Entry::Flush);
        let durable = last_flush.map_or(self.flushed, |last| self.flushed + last + 1);
        for entry in &self.log.entries[self.flushed..durable] {
            if let Entry::Write { sector, .. } = entry {
                let data = self.log.data(entry);
                self.durable[*sector as usize * SECTOR..][..data.len()].copy_from_slice(data);
            }
        }
        self.flushed = durable;
        let mut disk = CutDisk { base: &self.durable, changed: BTreeMap::new() };
        for (number, entry) in self.log.entries.iter().enumerate().take(at).skip(durable) {
            let Entry::Write { sector, .. } = entry else { continue };
            disk.put(*sector, self.log.data(entry), || keep(number));
        }
        disk
    }
}

/// Bytes in a page.
const PAGE: usize = 4096;

/// A disk after a power cut. It can be written to, which changes nothing else.
#[derive(Clone, Debug)]
pub struct CutDisk<'a> {
    base: &'a [u8],
    /// What differs from `base`, by pages, whose number is the key.
    changed: BTreeMap<usize, Cow<'a, [u8]>>,
}

impl<'a> CutDisk<'a> {
    /// Puts those sectors of `data` on the disk, from `sector` on, for which `keep` says so. Whole pages are not copied.
    fn put(&mut self, sector: u64, data: &'a [u8], mut keep: impl FnMut() -> bool) {
        let mut at = sector as usize * SECTOR;
        let mut rest = data;
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            let kept: Vec<bool> = part.chunks(SECTOR).map(|_| keep()).collect();
            if part.len() == PAGE && kept.iter().all(|&kept| kept) {
                self.changed.insert(at / PAGE, Cow::Borrowed(part));
            } else if kept.contains(&true) {
                let page = self.page_mut(at / PAGE);
                let within = at % PAGE;
                for (i, sector) in part.chunks(SECTOR).enumerate().filter(|(i, _)| kept[*i]) {
                    page[within + i * SECTOR..][..SECTOR].copy_from_slice(sector);
                }
            }
            (at, rest) = (at + part.len(), tail);
        }
    }

    /// A page to change.
    fn page_mut(&mut self, number: usize) -> &mut [u8] {
        let whole = |page: usize| &self.base[page * PAGE..(page + 1) * PAGE];
        self.changed.entry(number).or_insert_with(|| Cow::Borrowed(whole(number))).to_mut()
    }

    /// Its size in sectors.
    pub fn sectors(&self) -> u64 {
        (self.base.len() / SECTOR) as u64
    }

    /// Fills `buf`, whole sectors, from `sector` on.
    ///
    /// # Panics
    /// Outside the disk.
    pub fn read(&self, sector: u64, buf: &mut [u8]) {
        let start = sector as usize * SECTOR;
        let end = start + buf.len();
        buf.copy_from_slice(&self.base[start..end]);
        for (number, page) in self.changed.range(start / PAGE..end.div_ceil(PAGE)) {
            let (from, to) = ((number * PAGE).max(start), ((number + 1) * PAGE).min(end));
            buf[from - start..to - start].copy_from_slice(&page[from - number * PAGE..to - number * PAGE]);
        }
    }

    /// Writes `data`, whole sectors, from `sector` on.
    ///
    /// # Panics
    /// Outside the disk.
    pub fn write(&mut self, sector: u64, data: &[u8]) {
        let mut at = sector as usize * SECTOR;
        let mut rest = data;
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            self.page_mut(at / PAGE)[at % PAGE..][..part.len()].copy_from_slice(part);
            (at, rest) = (at + part.len(), tail);
        }
    }

    /// Writes the whole disk to a new (sparse) file.
    ///
    /// # Errors
    /// `Setup` with the file.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let save = || {
            let file = std::fs::File::create(path)?;
            file.set_len(self.base.len() as u64)?;
            for (i, block) in self.base.chunks(PAGE).enumerate().filter(|(_, block)| block.iter().any(|&b| b != 0)) {
                file.write_all_at(block, (i * PAGE) as u64)?;
            }
            self.changed.iter().try_for_each(|(number, page)| file.write_all_at(page, (number * PAGE) as u64))
        };
        save().map_err(|e: std::io::Error| Failure::setup(format_args!("write {}", path.display()), e))
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, MAGIC, PAGE, Rebuilder, SECTOR, WriteLog};

    fn sector(words: &[u64]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(SECTOR, 0);
        bytes
    }

    /// Two sectors of 1 at 0, a flush, one sector of 2 at 1, one sector of 3 at 0.
    fn sample() -> Vec<u8> {
        let mut log = sector(&[MAGIC, 1, 4, SECTOR as u64]);
        for (at, count, flags, byte) in [(0, 2, 0, 1), (0, 0, 1, 0), (1, 1, 0, 2), (0, 1, 0, 3)] {
            log.extend(sector(&[at, count, flags, 0]));
            log.extend(vec![byte; count as usize * SECTOR]);
        }
        log
    }

    #[test]
    fn a_cut_keeps_what_was_flushed_and_chooses_among_the_rest() {
        let log = WriteLog::parse(sample()).expect("a sound log");
        assert_eq!((log.entries().len(), &log.entries()[1]), (4, &Entry::Flush));
        let mut rebuilder = Rebuilder::new(&log, vec![0; PAGE]);
        let mut look = |at, keep: &dyn Fn(usize) -> bool| {
            let mut buf = [0; 3 * SECTOR];
            rebuilder.cut(at, keep).read(0, &mut buf);
            [0, 1, 2].map(|sector: usize| buf[sector * SECTOR])
        };
        assert_eq!(look(0, &|_| true), [0, 0, 0]);
        assert_eq!(look(1, &|_| true), [1, 1, 0]);
        assert_eq!(look(1, &|_| false), [0, 0, 0]);
        assert_eq!(look(2, &|_| false), [1, 1, 0]);
        assert_eq!(look(4, &|_| true), [3, 2, 0]);
        assert_eq!(look(4, &|number| number == 3), [3, 1, 0]);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        for damage in [0, 8, 24, SECTOR + 16] {
            let mut bytes = sample();
            bytes[damage] ^= 0x10;
            assert!(WriteLog::parse(bytes).is_err(), "byte {damage}");
        }
        let mut cut = sample();
        cut.truncate(cut.len() - 1);
        assert!(WriteLog::parse(cut).is_err());
    }
}
