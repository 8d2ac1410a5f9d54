//! Walking and changing trees: `rm -r`, `cp -r`, `chmod -R`, `find`, `grep -r` and the copying half of `mv`.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, UTIME_OMIT};

use crate::fail::{About, Failure};

/// The names in `folder`, sorted, as whole paths.
pub fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// What a copy keeps and follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// Copy folders with what is in them.
    pub recursive: bool,
    /// Keep mode, owner and times.
    pub preserve: bool,
    /// Copy a symbolic link as a link.
    pub keep_links: bool,
    /// Replace a target that cannot be opened.
    pub force: bool,
}

/// Copies `from` to exactly `to`.
pub fn copy(from: &Path, to: &Path, options: CopyOptions) -> Result<(), Failure> {
    let meta = if options.keep_links { fs::symlink_metadata(from) } else { fs::metadata(from) }.about(from)?;
    if let Ok(target) = fs::metadata(to)
        && (target.dev(), target.ino()) == (meta.dev(), meta.ino())
    {
        return Err(Failure::new(format!("{} and {} are the same file", from.display(), to.display())));
    }
    let kind = meta.file_type();
    if kind.is_dir() {
        return copy_folder(from, to, &meta, options);
    }
    if kind.is_symlink() {
        let target = fs::read_link(from).about(from)?;
        remove_if_there(to)?;
        symlink(target, to).about(to)?;
    } else if options.recursive && !kind.is_file() {
        let node = if kind.is_fifo() {
            FileType::Fifo
        } else if kind.is_char_device() {
            FileType::CharacterDevice
        } else if kind.is_block_device() {
            FileType::BlockDevice
        } else {
            FileType::Socket
        };
        remove_if_there(to)?;
        rustix::fs::mknodat(CWD, to, node, Mode::from_raw_mode(meta.mode() & 0o7777), meta.rdev()).about(to)?;
    } else {
        copy_content(from, to, &meta, options)?;
    }
    if options.preserve { keep(to, &meta) } else { Ok(()) }
}

fn copy_folder(from: &Path, to: &Path, meta: &Metadata, options: CopyOptions) -> Result<(), Failure> {
    if !options.recursive {
        return Err(Failure::new(format!("{}: is a directory (not copied without -r)", from.display())));
    }
    // A folder copied into itself would never end.
    let inside = to.parent().and_then(|parent| fs::canonicalize(parent).ok());
    if let (Some(inside), Ok(whole)) = (inside, fs::canonicalize(from))
        && inside.starts_with(&whole)
    {
        return Err(Failure::new(format!("{}: cannot copy a directory into itself", from.display())));
    }
    // Listed first, so that nothing made below is copied again.
    let names = children(from).about(from)?;
    match fs::create_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && to.is_dir() => {}
        made => {
            made.about(to)?;
            // Writable while it is filled; its own mode comes last.
            fs::set_permissions(to, fs::Permissions::from_mode(meta.mode() & 0o777 | 0o700)).about(to)?;
        }
    }
    let mut failed = false;
    for path in names {
        let name = path.file_name().unwrap_or_default();
        if let Err(failure) = copy(&path, &to.join(name), options) {
            crate::warn(&failure);
            failed = true;
        }
    }
    if options.preserve {
        keep(to, meta)?;
    } else {
        fs::set_permissions(to, fs::Permissions::from_mode(meta.mode() & 0o777)).about(to)?;
    }
    if failed { Err(Failure::silent(1)) } else { Ok(()) }
}

fn copy_content(from: &Path, to: &Path, meta: &Metadata, options: CopyOptions) -> Result<(), Failure> {
    let mut source = File::open(from).about(from)?;
    let open = || {
        use std::os::unix::fs::OpenOptionsExt;
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(meta.mode() & 0o777).open(to)
    };
    let mut target = match open() {
        Err(_) if options.force => {
            remove_if_there(to)?;
            open().about(to)?
        }
        opened => opened.about(to)?,
    };
    let mut buffer = vec![0; 1 << 17];
    loop {
        let count = io::Read::read(&mut source, &mut buffer).about(from)?;
        if count == 0 {
            return Ok(());
        }
        io::Write::write_all(&mut target, &buffer[..count]).about(to)?;
    }
}

/// Gives `path` the owner, mode and times of `meta`.
fn keep(path: &Path, meta: &Metadata) -> Result<(), Failure> {
    let link = meta.file_type().is_symlink();
    let owned = if link {
        lchown(path, Some(meta.uid()), Some(meta.gid()))
    } else {
        chown(path, Some(meta.uid()), Some(meta.gid()))
    };
    // Only root may give files away; a user's copy is the user's, as cp -p does.
    if let Err(error) = owned
        && error.kind() != io::ErrorKind::PermissionDenied
    {
        return Err(error).about(path);
    }
    if !link {
        fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777)).about(path)?;
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: meta.atime(), tv_nsec: meta.atime_nsec() },
        last_modification: Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() },
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).about(path)
}

/// Sets the times given, leaves the others.
pub fn set_times(
    path: &Path,
    access: Option<Timespec>,
    modification: Option<Timespec>,
    follow: bool,
) -> io::Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: access.unwrap_or(omit), last_modification: modification.unwrap_or(omit) };
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    Ok(rustix::fs::utimensat(CWD, path, &times, flags)?)
}

fn remove_if_there(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).about(path),
        _ => Ok(()),
    }
}

/// Removes `path` and, if it is a folder, everything in it, never following a link; each failure is reported, and the rest still goes.
pub fn remove(path: &Path) -> Result<(), Failure> {
    let meta = fs::symlink_metadata(path).about(path)?;
    if !meta.is_dir() {
        return fs::remove_file(path).about(path);
    }
    let mut failed = false;
    for child in children(path).about(path)? {
        if let Err(failure) = remove(&child) {
            if !failure.is_silent() {
                crate::warn(&failure);
            }
            failed = true;
        }
    }
    if failed { Err(Failure::silent(1)) } else { fs::remove_dir(path).about(path) }
}
