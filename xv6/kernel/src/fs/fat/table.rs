//! The allocation table: following a file's chain of clusters into a short list of [`Run`]s.
//!
//! Locks: the [`Window`] is behind a sleeping mutex, held while a chain is followed and the table is read from the disk.

use super::bpb::{Geometry, Width};
use crate::error::{Errno, Result};
use crate::fs::bytes::Bytes;
use crate::sync::{Mutex, Rank};
use alloc::vec;
use alloc::vec::Vec;

/// Bytes of the table read at once.
const WINDOW: u64 = 32 * 1024;

/// A stretch of a file that is contiguous on the volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where in the file, in bytes.
    pub file: u64,
    /// Where on the volume, in bytes.
    pub disk: u64,
    /// How many bytes.
    pub len: u64,
}

/// The part of the table that was read last.
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

/// The table of one volume.
pub struct Table {
    geometry: Geometry,
    window: Mutex<Window>,
}

impl Table {
    /// The table that `geometry` describes; nothing is read yet.
    pub fn new(geometry: Geometry) -> Table {
        let window = Window { start: 0, bytes: Vec::new() };
        Table { geometry, window: Mutex::new(Rank::FsLog, "fat table", window) }
    }

    /// The runs of the chain that starts at `first`, as many as `bytes` need, or the whole chain if `None`
    /// (directories). `EUCLEAN`: the chain leaves the volume, is shorter than the file, runs into a free or bad
    /// cluster, or a whole chain goes on past `limit` bytes (a loop).
    pub fn runs(&self, volume: &dyn Bytes, first: u32, bytes: Option<u64>, limit: u64) -> Result<Vec<Run>> {
        let size = self.geometry.cluster;
        let wanted = bytes.map(|bytes| bytes.div_ceil(size));
        if wanted.is_some_and(|wanted| wanted > u64::from(self.geometry.clusters)) {
            return Err(Errno::EUCLEAN.during("reading a FAT file larger than its volume"));
        }
        let mut runs: Vec<Run> = Vec::new();
        let (mut cluster, mut count) = (first, 0);
        let mut window = self.window.lock();
        while wanted != Some(count) {
            let disk = self.geometry.offset(cluster)?;
            if wanted.is_none() && count * size >= limit {
                return Err(Errno::EUCLEAN.during("reading an endless FAT directory"));
            }
            match runs.last_mut() {
                Some(last) if last.disk + last.len == disk => last.len += size,
                _ => runs.push(Run { file: count * size, disk, len: size }),
            }
            count += 1;
            if wanted == Some(count) {
                break;
            }
            match self.next(&mut window, volume, cluster)? {
                Some(next) => cluster = next,
                None if wanted.is_none() => break,
                None => return Err(Errno::EUCLEAN.during("reading a FAT file whose chain is too short")),
            }
        }
        Ok(runs)
    }

    /// The cluster after `cluster`; `None` at the end of the chain.
    fn next(&self, window: &mut Window, volume: &dyn Bytes, cluster: u32) -> Result<Option<u32>> {
        let at = u64::from(cluster);
        let (value, end) = match self.geometry.width {
            Width::Fat12 => {
                let [low, high] = self.entry(window, volume, at + at / 2)?;
                let pair = u32::from(u16::from_le_bytes([low, high]));
                (if at % 2 == 0 { pair & 0xfff } else { pair >> 4 }, 0xff8)
            }
            Width::Fat16 => (u32::from(u16::from_le_bytes(self.entry(window, volume, at * 2)?)), 0xfff8),
            Width::Fat32 => (u32::from_le_bytes(self.entry(window, volume, at * 4)?) & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((value < end).then_some(value))
    }

    /// `N` bytes of the table at `at`.
    #[inline]
    fn entry<const N: usize>(&self, window: &mut Window, volume: &dyn Bytes, at: u64) -> Result<[u8; N]> {
        match at.checked_sub(window.start).and_then(|within| window.bytes.get(within as usize..)?.first_chunk()) {
            Some(found) => Ok(*found),
            None => self.entry_outside(window, volume, at),
        }
    }

    /// [`Table::entry`] where the window is not, or ends in the middle of it.
    #[cold]
    fn entry_outside<const N: usize>(&self, window: &mut Window, volume: &dyn Bytes, at: u64) -> Result<[u8; N]> {
        let mut out = [0; N];
        for (at, byte) in (at..).zip(&mut out) {
            let start = at - at % WINDOW;
            if window.bytes.is_empty() || window.start != start {
                let mut bytes = vec![0; WINDOW.min(self.geometry.table_len.saturating_sub(start)) as usize];
                volume.read_at(self.geometry.table + start, &mut bytes)?;
                *window = Window { start, bytes };
            }
            let outside = Errno::EUCLEAN.during("reading past the end of a FAT");
            *byte = *window.bytes.get((at - start) as usize).ok_or(outside)?;
        }
        Ok(out)
    }
}
