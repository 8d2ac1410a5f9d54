//! root: xv6fs disks on the host: made from a [`Tree`], checked, listed, extracted, all with the kernel's own code.

use crate::disk::FileDisk;
use crate::error::{Context, Error, Result};
use crate::tree::{Entry, Node, Tree, join, normalize};
use std::path::Path;
use xv6fs::{FormatOptions, Fs, Ino, Kind, MountOptions, NewNode, ROOT_INO, Report};

/// Bytes moved per call.
const CHUNK: usize = 1 << 20;

/// Writes `tree` to a new xv6fs disk of `size` bytes at `path`. Times are 0, so equal trees give equal disks.
///
/// # Errors
/// The host file's, or what the file system says about the entry named (`no space left on device`).
pub fn write(tree: &Tree, path: &Path, size: u64) -> Result<()> {
    let mut disk = FileDisk::create(path, size)?;
    Fs::format(&mut disk, &FormatOptions::default()).about(path.display())?;
    let mut fs = Fs::mount(disk, &MountOptions::default()).about(path.display())?;
    let mut dirs = std::collections::BTreeMap::from([(String::new(), ROOT_INO)]);
    for (name, entry) in tree.entries() {
        let (parent, leaf) = name.rsplit_once('/').unwrap_or(("", name));
        let dir = *dirs.get(parent).ok_or_else(|| Error::new(format_args!("/{name}"), "has no parent"))?;
        let ino = add(&mut fs, dir, leaf, entry).about(format_args!("{}: /{name}", path.display()))?;
        if entry.node == Node::Dir {
            dirs.insert(name.to_string(), ino);
        }
        if fs.needs_commit() {
            fs.commit().about(path.display())?;
        }
    }
    fs.unmount().about(path.display())?;
    Ok(())
}

fn add(fs: &mut Fs<FileDisk>, dir: Ino, name: &str, entry: &Entry) -> xv6fs::Result<Ino> {
    let (kind, rdev, target) = match &entry.node {
        Node::Dir => (Kind::Dir, 0, ""),
        Node::File(_) => (Kind::File, 0, ""),
        Node::Symlink(target) => (Kind::Symlink, 0, target.as_str()),
        Node::CharDevice(major, minor) => (Kind::CharDev, device(*major, *minor), ""),
        Node::BlockDevice(major, minor) => (Kind::BlockDev, device(*major, *minor), ""),
        Node::Fifo => (Kind::Fifo, 0, ""),
    };
    let node = NewNode { kind, mode: entry.mode, uid: entry.uid, gid: entry.gid, rdev, target: target.as_bytes() };
    let ino = fs.create(dir, name.as_bytes(), &node, 0)?;
    if let Node::File(bytes) = &entry.node {
        for (i, chunk) in bytes.chunks(CHUNK).enumerate() {
            fs.write_at(ino, (i * CHUNK) as u64, chunk, 0)?;
        }
    }
    Ok(ino)
}

/// A device number as `st_rdev` has it (makedev(3)).
fn device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & 0xfff) << 8 | (major & !0xfff) << 32 | (minor & 0xff) | (minor & !0xff) << 12
}

/// Checks the disk at `path` (fsck); writes nothing.
///
/// # Errors
/// The host file's; problems of the file system are in the report.
pub fn check(path: &Path) -> Result<Report> {
    xv6fs::check(&mut FileDisk::open(path, false)?).about(path.display())
}

/// Reads the disk at `path`, from `from` on, into a tree (`from` itself becomes its root, or its only file).
///
/// # Errors
/// No xv6fs, a damaged one, or no `from` in it.
pub fn read(path: &Path, from: &str) -> Result<Tree> {
    let disk = FileDisk::open(path, false)?;
    let options = MountOptions { read_only: true, ..MountOptions::default() };
    let mut fs = Fs::mount(disk, &options).about(path.display())?;
    let mut ino = ROOT_INO;
    let from = normalize(from);
    for part in from.split('/').filter(|part| !part.is_empty()) {
        ino = fs.lookup(ino, part.as_bytes()).about(format_args!("{}: /{from}", path.display()))?;
    }
    let mut tree = Tree::default();
    let at = match fs.stat(ino).about(path.display())?.kind {
        Kind::Dir => "",
        _ => from.rsplit('/').next().unwrap_or_default(),
    };
    collect(&mut fs, ino, at, &mut tree).about(path.display())?;
    Ok(tree)
}

fn collect(fs: &mut Fs<FileDisk>, ino: Ino, at: &str, tree: &mut Tree) -> Result<()> {
    let here = format!("/{at}");
    let stat = fs.stat(ino).about(&here)?;
    let (major, minor) = ((stat.rdev >> 8 & 0xfff) as u32, (stat.rdev & 0xff | stat.rdev >> 12 & 0xfff00) as u32);
    let node = match stat.kind {
        Kind::Dir => Node::Dir,
        Kind::File => Node::File(contents(fs, ino, stat.size).about(&here)?.into()),
        Kind::Symlink => Node::Symlink(String::from_utf8_lossy(&fs.read_link(ino).about(&here)?).into_owned()),
        Kind::CharDev => Node::CharDevice(major, minor),
        Kind::BlockDev => Node::BlockDevice(major, minor),
        Kind::Fifo => Node::Fifo,
        Kind::Socket => return Ok(()),
    };
    tree.put(at, Entry { node, mode: stat.mode, uid: stat.uid, gid: stat.gid })?;
    if stat.kind == Kind::Dir {
        let mut children = Vec::new();
        let mut each = |entry: xv6fs::DirEntry<'_>| {
            if entry.name != b"." && entry.name != b".." {
                children.push((String::from_utf8_lossy(entry.name).into_owned(), entry.ino));
            }
            true
        };
        fs.read_dir(ino, 0, &mut each).about(&here)?;
        for (name, child) in children {
            collect(fs, child, &join(at, &name), tree)?;
        }
    }
    Ok(())
}

fn contents(fs: &mut Fs<FileDisk>, ino: Ino, size: u64) -> xv6fs::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| xv6fs::Error::TooBig)?];
    let mut done = 0;
    while done < bytes.len() {
        match fs.read_at(ino, done as u64, &mut bytes[done..])? {
            0 => return Err(xv6fs::Error::Corrupt),
            n => done += n,
        }
    }
    Ok(bytes)
}
