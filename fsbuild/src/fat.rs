//! fat: the image volume, a FAT32 file system in one host file.
//!
//! [`write`] puts files on a new volume through `fatfs`, with fixed times and a fixed serial number, so that equal files
//! give equal volumes. [`read`] takes them off again. `fatfs` 0.3 writes long-name entries before `.` and `..`, which
//! fsck.fat rightly calls wrong, and numbers the root in `..`, where 0 belongs; [`mend`] puts both right in a pass over the
//! finished volume. Nor does it notice that it goes round in circles on a damaged volume: [`verify`] looks first.

#[cfg(test)]
mod tests;
mod verify;

use crate::error::{Context, Error, Result};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use verify::{SLOT, Seen, Shape, first_cluster, is_dot, verify};

pub use verify::is_fat32;

/// The volume's label.
const LABEL: [u8; 11] = *b"XV6IMAGES  ";
/// Bytes per cluster: the guest's page size.
const CLUSTER: u64 = 4096;
/// FAT32 begins at 65525 clusters; a few more are on the safe side of every tool's arithmetic.
const MIN_CLUSTERS: u64 = 65_600;

/// Writes `files` (path and contents) to a new volume at `path`.
///
/// # Errors
/// What the host or `fatfs` says, with the file named.
pub fn write(path: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let clusters: u64 = files.iter().map(|(_, bytes)| (bytes.len() as u64).div_ceil(CLUSTER) + 1).sum();
    // Room for the directories and the two tables.
    let clusters = (clusters + clusters / 64 + 64).max(MIN_CLUSTERS);
    let size = (clusters + clusters * 8 / CLUSTER + 64) * CLUSTER;
    let mut volume = vec![0; usize::try_from(size).about(path.display())?];
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(CLUSTER as u32)
        .volume_id(0x7836_0001)
        .volume_label(LABEL);
    fatfs::format_volume(Cursor::new(&mut volume), options).about(path.display())?;
    {
        let fs = FileSystem::new(Cursor::new(&mut volume), FsOptions::new()).about(path.display())?;
        let root = fs.root_dir();
        let mut made = BTreeSet::new();
        for (name, bytes) in files {
            for (at, _) in name.match_indices('/') {
                if made.insert(&name[..at]) {
                    root.create_dir(&name[..at]).about(&name[..at])?;
                }
            }
            let mut file = root.create_file(name).about(name)?;
            file.write_all(bytes).about(name)?;
        }
        drop(root);
        // Counting the free clusters now puts their number into the FSInfo sector.
        fs.stats().about(path.display())?;
        fs.unmount().about(path.display())?;
    }
    mend(&mut volume).about(path.display())?;
    save(path, &volume).about(path.display())
}

/// A cluster of zeroes.
const ZEROES: [u8; CLUSTER as usize] = [0; CLUSTER as usize];

/// Saves `volume` sparsely: blocks of zeroes become holes.
fn save(path: &Path, volume: &[u8]) -> std::io::Result<()> {
    let file = File::create(path)?;
    file.set_len(volume.len() as u64)?;
    for (i, block) in volume.chunks(CLUSTER as usize).enumerate() {
        if *block != ZEROES[..block.len()] {
            file.write_all_at(block, i as u64 * CLUSTER)?;
        }
    }
    Ok(())
}

/// Removes the long-name entries before `.` and `..` in every directory; a `..` that means the root becomes cluster 0.
fn mend(volume: &mut [u8]) -> Result<()> {
    let shape = Shape::of(volume)?;
    let mut todo = vec![shape.root];
    let mut seen = Seen::default();
    while let Some(first) = todo.pop() {
        let places = shape.chain(volume, first, &mut seen)?;
        let slots = shape.slots(volume, &places);
        let total = places.len() * (shape.cluster / SLOT);
        let mut kept: Vec<[u8; SLOT]> = Vec::new();
        for mut slot in slots {
            let is_dot = is_dot(&slot);
            while is_dot && kept.last().is_some_and(|last| last[11] == 0x0f) {
                kept.pop();
            }
            if is_dot && first_cluster(&slot) == shape.root {
                for at in [20, 21, 26, 27] {
                    slot[at] = 0;
                }
            } else if slot[11] & 0x18 == 0x10 && !is_dot {
                todo.push(first_cluster(&slot));
            }
            kept.push(slot);
        }
        kept.resize(total, [0; SLOT]);
        let bytes = kept.concat();
        for (place, cluster) in places.iter().zip(bytes.chunks_exact(shape.cluster)) {
            if let Some(target) = volume.get_mut(*place..place + shape.cluster) {
                target.copy_from_slice(cluster);
            }
        }
    }
    Ok(())
}

/// All files of the volume at `path`, by path; directories end in `/` and are empty.
///
/// # Errors
/// No FAT volume, or a damaged one.
pub fn read(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    files(&mut std::fs::read(path).about(path.display())?).about(path.display())
}

fn files(volume: &mut [u8]) -> Result<Vec<(String, Vec<u8>)>> {
    verify(volume)?;
    let fs = FileSystem::new(Cursor::new(volume), FsOptions::new()).about("FAT32 volume")?;
    let mut files = Vec::new();
    let mut todo = vec![(String::new(), fs.root_dir())];
    while let Some((at, dir)) = todo.pop() {
        for entry in dir.iter() {
            let entry = entry.about(format_args!("/{at}"))?;
            let name = entry.file_name();
            let here = format!("{at}{name}");
            if name == "." || name == ".." {
                continue;
            }
            if name.is_empty() || name.contains('/') {
                return Err(Error::new(format_args!("/{at}"), "damaged: a name that is none"));
            }
            if entry.is_dir() {
                files.push((format!("{here}/"), Vec::new()));
                todo.push((format!("{here}/"), entry.to_dir()));
            } else {
                let mut contents = Vec::new();
                entry.to_file().read_to_end(&mut contents).about(format_args!("/{here}"))?;
                files.push((here, contents));
            }
        }
    }
    files.sort();
    Ok(files)
}
