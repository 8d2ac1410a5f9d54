//! Extended attributes (xattr(7)): get, set, list, remove, by path, by link, by descriptor.

use super::at::AT_FDCWD;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::task::Cap;
use crate::vfs::inode::Kind;
use crate::vfs::perm::{self, May, STICKY};
use crate::vfs::{Path, WalkFlags};
use alloc::vec;
use alloc::vec::Vec;

/// How a call names its file.
#[derive(Clone, Copy)]
enum By {
    Path,
    Link,
    Fd,
}

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 188, name: "setxattr", handler: |call| set(call, By::Path) },
    Row { number: 189, name: "lsetxattr", handler: |call| set(call, By::Link) },
    Row { number: 190, name: "fsetxattr", handler: |call| set(call, By::Fd) },
    Row { number: 191, name: "getxattr", handler: |call| get(call, By::Path) },
    Row { number: 192, name: "lgetxattr", handler: |call| get(call, By::Link) },
    Row { number: 193, name: "fgetxattr", handler: |call| get(call, By::Fd) },
    Row { number: 194, name: "listxattr", handler: |call| list(call, By::Path) },
    Row { number: 195, name: "llistxattr", handler: |call| list(call, By::Link) },
    Row { number: 196, name: "flistxattr", handler: |call| list(call, By::Fd) },
    Row { number: 197, name: "removexattr", handler: |call| remove(call, By::Path) },
    Row { number: 198, name: "lremovexattr", handler: |call| remove(call, By::Link) },
    Row { number: 199, name: "fremovexattr", handler: |call| remove(call, By::Fd) },
];

/// Longest name and value (xattr(7)).
const MAX_NAME: usize = 255;
const MAX_VALUE: usize = 65_536;

fn target(call: &Call<'_>, by: By) -> Result<Path> {
    match by {
        By::Path => call.lookup_arg(AT_FDCWD, 0, WalkFlags::empty()),
        By::Link => call.lookup_arg(AT_FDCWD, 0, WalkFlags::NOFOLLOW),
        By::Fd => Ok(call.file(0)?.path.clone()),
    }
}

/// The attribute's name in argument 1; `ERANGE` for an empty or long one.
fn name(call: &Call<'_>) -> Result<Vec<u8>> {
    let name = user::read_cstr(call.args[1], MAX_NAME).map_err(|error| match error.errno {
        Errno::ENAMETOOLONG => Errno::ERANGE.into(),
        _ => error,
    })?;
    if name.is_empty() { Err(Errno::ERANGE.into()) } else { Ok(name) }
}

/// xattr(7)'s rules for each class of names; `EINVAL` for a class without a name in it.
fn check(call: &Call<'_>, path: &Path, name: &[u8], want: May) -> Result<()> {
    check_class(call, path, name, want)?;
    if name.ends_with(b".") && name.iter().filter(|&&byte| byte == b'.').count() == 1 {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

fn check_class(call: &Call<'_>, path: &Path, name: &[u8], want: May) -> Result<()> {
    let cred = call.task.cred();
    let denied = if want == May::READ { Errno::ENODATA } else { Errno::EPERM };
    if name.starts_with(b"trusted.") {
        return if cred.capable(Cap::SysAdmin) { Ok(()) } else { Err(denied.into()) };
    }
    if name.starts_with(b"user.") {
        if !matches!(path.inode().kind(), Kind::File | Kind::Directory) {
            return Err(denied.into());
        }
        // What others keep in a shared directory is the owner's affair alone.
        let owner = path.inode().owner()?;
        let shared = path.is_dir() && owner.mode & STICKY != 0;
        if shared && want == May::WRITE && !perm::is_owner(&cred, &owner) {
            return Err(Errno::EPERM.into());
        }
        return perm::may(path.inode(), &cred, want);
    }
    if name.starts_with(b"security.") {
        let owner = path.inode().owner()?;
        let may = want == May::READ || (cred.capable(Cap::SysAdmin) && perm::is_owner(&cred, &owner));
        return if may { Ok(()) } else { Err(Errno::EPERM.into()) };
    }
    // `system.` holds access control lists, of which no file system here has any: libacl, in cp and sed, then keeps to the mode.
    Err(Errno::EOPNOTSUPP.into())
}

/// Gives `value` back in the buffer at `addr` of `size` bytes; size 0 asks for the length.
fn give(addr: usize, size: usize, value: &[u8]) -> Result<usize> {
    if size != 0 {
        if value.len() > size {
            return Err(Errno::ERANGE.into());
        }
        user::write_bytes(addr, value)?;
    }
    Ok(value.len())
}

fn get(call: &mut Call<'_>, by: By) -> Result<usize> {
    let (path, name) = (target(call, by)?, name(call)?);
    check(call, &path, &name, May::READ)?;
    let value = path.inode().get_xattr(&name)?;
    give(call.args[2], call.args[3], &value)
}

fn set(call: &mut Call<'_>, by: By) -> Result<usize> {
    const CREATE: usize = 1;
    const REPLACE: usize = 2;
    let flags = call.args[4];
    if flags > REPLACE {
        return Err(Errno::EINVAL.into());
    }
    if call.args[3] > MAX_VALUE {
        return Err(Errno::E2BIG.into());
    }
    let (path, name) = (target(call, by)?, name(call)?);
    let mut value = vec![0; call.args[3]];
    user::read_bytes(call.args[2], &mut value)?;
    path.mount.check_writable()?;
    check(call, &path, &name, May::WRITE)?;
    let exists = match path.inode().get_xattr(&name) {
        Ok(_) => true,
        Err(error) if error.errno == Errno::ENODATA => false,
        Err(error) => return Err(error),
    };
    match flags {
        CREATE if exists => return Err(Errno::EEXIST.into()),
        REPLACE if !exists => return Err(Errno::ENODATA.into()),
        _ => path.inode().set_xattr(&name, &value)?,
    }
    Ok(0)
}

fn list(call: &mut Call<'_>, by: By) -> Result<usize> {
    let path = target(call, by)?;
    let privileged = call.task.cred().capable(Cap::SysAdmin);
    let mut names = Vec::new();
    for name in path.inode().list_xattrs()? {
        if privileged || !name.starts_with(b"trusted.") {
            names.extend_from_slice(&name);
            names.push(0);
        }
    }
    give(call.args[1], call.args[2], &names)
}

fn remove(call: &mut Call<'_>, by: By) -> Result<usize> {
    let (path, name) = (target(call, by)?, name(call)?);
    path.mount.check_writable()?;
    check(call, &path, &name, May::WRITE)?;
    path.inode().remove_xattr(&name)?;
    Ok(0)
}
