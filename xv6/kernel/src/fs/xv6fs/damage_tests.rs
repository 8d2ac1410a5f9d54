//! Damaged volumes under the kernel's part of xv6fs, on the host: what mounts is walked, read and written as programs would, and ends with
//! errors at worst. The disk is asked only so often: who goes round in circles fails.

use super::XvFs;
use super::tests::{Memory, alone};
use crate::mm::{ReadBuf, WriteBuf, sweep_orphans};
use crate::vfs::inode::{FileSystem, InodeRef, Kind, NewNode, SetAttr};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::any;
use xv6fs::{BLOCK_SIZE, FormatOptions, Fs, MemDisk, MountOptions, ROOT_INO};

/// Requests of one case; the busiest of thousands makes a few hundred.
const REQUESTS: usize = 20_000;

fn node(kind: xv6fs::Kind, target: &[u8]) -> xv6fs::NewNode<'_> {
    xv6fs::NewNode { kind, mode: 0o755, uid: 0, gid: 0, rdev: 0, target }
}

/// A small volume with directories, files and a link in it, its log empty.
fn sound() -> MemDisk {
    let mut disk = MemDisk::new(300);
    Fs::format(&mut disk, &FormatOptions { inodes: 128, ..FormatOptions::default() }).expect("format");
    let mut fs = Fs::mount(disk, &MountOptions::default()).expect("mount");
    let mut dir = ROOT_INO;
    for depth in 0..3 {
        dir = fs.create(dir, b"dir", &node(xv6fs::Kind::Dir, b""), 0).expect("mkdir");
        for i in 0..8_u8 {
            let file = fs.create(dir, &[b'f', b'0' + i], &node(xv6fs::Kind::File, b""), 0).expect("create");
            fs.write_at(file, u64::from(i) * 9000, &[i; 6000], 0).expect("write");
        }
        fs.create(dir, b"link", &node(xv6fs::Kind::Symlink, &vec![b't'; 50 << depth]), 0).expect("symlink");
    }
    fs.unmount().expect("unmount")
}

/// Uses what is below `dir`, ignoring errors.
fn walk(dir: &InodeRef, depth: usize, budget: &mut usize) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let _ = dir.read_dir(0, &mut |entry| {
        names.push(entry.name.to_vec());
        names.len() < 100
    });
    for name in names {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        let Ok(child) = dir.lookup(&name) else { continue };
        match child.kind() {
            Kind::Directory if depth > 0 => walk(&child, depth - 1, budget),
            Kind::File => {
                let Some(pages) = child.pages() else { continue };
                let _ = pages.read(&mut ReadBuf::kernel(&mut vec![0; 30_000]), 0);
                let _ = pages.write(&mut WriteBuf::kernel(&[3; 5000]), *budget as u64 * 700);
                let _ = child.sync();
                let size = Some(*budget as u64 * 100);
                let _ = child.set_attr(&SetAttr { size, ..SetAttr::default() });
            }
            Kind::Symlink => drop(child.read_link()),
            _ => {}
        }
        if budget.is_multiple_of(3) {
            let _ = if child.kind() == Kind::Directory { dir.rmdir(&name) } else { dir.unlink(&name) };
        }
    }
    let node = NewNode { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: b"" };
    let _ = dir.create(b"new", &node);
}

proptest::proptest! {
    #[test]
    fn a_damaged_volume_does_no_harm(damage in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..12), read_only in any::<bool>()) {
        let _alone = alone();
        static SOUND: std::sync::OnceLock<(MemDisk, Vec<usize>)> = std::sync::OnceLock::new();
        let (sound, used) = SOUND.get_or_init(|| {
            let disk = sound();
            // The blocks of metadata and contents behind the log, which would heal nothing.
            let used = |block: &usize| disk.bytes()[block * BLOCK_SIZE..][..BLOCK_SIZE].iter().any(|byte| *byte != 0);
            let blocks = (98..300).filter(used).collect();
            (disk, blocks)
        });
        let mut disk = sound.clone();
        for (at, byte) in damage {
            // Structures lie at the start of their blocks.
            let (block, within) = (used[at as usize % used.len()], at as usize / used.len() % 1024);
            disk.bytes_mut()[block * BLOCK_SIZE + within] = byte;
        }
        let disk = Memory::bounded(disk, REQUESTS);
        if let Ok(fs) = XvFs::open(disk, 7, read_only) {
            walk(&fs.root(), 4, &mut 120);
            let _ = fs.sync();
            sweep_orphans();
        }
    }
}
