//! execve(2), execveat(2): read the path and the strings, load the program, become it.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::exec::{self, Program, STRING_MAX};
use crate::mm::user;
use crate::task;
use crate::vfs::{Path, Walk, WalkFlags};
use alloc::vec::Vec;

/// The table rows.
pub const ROWS: &[Row] =
    &[Row { number: 59, name: "execve", handler: execve }, Row { number: 322, name: "execveat", handler: execveat }];

const AT_FDCWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: usize = 0x100;
const AT_EMPTY_PATH: usize = 0x1000;

fn execve(call: &mut Call<'_>) -> Result<usize> {
    let [path, argv, envp, ..] = call.args;
    let path = user::read_path(path)?;
    run(call, None, path, argv, envp, WalkFlags::empty())
}

fn execveat(call: &mut Call<'_>) -> Result<usize> {
    let [dir, path, argv, envp, flags, _] = call.args;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.during("execveat"));
    }
    let path = user::read_path(path)?;
    let mut walk_flags = WalkFlags::empty();
    walk_flags.set(WalkFlags::NOFOLLOW, flags & AT_SYMLINK_NOFOLLOW != 0);
    walk_flags.set(WalkFlags::EMPTY_PATH, flags & AT_EMPTY_PATH != 0);
    let from = if dir as i32 == AT_FDCWD || path.first() == Some(&b'/') { None } else { Some(dir as u32) };
    run(call, from, path, argv, envp, walk_flags)
}

/// Executes `path`, which starts at descriptor `from` or the working directory.
fn run(
    call: &mut Call<'_>,
    from: Option<u32>,
    path: Vec<u8>,
    argv: usize,
    envp: usize,
    flags: WalkFlags,
) -> Result<usize> {
    let (root, cwd) = call.task.fs().both();
    let mut ctx = Walk { root, start: cwd.clone(), cred: call.task.cred() };
    let mut called = path.clone();
    if let Some(fd) = from {
        let start: Path = call.task.files().get(fd)?.path.clone();
        if !path.is_empty() && !start.is_dir() {
            return Err(Errno::ENOTDIR.during("execveat"));
        }
        ctx.start = start;
        // The name by which a script finds itself again (execveat(2), NOTES).
        called = alloc::format!("/dev/fd/{fd}").into_bytes();
        if !path.is_empty() {
            called.push(b'/');
            called.extend_from_slice(&path);
        }
    }
    let file = exec::open_program(&ctx, &path, flags)?;
    ctx.start = cwd;
    let space = call.task.mm();
    let mut budget = exec::argument_limit(space.as_deref());
    let argv = strings(argv, &mut budget)?;
    let envp = strings(envp, &mut budget)?;
    let image = exec::load(&ctx, space.as_deref(), Program { file, path: called, argv, envp })?;
    drop(space);
    task::exec_commit(call.task, call.user, image)?;
    Ok(0)
}

/// Reads a NULL-terminated array of strings (a null array is empty, as Linux has it); `E2BIG` when the budget of bytes is used up.
fn strings(array: usize, budget: &mut usize) -> Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    if array == 0 {
        return Ok(strings);
    }
    loop {
        let slot = array.checked_add(strings.len() * 8).ok_or(Errno::EFAULT)?;
        let address: u64 = user::read(slot)?;
        if address == 0 {
            return Ok(strings);
        }
        let big = Errno::E2BIG.during("reading argument strings");
        let text = user::read_cstr(address as usize, STRING_MAX - 1)
            .map_err(|error| if error.errno == Errno::ENAMETOOLONG { big } else { error })?;
        *budget = budget.checked_sub(text.len() + 1 + 8).ok_or(big)?;
        strings.push(text);
    }
}
