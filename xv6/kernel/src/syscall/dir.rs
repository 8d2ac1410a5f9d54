//! Directories: getdents64(2), getcwd(2), chdir(2), chroot(2) and their kin.

use super::at::AT_FDCWD;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::task::Cap;
use crate::vfs::inode::DirEntry;
use crate::vfs::perm::{self, May};
use crate::vfs::{Path, WalkFlags, content};
use alloc::vec::Vec;

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 78, name: "getdents", handler: |call| getdents(call, encode_old) },
    Row { number: 79, name: "getcwd", handler: getcwd },
    Row { number: 80, name: "chdir", handler: chdir },
    Row { number: 81, name: "fchdir", handler: fchdir },
    Row { number: 95, name: "umask", handler: umask },
    Row { number: 161, name: "chroot", handler: chroot },
    Row { number: 217, name: "getdents64", handler: |call| getdents(call, encode_64) },
];

/// Most bytes of entries one call gives.
const MAX_LISTING: usize = 32_768;

/// Appends one `struct linux_dirent64`; false if it does not fit into `room` bytes.
fn encode_64(out: &mut Vec<u8>, room: usize, entry: &DirEntry<'_>) -> bool {
    const HEADER: usize = 8 + 8 + 2 + 1;
    let len = (HEADER + entry.name.len() + 1).next_multiple_of(8);
    if out.len() + len > room {
        return false;
    }
    let end = out.len() + len;
    out.extend_from_slice(&entry.ino.to_le_bytes());
    out.extend_from_slice(&entry.next.to_le_bytes());
    out.extend_from_slice(&(len as u16).to_le_bytes());
    out.push(entry.kind as u8);
    out.extend_from_slice(entry.name);
    out.resize(end, 0);
    true
}

/// Appends one `struct linux_dirent`, whose type is its last byte.
fn encode_old(out: &mut Vec<u8>, room: usize, entry: &DirEntry<'_>) -> bool {
    const HEADER: usize = 8 + 8 + 2;
    let len = (HEADER + entry.name.len() + 2).next_multiple_of(8);
    if out.len() + len > room {
        return false;
    }
    let end = out.len() + len;
    out.extend_from_slice(&entry.ino.to_le_bytes());
    out.extend_from_slice(&entry.next.to_le_bytes());
    out.extend_from_slice(&(len as u16).to_le_bytes());
    out.extend_from_slice(entry.name);
    out.resize(end - 1, 0);
    out.push(entry.kind as u8);
    true
}

/// `EINVAL` when not even one entry fits.
fn getdents(call: &mut Call<'_>, encode: fn(&mut Vec<u8>, usize, &DirEntry<'_>) -> bool) -> Result<usize> {
    let file = call.file(0)?;
    let room = (call.args[2] as u32 as usize).min(MAX_LISTING);
    let mut out = Vec::new();
    let mut full = false;
    let mut offset = file.lock_offset();
    let before = *offset;
    content::list(&file, &mut offset, &mut |entry| {
        let fits = encode(&mut out, room, &entry);
        full |= !fits;
        fits
    })?;
    if out.is_empty() && full {
        return Err(Errno::EINVAL.into());
    }
    if let Err(error) = user::write_bytes(call.args[1], &out) {
        *offset = before;
        return Err(error);
    }
    Ok(out.len())
}

fn getcwd(call: &mut Call<'_>) -> Result<usize> {
    let (root, cwd) = call.task.fs().both();
    if cwd.dentry.is_dead() {
        return Err(Errno::ENOENT.into());
    }
    // Out of reach of the root: the kernel says so in front, and the library turns that into an error.
    let mut text = match cwd.text_from(&root) {
        Some(text) => text,
        None => [b"(unreachable)", &cwd.text(&root)[..]].concat(),
    };
    text.push(0);
    if text.len() > call.args[1] {
        return Err(Errno::ERANGE.into());
    }
    user::write_bytes(call.args[0], &text)?;
    Ok(text.len())
}

fn enter(call: &Call<'_>, path: Path) -> Result<usize> {
    if !path.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    perm::may(path.inode(), &call.task.cred(), May::EXEC)?;
    call.task.fs().set_cwd(path);
    Ok(0)
}

fn chdir(call: &mut Call<'_>) -> Result<usize> {
    let path = call.lookup_arg(AT_FDCWD, 0, WalkFlags::DIRECTORY)?;
    enter(call, path)
}

fn fchdir(call: &mut Call<'_>) -> Result<usize> {
    let path = call.any_file(0)?.path.clone();
    enter(call, path)
}

fn umask(call: &mut Call<'_>) -> Result<usize> {
    Ok(call.task.fs().set_umask(call.args[0] as u16) as usize)
}

fn chroot(call: &mut Call<'_>) -> Result<usize> {
    let path = call.lookup_arg(AT_FDCWD, 0, WalkFlags::DIRECTORY)?;
    let cred = call.task.cred();
    perm::may(path.inode(), &cred, May::EXEC)?;
    if !cred.capable_in(&cred.user, Cap::SysChroot) {
        return Err(Errno::EPERM.into());
    }
    call.task.fs().set_root(path);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::{encode_64, encode_old};
    use crate::vfs::inode::{DirEntry, Kind};
    use alloc::vec::Vec;

    #[test]
    fn entries_are_aligned_and_bounded() {
        let entry = DirEntry { ino: 5, kind: Kind::File, name: b"abc", next: 9 };
        let mut out = Vec::new();
        assert!(encode_64(&mut out, 24, &entry) && !encode_64(&mut out, 24, &entry));
        assert_eq!((out.len(), out[16], out[18], &out[19..23]), (24, 24, 8, &b"abc\0"[..]));
        let mut out = Vec::new();
        assert!(encode_old(&mut out, 100, &entry));
        assert_eq!((out.len(), out[23]), (24, 8));
    }
}
