//! The boot sector of a FAT volume: [`Geometry`], where everything lies (Microsoft's "FAT: General Overview of On-Disk
//! Format", fatgen103).

use crate::error::{Errno, Result};

/// Which width the table's entries have; decided by the number of clusters alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// FAT12: fewer than 4,085 clusters.
    Fat12,
    /// FAT16: fewer than 65,525.
    Fat16,
    /// FAT32: 28 bits used.
    Fat32,
}

/// Where the root directory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// FAT12 and FAT16: a fixed area, as byte offset and length.
    Area(u64, u64),
    /// FAT32: a chain of clusters.
    Chain(u32),
}

/// Where everything lies, in bytes; checked against the volume's size, so that later arithmetic on clusters below
/// `clusters + 2` cannot pass the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Entry width of the table.
    pub width: Width,
    /// Offset of the active copy of the table.
    pub table: u64,
    /// Length of one copy of the table.
    pub table_len: u64,
    /// Offset of cluster 2.
    pub data: u64,
    /// Bytes in a cluster.
    pub cluster: u64,
    /// Number of clusters; they are numbered from 2.
    pub clusters: u32,
    /// The root directory.
    pub root: Root,
}

fn u16_at(sector: &[u8; 512], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([sector[at], sector[at + 1]]))
}

fn u32_at(sector: &[u8; 512], at: usize) -> u64 {
    u16_at(sector, at) | u16_at(sector, at + 2) << 16
}

impl Geometry {
    /// Reads the boot sector of a volume of `size` bytes. `EINVAL` for anything that is not a sound FAT volume, as
    /// mount(2) has it.
    pub fn parse(sector: &[u8; 512], size: u64) -> Result<Geometry> {
        let bad = |what| Err(Errno::EINVAL.during(what));
        let bytes = u16_at(sector, 11);
        let per_cluster = u64::from(sector[13]);
        let (reserved, tables, root_entries) = (u16_at(sector, 14), u64::from(sector[16]), u16_at(sector, 17));
        if sector[510..] != [0x55, 0xaa] || ![512, 1024, 2048, 4096].contains(&bytes) {
            return bad("mounting: not a FAT volume");
        }
        if !per_cluster.is_power_of_two() || bytes * per_cluster > 256 * 1024 || reserved == 0 || tables == 0 {
            return bad("mounting a FAT volume with a bad boot sector");
        }
        let either = |short: u64, long: u64| if short == 0 { long } else { short };
        let table_sectors = either(u16_at(sector, 22), u32_at(sector, 36));
        let total = either(u16_at(sector, 19), u32_at(sector, 32));
        let root_sectors = (root_entries * 32).div_ceil(bytes);
        let first_data = reserved + tables * table_sectors + root_sectors;
        if table_sectors == 0 || first_data >= total || total * bytes > size {
            return bad("mounting a FAT volume larger than its device");
        }
        let clusters = (total - first_data) / per_cluster;
        let width = match clusters {
            0..4085 => Width::Fat12,
            4085..65_525 => Width::Fat16,
            65_525..0x0fff_fff0 => Width::Fat32,
            _ => return bad("mounting a FAT volume with too many clusters"),
        };
        if (width == Width::Fat32) != (u16_at(sector, 22) == 0 && root_entries == 0) {
            return bad("mounting a FAT volume whose type and layout disagree");
        }
        let table_len = table_sectors * bytes;
        let bits = match width {
            Width::Fat12 => 12,
            Width::Fat16 => 16,
            Width::Fat32 => 32,
        };
        if (clusters + 2) * bits > table_len * 8 {
            return bad("mounting a FAT volume whose table is too short");
        }
        let mut active = 0;
        let root = if width == Width::Fat32 {
            let flags = u16_at(sector, 40);
            if flags & 0x80 != 0 {
                active = flags & 0x0f;
            }
            Root::Chain(u32_at(sector, 44) as u32)
        } else {
            Root::Area((reserved + tables * table_sectors) * bytes, root_entries * 32)
        };
        if active >= tables {
            return bad("mounting a FAT volume with a bad active table");
        }
        Ok(Geometry {
            width,
            table: (reserved + active * table_sectors) * bytes,
            table_len,
            data: first_data * bytes,
            cluster: bytes * per_cluster,
            clusters: clusters as u32,
            root,
        })
    }

    /// The byte offset of `cluster`, or `EUCLEAN` for a number that the volume does not have.
    pub fn offset(&self, cluster: u32) -> Result<u64> {
        if !self.has(cluster) {
            return Err(Errno::EUCLEAN.during("following a FAT chain outside of the volume"));
        }
        Ok(self.data + u64::from(cluster - 2) * self.cluster)
    }

    /// True for a cluster number of this volume.
    pub fn has(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster - 2 < self.clusters
    }
}
