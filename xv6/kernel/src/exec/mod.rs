//! Program loading: execve(2)'s file, arguments and environment become an [`Image`], a new address space ready to run.
//!
//! `elf` and `script` read what a file says it is, `image` maps it, `stack` lays out the first stack. The calling process is untouched
//! until `task::exec_commit` takes the finished image. Neighbours: `vfs` opens the files, `mm` holds the memory, `syscall::exec` calls.

pub mod elf;
mod image;
mod script;
mod stack;
#[cfg(test)]
mod tests;

use crate::error::{Errno, Result};
use crate::mm::{AddressSpace, Limit, MapFile};
use crate::vfs::file::OpenFlags;
use crate::vfs::perm::{self, May, SET_GID, SET_UID};
use crate::vfs::text::Running;
use crate::vfs::{File, MountFlags, Walk, WalkFlags, open, walk};
use alloc::sync::Arc;
use alloc::vec::Vec;
use image::{Binary, Start};

/// The longest argument or environment string, its NUL included (execve(2), "Limits on size of arguments and environment").
pub const STRING_MAX: usize = 128 << 10;

/// Interpreters of interpreters followed (execve(2): more is `ELOOP`).
const SCRIPTS: usize = 5;

/// A loaded program, not yet anybody's: `task::exec_commit` makes it the calling process's.
pub struct Image {
    /// Its memory.
    pub space: Arc<AddressSpace>,
    /// Where it starts.
    pub entry: usize,
    /// Its first stack pointer.
    pub sp: usize,
    /// The thread name: the last part of the path, at most 15 bytes.
    pub comm: Vec<u8>,
    /// The program file (the interpreter of a script), for `/proc/PID/exe`.
    pub exe: Arc<Running>,
    /// The effective user that a set-user-ID file gives; `Cred::after_exec` decides whether it does.
    pub set_uid: Option<u32>,
    /// The effective group likewise.
    pub set_gid: Option<u32>,
}

/// A program to be loaded: an open file, how it was called, and with what.
pub struct Program {
    /// From [`open_program`].
    pub file: Arc<File>,
    /// The path it was called by (`AT_EXECFN`, a script's argument).
    pub path: Vec<u8>,
    /// Arguments; empty becomes one empty string.
    pub argv: Vec<Vec<u8>>,
    /// Environment.
    pub envp: Vec<Vec<u8>>,
}

/// The most bytes that strings and their pointers may take: a quarter of the stack limit, within Linux's bounds.
pub fn argument_limit(caller: Option<&AddressSpace>) -> usize {
    let stack = caller.map_or(8 << 20, |caller| caller.limit(Limit::Stack));
    (stack / 4).clamp(STRING_MAX as u64, 6 << 20) as usize
}

/// Opens a file to be executed: `EACCES` unless it is a regular file with execute permission on a mount without `noexec`.
pub fn open_program(ctx: &Walk, path: &[u8], flags: WalkFlags) -> Result<Arc<File>> {
    let place = walk(ctx, path, flags)?;
    if place.inode().kind() == crate::vfs::inode::Kind::Symlink {
        return Err(Errno::ELOOP.during("executing a symbolic link itself"));
    }
    place.check_executable()?;
    perm::may(place.inode(), &ctx.cred, May::EXEC)?;
    open::open_existing(ctx, place, OpenFlags::empty(), false)
}

fn binary(file: &Arc<File>) -> Result<Binary> {
    let pages = file
        .ops
        .pages()
        .or_else(|| file.inode.pages())
        .ok_or(Errno::EACCES.during("executing a file without pages"))?;
    let file: Arc<dyn MapFile> = file.clone();
    Ok(Binary { pages, file })
}

/// Loads `program` for a process whose root, working directory and credentials are `ctx`'s and whose present memory (for its limits) is
/// `caller`. Errors as execve(2) lists them: `ENOEXEC`, `E2BIG`, `ELOOP`, `ENOMEM`, ...
pub fn load(ctx: &Walk, caller: Option<&AddressSpace>, program: Program) -> Result<Image> {
    let Program { mut file, path, mut argv, envp } = program;
    if argv.is_empty() {
        argv.push(Vec::new());
    }
    let mut called = path.clone();
    let mut scripts = 0;
    let mut exe = Running::begin(file.clone())?;
    let (program, elf) = loop {
        let program = binary(&file)?;
        let mut start = [0; script::LINE];
        let len = program.pages.read(&mut crate::mm::ReadBuf::kernel(&mut start), 0)?;
        let Some(interpreter) = script::parse(&start[..len])? else {
            let elf = program.elf()?;
            break (program, elf);
        };
        scripts += 1;
        if scripts > SCRIPTS {
            return Err(Errno::ELOOP.during("following #! lines"));
        }
        let mut words = Vec::from([interpreter.path.clone()]);
        words.extend(interpreter.argument);
        words.push(called);
        argv.splice(..1, words);
        called = interpreter.path;
        file = open_program(ctx, &called, WalkFlags::empty())?;
        exe = Running::begin(file.clone())?;
    };
    let needed: usize = argv.iter().chain(&envp).map(|text| text.len() + 9).sum();
    if needed > argument_limit(caller) {
        return Err(Errno::E2BIG.during("adding a script's arguments"));
    }
    let loader = match &elf.interpreter {
        Some(range) => {
            let mut name = alloc::vec![0; (range.end - range.start) as usize];
            program.read(range.start, &mut name)?;
            let end = name.iter().position(|&byte| byte == 0).ok_or(Errno::ENOEXEC)?;
            // While the program is loaded nobody writes the interpreter; later it is a file like others.
            Some(Running::begin(open_program(ctx, &name[..end], WalkFlags::empty())?)?)
        }
        None => None,
    };
    let interpreter = loader.as_ref().map(|loader| binary(&loader.file)).transpose()?;
    let (set_uid, set_gid) = set_ids(&file)?;
    let cred = ctx.cred.after_exec(set_uid, set_gid);
    let secure =
        cred.euid != ctx.cred.euid || cred.egid != ctx.cred.egid || cred.uid != cred.euid || cred.gid != cred.egid;
    let ids = [cred.uid, cred.euid, cred.gid, cred.egid];
    let start = Start { path: &path, argv: &argv, envp: &envp, ids, secure };
    let loaded = image::build(&program, &elf, interpreter.as_ref(), caller, &start)?;
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(&path);
    let comm = name[..name.len().min(15)].to_vec();
    Ok(Image { space: loaded.space, entry: loaded.entry, sp: loaded.sp, comm, exe, set_uid, set_gid })
}

/// The ids that the file's mode would give, unless its mount says `nosuid`.
fn set_ids(file: &File) -> Result<(Option<u32>, Option<u32>)> {
    if file.path.mount.flags().contains(MountFlags::NOSUID) {
        return Ok((None, None));
    }
    let owner = file.inode.owner()?;
    let uid = (owner.mode & SET_UID != 0).then_some(owner.uid);
    // Without group execution the bit means mandatory locking, not set-group-ID.
    let gid = (owner.mode & (SET_GID | 0o010) == SET_GID | 0o010).then_some(owner.gid);
    Ok((uid, gid))
}
