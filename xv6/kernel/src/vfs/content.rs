//! What open regular files and directories do: [`Regular`] moves bytes through the page cache; [`Directory`] is listed.
//!
//! Neither has a state of its own, so all open files share one of each: an open of a cached path allocates the `File` alone.

use super::file::{FileOps, OpenFlags};
use super::inode::{DirEntry, Kind};
use super::{File, attr};
use crate::error::{Errno, Result};
use crate::mm::{PageCache, ReadBuf, WriteBuf};
use crate::task;
use alloc::sync::Arc;
use core::any::Any;
use hal::sync::Lazy;

/// The largest offset of a file (`off_t`).
pub const MAX_OFFSET: u64 = i64::MAX as u64;

/// A file whose content is in its inode's pages.
pub struct Regular;

static REGULAR: Lazy<Arc<Regular>> = Lazy::new(|| Arc::new(Regular));
static DIRECTORY: Lazy<Arc<Directory>> = Lazy::new(|| Arc::new(Directory));
static NAMED: Lazy<Arc<Named>> = Lazy::new(|| Arc::new(Named));

/// The operations of a regular file.
pub fn regular() -> Arc<dyn FileOps> {
    REGULAR.clone()
}

/// The operations of a directory.
pub(super) fn directory() -> Arc<dyn FileOps> {
    DIRECTORY.clone()
}

/// The operations of a descriptor that only names a place.
pub(super) fn named() -> Arc<dyn FileOps> {
    NAMED.clone()
}

impl FileOps for Regular {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, offset: &mut u64) -> Result<usize> {
        let pages = file.inode.pages().ok_or(Errno::EIO)?;
        let moved = pages.read(buf, *offset)?;
        *offset += moved as u64;
        Ok(moved)
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, offset: &mut u64) -> Result<usize> {
        let pages = file.inode.pages().ok_or(Errno::EIO)?;
        let flags = file.flags();
        if buf.remaining() > 0 {
            attr::drop_set_id(&file.inode)?;
        }
        let moved = if flags.contains(OpenFlags::APPEND) {
            let (at, moved) = append(&pages, buf)?;
            *offset = at + moved as u64;
            moved
        } else {
            if offset.checked_add(buf.remaining() as u64).is_none_or(|end| end > MAX_OFFSET) {
                return Err(Errno::EINVAL.into());
            }
            limit(buf, *offset)?;
            let moved = pages.write(buf, *offset)?;
            *offset += moved as u64;
            moved
        };
        if flags.contains(OpenFlags::DSYNC) {
            file.inode.sync()?;
        }
        Ok(moved)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Writes at the end, atomically; where, and how much.
pub(super) fn append(pages: &PageCache, buf: &mut WriteBuf<'_>) -> Result<(u64, usize)> {
    pages.append(buf, limit)
}

/// Cuts a write at `offset` to what `RLIMIT_FSIZE` leaves; `EFBIG` and `SIGXFSZ` if that is nothing (setrlimit(2)).
fn limit(buf: &mut WriteBuf<'_>, offset: u64) -> Result<()> {
    let limit = task::file_size_limit();
    if buf.remaining() > 0 && offset >= limit {
        return Err(task::file_too_large());
    }
    buf.limit(usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX));
    Ok(())
}

/// A directory: read(2) is `EISDIR`, getdents(2) lists it ([`list`]).
pub struct Directory;

impl FileOps for Directory {
    fn read(&self, _file: &File, _buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        Err(Errno::EISDIR.into())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A place without content (`O_PATH`): the access mode refuses everything before it comes here.
struct Named;

impl FileOps for Named {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The offset after `.` and `..`, from which on the file system's own cursors count.
const FIRST: u64 = 2;

/// Feeds the directory's entries after `*offset` to `sink`, `.` and `..` first, and moves the offset past those it took (true).
/// `next` of an entry is the offset that continues after it. `ENOTDIR`; `ENOENT` if the directory was removed.
pub fn list(file: &File, offset: &mut u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
    if file.inode.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    if file.path.dentry.is_dead() {
        return Err(Errno::ENOENT.into());
    }
    if *offset == 0 {
        let ino = file.inode.attr()?.ino;
        if !sink(DirEntry { ino, kind: Kind::Directory, name: b".", next: 1 }) {
            return Ok(());
        }
        *offset = 1;
    }
    if *offset == 1 {
        let parent = file.path.dentry.parent().unwrap_or_else(|| file.path.dentry.clone());
        let ino = parent.inode().attr()?.ino;
        if !sink(DirEntry { ino, kind: Kind::Directory, name: b"..", next: FIRST }) {
            return Ok(());
        }
        *offset = FIRST;
    }
    let mut at = *offset;
    let result = file.inode.read_dir(at - FIRST, &mut |entry| {
        let next = entry.next.saturating_add(FIRST).min(MAX_OFFSET);
        let taken = sink(DirEntry { next, ..entry });
        if taken {
            at = next;
        }
        taken
    });
    *offset = at;
    result
}
