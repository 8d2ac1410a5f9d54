//! mount(2), umount2(2), pivot_root(2).

use super::at::AT_FDCWD;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::ns::PidNamespace;
use crate::task;
use crate::vfs::{mountcall, umount};
use alloc::vec::Vec;

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 155, name: "pivot_root", handler: pivot_root },
    Row { number: 165, name: "mount", handler: mount },
    Row { number: 166, name: "umount2", handler: do_umount },
];

/// Longest option string (mount(2)).
const MAX_DATA: usize = 4095;

/// The string in argument `index`; empty for a null pointer.
fn text(call: &Call<'_>, index: usize, max: usize) -> Result<Vec<u8>> {
    if call.args[index] == 0 { Ok(Vec::new()) } else { user::read_cstr(call.args[index], max) }
}

fn mount(call: &mut Call<'_>) -> Result<usize> {
    let source = text(call, 0, user::PATH_MAX - 1)?;
    let target = call.path(1)?;
    let fs_type = text(call, 2, 255)?;
    // An option string that is too long is an invalid one.
    let data = text(call, 4, MAX_DATA).map_err(|error| match error.errno {
        Errno::ENAMETOOLONG => Errno::EINVAL.into(),
        _ => error,
    })?;
    let request = mountcall::Request {
        source: &source,
        target: &target,
        fs_type: &fs_type,
        flags: call.args[3] as u64,
        data: &data,
    };
    let ctx = call.walk_at(AT_FDCWD, &target)?;
    mountcall::mount(&ctx, &call.task.ns(), &request)?;
    Ok(0)
}

fn do_umount(call: &mut Call<'_>) -> Result<usize> {
    let path = call.path(0)?;
    let ctx = call.walk_at(AT_FDCWD, &path)?;
    umount::umount(&ctx, &call.task.ns().mnt, &path, call.args[1] as u32)?;
    Ok(0)
}

/// Every process that stands at the old root is moved to the new one (pivot_root(2), NOTES).
fn pivot_root(call: &mut Call<'_>) -> Result<usize> {
    let (new_root, put_old) = (call.path(0)?, call.path(1)?);
    let ctx = call.walk_at(AT_FDCWD, &new_root)?;
    let (old, new) = umount::pivot_root(&ctx, &call.task.ns().mnt, &new_root, &put_old)?;
    for process in task::all_in(PidNamespace::initial()) {
        for thread in process.threads() {
            if let Some(fs) = thread.try_fs().filter(|fs| fs.stands_at(&old)) {
                fs.replace(|place| (*place == old).then(|| new.clone()));
            }
        }
    }
    Ok(0)
}
