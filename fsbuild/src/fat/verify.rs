//! Whether a FAT32 volume is sound enough to be walked: [`verify`] follows every chain and every directory from the root, each cluster once.
//!
//! `fatfs` follows what a volume says, for ever if it says so. After [`verify`] no chain leads back into itself or into another one, no
//! directory is inside itself or in two places, and no file is longer than its chain; what else is wrong `fatfs` reports itself.
//! Key type: [`Shape`], where everything lies. Neighbour: `fat.rs`, which writes and reads.

use crate::error::{Error, Result};

/// The size of a directory entry.
pub(super) const SLOT: usize = 32;
/// FAT32 begins at so many clusters; volumes with fewer are FAT16 to everybody, whatever they call themselves.
const MIN_CLUSTERS: usize = 65_525;

const LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const DELETED: u8 = 0xe5;

/// The shape of a FAT32 volume, from its boot sector.
pub(super) struct Shape {
    /// Bytes of a cluster.
    pub cluster: usize,
    /// Where the first table begins.
    pub table: usize,
    /// Where cluster 2 begins.
    pub data: usize,
    /// Clusters, numbered from 2.
    clusters: usize,
    /// The root directory's first one.
    pub root: u32,
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new("FAT32 volume", what)
}

/// Whether these first bytes are those of a FAT32 volume.
pub fn is_fat32(start: &[u8]) -> bool {
    start.get(510..512) == Some(&[0x55, 0xaa]) && start.get(82..87) == Some(b"FAT32")
}

/// The first cluster of what a directory entry names.
pub(super) fn first_cluster(slot: &[u8; SLOT]) -> u32 {
    u32::from_le_bytes([slot[26], slot[27], slot[20], slot[21]])
}

/// Whether it is `.` or `..`.
pub(super) fn is_dot(slot: &[u8; SLOT]) -> bool {
    slot[..11] == *b".          " || slot[..11] == *b"..         "
}

impl Shape {
    /// # Errors
    /// What is no FAT32 volume, or reaches beyond its file.
    pub(super) fn of(volume: &[u8]) -> Result<Self> {
        let number = |at: usize, len: usize| {
            let bytes = volume.get(at..at + len).unwrap_or_default();
            bytes.iter().rev().fold(0usize, |value, byte| value << 8 | usize::from(*byte))
        };
        if !is_fat32(volume) {
            return Err(damaged("not FAT32"));
        }
        let (sector, per_cluster, reserved, tables) = (number(11, 2), number(13, 1), number(14, 2), number(16, 1));
        let (table_sectors, total) = (number(36, 4), number(32, 4));
        if ![512, 1024, 2048, 4096].contains(&sector) || !per_cluster.is_power_of_two() || reserved == 0 || tables == 0
        {
            return Err(damaged("bad boot sector"));
        }
        let (first, cluster) = (reserved + tables * table_sectors, per_cluster * sector);
        let clusters = total.saturating_sub(first) / per_cluster;
        let holds = (clusters + 2) * 4 <= table_sectors * sector && total * sector <= volume.len();
        if number(17, 2) != 0 || number(19, 2) != 0 || number(22, 2) != 0 || clusters < MIN_CLUSTERS || !holds {
            return Err(damaged("bad boot sector"));
        }
        Ok(Self { cluster, table: reserved * sector, data: first * sector, clusters, root: number(44, 4) as u32 })
    }

    /// The cluster after `cluster`; `None` at the chain's end.
    fn next(&self, volume: &[u8], cluster: u32) -> Option<u32> {
        let at = self.table + cluster as usize * 4;
        let entry = volume.get(at..at + 4)?.try_into().map(u32::from_le_bytes).ok()?;
        Some(entry & 0x0fff_ffff).filter(|next| *next < 0x0fff_fff8)
    }

    /// Where a cluster lies in the volume; `None` if there is no such cluster.
    fn place(&self, cluster: u32) -> Option<usize> {
        let index = (cluster as usize).checked_sub(2).filter(|index| *index < self.clusters)?;
        Some(self.data + index * self.cluster)
    }

    /// Where the chain from `first` lies in the volume. Each of its clusters is noted in `seen`, and may not be there yet.
    ///
    /// # Errors
    /// A chain that leaves the volume, or runs into itself or another.
    pub(super) fn chain(&self, volume: &[u8], first: u32, seen: &mut Seen) -> Result<Vec<usize>> {
        let mut places = Vec::new();
        let mut at = Some(first);
        while let Some(cluster) = at {
            places.push(self.place(cluster).ok_or_else(|| damaged(format_args!("there is no cluster {cluster}")))?);
            if !seen.add(cluster) {
                return Err(damaged(format_args!("cluster {cluster} is in use twice")));
            }
            at = self.next(volume, cluster);
        }
        Ok(places)
    }

    /// The entries in the clusters at `places`, to the one that says that no more come.
    pub(super) fn slots(&self, volume: &[u8], places: &[usize]) -> Vec<[u8; SLOT]> {
        let bytes = places.iter().filter_map(|place| volume.get(*place..place + self.cluster));
        let slots = bytes.flat_map(|cluster| cluster.as_chunks().0.iter().copied());
        slots.take_while(|slot: &[u8; SLOT]| slot[0] != 0).collect()
    }
}

/// Which clusters were met.
#[derive(Default)]
pub(super) struct Seen(std::collections::HashSet<u32>);

impl Seen {
    /// False if it was met before.
    fn add(&mut self, cluster: u32) -> bool {
        self.0.insert(cluster)
    }
}

/// Follows all there is on `volume`.
///
/// # Errors
/// The first thing that makes it unfit to be walked.
pub(super) fn verify(volume: &[u8]) -> Result<()> {
    let shape = Shape::of(volume)?;
    let mut seen = Seen::default();
    let mut todo = vec![(shape.root, 0)];
    while let Some((first, parent)) = todo.pop() {
        let places = shape.chain(volume, first, &mut seen)?;
        // The root has neither, and is 0 to its children.
        let (own, above) = (first, if parent == shape.root { 0 } else { parent });
        for slot in shape.slots(volume, &places) {
            let (kind, to) = (slot[11], first_cluster(&slot));
            let size = u32::from_le_bytes([slot[28], slot[29], slot[30], slot[31]]) as usize;
            if slot[0] == DELETED || kind & LABEL != 0 {
                continue;
            }
            if is_dot(&slot) {
                let right = if slot[1] == b'.' { above } else { own };
                if to != right || kind & DIRECTORY == 0 {
                    return Err(damaged(format_args!("directory at cluster {first}: . or .. points elsewhere")));
                }
            } else if kind & DIRECTORY != 0 {
                todo.push((to, first));
            } else if to != 0 {
                let length = shape.chain(volume, to, &mut seen)?.len() * shape.cluster;
                if size > length {
                    return Err(damaged(format_args!("file at cluster {to}: {size} bytes in a chain of {length}")));
                }
            } else if size > 0 {
                return Err(damaged(format_args!("file of {size} bytes without a cluster")));
            }
        }
    }
    Ok(())
}
