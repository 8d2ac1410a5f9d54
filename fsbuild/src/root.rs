//! root: xv6fs disks on the host: made from a [`Tree`], checked, listed, extracted, all with the kernel's own code.

use crate::disk::FileDisk;
use crate::error::{Context, Error, Result};
use crate::tree::{Entry, Node, Tree, join, normalize};
use std::collections::BTreeSet;
use std::path::Path;
use xv6fs::{BLOCK_SIZE, Disk, FormatOptions, Fs, Ino, Kind, MountOptions, NewNode, ROOT_INO, Report};

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
    let left = fs.disk().blocks().saturating_mul(BLOCK_SIZE as u64 * SPARSE);
    let mut walk = Walk { fs: &mut fs, tree: &mut tree, met: BTreeSet::new(), left };
    walk.collect(ino, at).about(path.display())?;
    Ok(tree)
}

/// How many times as much as it can hold a disk may show, by the holes of its files, before it counts as damaged.
const SPARSE: u64 = 8;

/// A disk on its way into a tree. It may be damaged: directories may be inside themselves, sizes be anything.
struct Walk<'a> {
    fs: &'a mut Fs<FileDisk>,
    tree: &'a mut Tree,
    /// The directories so far.
    met: BTreeSet<Ino>,
    /// Bytes of contents that may come yet.
    left: u64,
}

impl Walk<'_> {
    fn collect(&mut self, ino: Ino, at: &str) -> Result<()> {
        let mut todo = vec![(at.to_owned(), ino)];
        while let Some((at, ino)) = todo.pop() {
            self.one(ino, &at, &mut todo)?;
        }
        Ok(())
    }

    /// Takes one inode; what is in a directory comes `todo`.
    fn one(&mut self, ino: Ino, at: &str, todo: &mut Vec<(String, Ino)>) -> Result<()> {
        let here = format!("/{at}");
        let damaged = |what: &str| Error::new(&here, format_args!("damaged: {what}"));
        let stat = self.fs.stat(ino).about(&here)?;
        let (major, minor) = ((stat.rdev >> 8 & 0xfff) as u32, (stat.rdev & 0xff | stat.rdev >> 12 & 0xfff00) as u32);
        let node = match stat.kind {
            Kind::Dir if !self.met.insert(ino) => return Err(damaged("a directory in two places")),
            Kind::Dir => Node::Dir,
            Kind::File => {
                self.left = self.left.checked_sub(stat.size).ok_or_else(|| damaged("more than the disk can hold"))?;
                Node::File(contents(self.fs, ino, stat.size).about(&here)?.into())
            }
            Kind::Symlink => Node::Symlink(String::from_utf8_lossy(&self.fs.read_link(ino).about(&here)?).into_owned()),
            Kind::CharDev => Node::CharDevice(major, minor),
            Kind::BlockDev => Node::BlockDevice(major, minor),
            Kind::Fifo => Node::Fifo,
            Kind::Socket => return Ok(()),
        };
        self.tree.put(at, Entry { node, mode: stat.mode, uid: stat.uid, gid: stat.gid })?;
        if stat.kind == Kind::Dir {
            let mut proper = true;
            // `.` and `..` are inodes, and come first.
            let mut each = |entry: xv6fs::DirEntry<'_>| {
                if entry.next > 2 {
                    // A name that leads elsewhere must not come to the host.
                    proper &= ![&b""[..], b".", b".."].contains(&entry.name) && !entry.name.contains(&b'/');
                    todo.push((join(at, &String::from_utf8_lossy(entry.name)), entry.ino));
                }
                true
            };
            self.fs.read_dir(ino, 0, &mut each).about(&here)?;
            if !proper {
                return Err(damaged("a name that is none"));
            }
        }
        Ok(())
    }
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
