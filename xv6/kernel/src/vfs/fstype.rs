//! File system types: the table mount(2) looks in, and what a type is given to make an instance.

use super::file::OpenFlags;
use super::inode::{FileSystem, Kind};
use super::superblock::{self, SourceKey, Superblock};
use super::walk::{self, Walk, WalkFlags};
use super::{File, open};
use crate::drivers::block::{self, BlockDevice};
use crate::drivers::chr;
use crate::error::{Errno, Result};
use crate::ns::NsProxy;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What mount(2)'s `source` means to a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A word to show, nothing more.
    Any,
    /// A disk.
    Disk,
    /// A disk or a regular file on which an image lies.
    Image,
}

/// A file system type.
pub struct FsType {
    /// `mount -t`.
    pub name: &'static str,
    /// What it mounts.
    pub source: Source,
    /// Makes an instance.
    pub mount: fn(&MountArgs<'_>) -> Result<Arc<dyn FileSystem>>,
    /// May be mounted by root of a user namespace other than the initial one.
    pub in_user_ns: bool,
}

/// What an instance is made from.
pub struct MountArgs<'a> {
    /// mount(2)'s `source` as given.
    pub source: &'a [u8],
    /// mount(2)'s `data`: comma-separated options.
    pub data: &'a [u8],
    /// No instance is asked to write.
    pub read_only: bool,
    /// The file `source` names, opened for reading, for [`Source::Image`] when it is a regular file.
    pub file: Option<Arc<File>>,
    /// The disk `source` names.
    pub disk: Option<Arc<BlockDevice>>,
    /// The caller's root, working directory and credentials, to resolve paths among the options (overlay's layers).
    pub walk: &'a Walk,
    /// The caller's namespaces: procfs shows the pid namespace, cgroupfs the cgroup namespace. `None` while booting.
    pub ns: Option<Arc<NsProxy>>,
}

impl<'a> MountArgs<'a> {
    /// The options: `key=value` or `key` (empty value), in order.
    pub fn options(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let words = self.data.split(|&byte| byte == b',').filter(|word| !word.is_empty());
        words.map(|word| match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (&word[..at], &word[at + 1..]),
            None => (word, &b""[..]),
        })
    }
}

/// A number with an optional suffix `k`, `m` or `g`, as options give sizes.
pub fn parse_size(text: &[u8]) -> Result<u64> {
    let (digits, shift) = match text.last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Errno::EINVAL)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL.into())
}

/// An octal number, as options give modes.
pub fn parse_octal(text: &[u8]) -> Result<u32> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    u32::from_str_radix(text, 8).map_err(|_| Errno::EINVAL.into())
}

/// The type `name`, or `ENODEV`.
pub fn find(name: &[u8]) -> Result<&'static FsType> {
    crate::fs::TYPES.iter().copied().find(|fs_type| fs_type.name.as_bytes() == name).ok_or(Errno::ENODEV.into())
}

/// An instance of `fs_type` on `source`: the one in use, where the source has one already.
pub(super) fn instance(
    fs_type: &'static FsType,
    source: &[u8],
    data: &[u8],
    read_only: bool,
    walk: &Walk,
    ns: Option<Arc<NsProxy>>,
) -> Result<Arc<Superblock>> {
    let mut args = MountArgs { source, data, read_only, file: None, disk: None, walk, ns };
    let key = match fs_type.source {
        Source::Any => None,
        Source::Disk | Source::Image => Some(open_source(fs_type, &mut args)?),
    };
    // A file is an image to look at; a disk knows whether it can be written.
    let read_only = read_only || args.file.is_some();
    args.read_only = read_only;
    if let Some(found) = key.as_ref().and_then(superblock::find) {
        if found.is_read_only() && !read_only {
            return Err(Errno::EBUSY.during("mounting for writing what is mounted read-only"));
        }
        return Ok(found);
    }
    let made = superblock::of((fs_type.mount)(&args)?, read_only, &walk.cred.user);
    if let Some(key) = key {
        // Two mounts of one source at once: the first to finish is kept, as nothing was written through the other yet.
        if let Some(found) = superblock::find(&key) {
            return Ok(found);
        }
        superblock::remember(key, &made);
    }
    Ok(made)
}

/// A new instance of `fs_type` on `disk`, before there is a root to resolve names from.
pub(super) fn instance_on_disk(
    fs_type: &'static FsType,
    disk: &Arc<BlockDevice>,
    read_only: bool,
    walk: &Walk,
) -> Result<Arc<Superblock>> {
    let disk_number = chr::disk_number(disk.index());
    let args = MountArgs { source: b"", data: b"", read_only, file: None, disk: Some(disk.clone()), walk, ns: None };
    let made = Superblock::new((fs_type.mount)(&args)?, read_only);
    superblock::remember(SourceKey { fs_type: fs_type.name, dev: disk_number, ino: 0 }, &made);
    Ok(made)
}

/// Opens the disk or file that `source` names: `ENOTBLK`, `EACCES`, `ENXIO`, or the walk's errors.
fn open_source(fs_type: &'static FsType, args: &mut MountArgs<'_>) -> Result<SourceKey> {
    let path = walk::walk(args.walk, args.source, WalkFlags::empty())?;
    let attr = path.inode().attr()?;
    match path.inode().kind() {
        Kind::BlockDevice => {
            if path.mount.flags().contains(super::MountFlags::NODEV) {
                return Err(Errno::EACCES.into());
            }
            let disk = chr::disk(attr.rdev).ok_or(Errno::ENXIO)?;
            if disk.read_only() && !args.read_only {
                return Err(Errno::EACCES.during("mounting a read-only disk for writing"));
            }
            args.disk = Some(disk);
            Ok(SourceKey { fs_type: fs_type.name, dev: attr.rdev, ino: 0 })
        }
        Kind::File if fs_type.source == Source::Image => {
            args.file = Some(open::open_existing(args.walk, path, OpenFlags::empty(), true)?);
            Ok(SourceKey { fs_type: fs_type.name, dev: attr.dev, ino: attr.ino })
        }
        _ => Err(Errno::ENOTBLK.into()),
    }
}

/// The disks' names and numbers: `vda` is 254:0, each disk 16 minors.
pub fn disks() -> Vec<(Vec<u8>, u64)> {
    let named = block::devices().iter().map(|disk| {
        let name = alloc::vec![b'v', b'd', b'a' + disk.index() as u8];
        (name, chr::disk_number(disk.index()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::{parse_octal, parse_size};

    #[test]
    fn sizes_and_modes() {
        assert_eq!(parse_size(b"64"), Ok(64));
        assert_eq!(parse_size(b"4k"), Ok(4096));
        assert_eq!(parse_size(b"1G"), Ok(1 << 30));
        assert!(parse_size(b"99999999999999999999").is_err());
        assert!(parse_size(b"18446744073709551615k").is_err());
        assert_eq!(parse_octal(b"1777"), Ok(0o1777));
    }
}
