//! Damaged root disks: what is wrong is named, a circle is no endless tree, and whatever bytes are flipped, checking and reading end.

use fsbuild::root;
use fsbuild::tree::{Entry, Tree};
use proptest::prelude::{ProptestConfig, any};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Bytes of the disk.
const SIZE: u64 = 2 << 20;

/// A sound disk, to be copied.
fn sound() -> &'static [u8] {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("root.img");
        let mut tree = Tree::default();
        for i in 0..40 {
            tree.put(&format!("outer/inner/file-{i}"), Entry::file(vec![i; 3000], 0o644)).expect("put");
        }
        root::write(&tree, &path, SIZE).expect("a disk");
        std::fs::read(path).expect("its bytes")
    })
}

/// A disk like the sound one but for `damage`: bytes by place.
fn disk(damage: &[(usize, u8)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("root.img");
    std::fs::write(&path, sound()).expect("a copy");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the copy");
    for (at, byte) in damage {
        file.write_all_at(&[*byte], *at as u64).expect("written");
    }
    (dir, path)
}

/// Where the entry `name` is in its bucket: behind the inode's number (4 bytes), the kind, and the name's length.
fn entry(name: &str) -> usize {
    let bytes: Vec<u8> = [&[4, name.len() as u8], name.as_bytes()].concat();
    // The first copy is the log's.
    sound().windows(bytes.len()).rposition(|window| window == bytes).expect("an entry")
}

#[test]
fn a_directory_inside_itself_is_named() {
    let (_dir, path) = disk(&[(entry("inner") - 4, 1)]);
    let error = root::read(&path, "").map(drop).expect_err("a circle").to_string();
    assert!(error.ends_with("/outer/inner: damaged: a directory in two places"), "{error}");
    assert!(!root::check(&path).expect("a report").problems.is_empty());
}

#[test]
fn a_name_that_leads_elsewhere_stays_where_it_is() {
    let at = entry("inner") + 2;
    let (_dir, path) = disk(&[(at, b'.'), (at + 1, b'.'), (at + 2, b'/')]);
    let error = root::read(&path, "").map(drop).expect_err("a bad name").to_string();
    assert!(error.ends_with("/outer: damaged: a name that is none"), "{error}");
}

proptest::proptest! {
    // A case is a whole disk: a quarter of the usual number.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    #[test]
    fn damage_does_no_harm(damage in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..20)) {
        // The blocks in use but the log: the super block, and what lies behind block 97.
        let blocks: Vec<usize> = (0..sound().len() / 4096).filter(|block| {
            !(2..98).contains(block) && sound()[block * 4096..][..4096].iter().any(|byte| *byte != 0)
        }).collect();
        let place = |at: u32| blocks[at as usize / 4096 % blocks.len()] * 4096 + at as usize % 4096;
        let damage: Vec<(usize, u8)> = damage.iter().map(|(at, byte)| (place(*at), *byte)).collect();
        let (_dir, path) = disk(&damage);
        root::check(&path).expect("a report");
        // Read, or refused: never for ever.
        let _ = root::read(&path, "");
    }
}
