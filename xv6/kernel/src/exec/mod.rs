//! Program loading: execve(2)'s file, arguments and environment become an [`Image`], a new address space ready to run.

use crate::error::Result;
use crate::mm::AddressSpace;
use crate::vfs::File;
use alloc::sync::Arc;
use alloc::vec::Vec;

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
    pub exe: Arc<File>,
    /// The effective user that a set-user-ID file gives, if it is honoured.
    pub set_uid: Option<u32>,
    /// The effective group likewise.
    pub set_gid: Option<u32>,
}

/// Loads the program `file`, reached as `path` (for `AT_EXECFN` and `#!` arguments). Errors as execve(2) lists them.
pub fn load(file: &Arc<File>, path: &[u8], argv: Vec<Vec<u8>>, envp: Vec<Vec<u8>>) -> Result<Image> {
    let _ = (file, path, argv, envp);
    todo!()
}
