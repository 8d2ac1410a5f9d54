//! Tests of reading damaged FAT volumes: what goes round in circles is named, and whatever bytes are flipped, reading ends without a panic.

use super::files;
use super::verify::{SLOT, Shape};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use proptest::prelude::any;
use std::io::{Cursor, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A FAT32 volume as small as they are.
const SIZE: usize = 34 << 20;

/// A directory in a directory with a file of three clusters.
fn volume() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(512);
    fatfs::format_volume(Cursor::new(&mut bytes), options).expect("formatting");
    {
        let fs = FileSystem::new(Cursor::new(&mut bytes), FsOptions::new()).expect("mounting");
        let inner = fs.root_dir().create_dir("outer").expect("mkdir").create_dir("a longer inner name").expect("mkdir");
        inner.create_file("file.bin").expect("a file").write_all(&[7; 1500]).expect("writing");
        fs.root_dir().create_file("empty").expect("a file");
    }
    super::mend(&mut bytes).expect("mending");
    bytes
}

/// The one volume that tests damage, each restoring it.
fn shared() -> MutexGuard<'static, Vec<u8>> {
    static SHARED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_empty() {
        *shared = volume();
    }
    shared
}

/// Reads the volume with `change` made at `at`.
fn damaged(at: usize, change: &[u8]) -> String {
    let mut volume = shared();
    let kept = volume[at..at + change.len()].to_vec();
    volume[at..at + change.len()].copy_from_slice(change);
    let result = files(&mut volume);
    volume[at..at + change.len()].copy_from_slice(&kept);
    result.map(drop).expect_err("damage").to_string()
}

/// Where the entry with this short name is.
fn entry(name: &[u8; 11]) -> usize {
    let volume = shared();
    let places = volume.chunks_exact(SLOT).position(|slot| slot.starts_with(name) && slot[11] != 0x0f);
    places.expect("an entry") * SLOT
}

fn cluster(entry: usize) -> u8 {
    // Few clusters are in use: their numbers are small.
    shared()[entry + 26]
}

#[test]
fn what_is_sound_is_read() {
    let read = files(&mut shared()).expect("a sound volume");
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["empty", "outer/", "outer/a longer inner name/", "outer/a longer inner name/file.bin"]);
    assert_eq!(read[3].1, [7; 1500]);
}

#[test]
fn circles_are_named() {
    let (outer, inner, file) = (entry(b"OUTER      "), entry(b"ALONGE~1   "), entry(b"FILE    BIN"));
    let Shape { table, data, .. } = Shape::of(&shared()).expect("a shape");
    let number = |entry| usize::from(cluster(entry));
    let twice = |cluster: u8| format!("FAT32 volume: cluster {cluster} is in use twice");
    // A directory that contains itself, and one that leads up to another.
    assert_eq!(damaged(inner + 26, &[cluster(outer)]), twice(cluster(outer)));
    let dots = data + (number(inner) - 2) * 512 + SLOT;
    let elsewhere = format!("FAT32 volume: directory at cluster {}: . or .. points elsewhere", number(inner));
    assert_eq!(damaged(dots + 26, &[cluster(file)]), elsewhere);
    // Chains that lead back: a file's, a directory's, one into another.
    assert_eq!(damaged(table + number(file) * 4, &[cluster(file)]), twice(cluster(file)));
    assert_eq!(damaged(table + number(outer) * 4, &[cluster(outer), 0, 0, 0]), twice(cluster(outer)));
    assert_eq!(damaged(table + number(inner) * 4, &[cluster(file), 0, 0, 0]), twice(cluster(file)));
    // A chain that is too short, and one that leaves the volume.
    let end = [0xff, 0xff, 0xff, 0x0f];
    let short = format!("FAT32 volume: file at cluster {}: 1500 bytes in a chain of 512", cluster(file));
    assert_eq!(damaged(table + number(file) * 4, &end), short);
    assert_eq!(damaged(file + 21, &[9]), format!("FAT32 volume: there is no cluster {}", (9 << 24) + number(file)));
    assert!(damaged(13, &[0]).contains("bad boot sector"));
}

proptest::proptest! {
    #[test]
    fn damage_does_no_harm(damage in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..12), region in 0..4_usize) {
        let mut volume = shared();
        let shape = Shape::of(&volume).expect("a shape");
        // The boot sector, the table, the directories, all of the used part.
        let (from, reach) = [(0, 512), (shape.table, 64), (shape.data, 16 * 512), (0, shape.data + 16 * 512)][region];
        let places: Vec<usize> = damage.iter().map(|(at, _)| from + *at as usize % reach).collect();
        let kept: Vec<(usize, u8)> = places.iter().map(|at| (*at, volume[*at])).collect();
        for (at, (_, byte)) in places.iter().zip(&damage) {
            volume[*at] = *byte;
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| files(&mut volume).map(|files| files.len())));
        for (at, byte) in kept.into_iter().rev() {
            volume[at] = byte;
        }
        assert!(result.is_ok(), "reading panicked");
    }
}
