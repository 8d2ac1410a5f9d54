//! Starting the command to be traced: a child that waits until its tracer has it, and then becomes the command.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::pipe::PipeFlags;
use user::raw::{Forked, fork};
use user::{About, Failure, run_command};

/// A child, and the pipe whose closing lets it go.
pub struct Started {
    /// Its number.
    pub pid: i32,
    /// Drop it to let the child go.
    pub held: OwnedFd,
}

/// Forks a child that will execute `words`. Status 127 or 126 as the shell has them if there is no such program.
pub fn start(words: &[OsString]) -> Result<Started, Failure> {
    let path = find(&words[0])?;
    let c_string = |word: &[u8]| CString::new(word).map_err(|_| Failure::new("an argument contains a NUL byte"));
    let program = c_string(path.as_os_str().as_bytes())?;
    let arguments = words.iter().map(|word| c_string(word.as_bytes())).collect::<Result<Vec<CString>, Failure>>()?;
    let (gate, held) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).about("pipe")?;
    match fork().about("fork")? {
        Forked::Parent(pid) => Ok(Started { pid: pid.as_raw_nonzero().get(), held }),
        Forked::Child => {
            drop(held);
            while rustix::io::read(&gate, &mut [0; 1]) == Err(rustix::io::Errno::INTR) {}
            let error = match nix::unistd::execv(&program, &arguments) {
                Ok(never) => match never {},
                Err(errno) => std::io::Error::from(errno),
            };
            let failure = run_command::failure(&words[0], &error);
            user::warn(&failure);
            std::process::exit(failure.status().into());
        }
    }
}

/// The program that `word` names, along `PATH`.
fn find(word: &OsString) -> Result<PathBuf, Failure> {
    let runs = |path: &PathBuf| path.is_file() && rustix::fs::access(Path::new(path), Access::EXEC_OK).is_ok();
    if word.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(word));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(word)).find(runs);
    found.ok_or_else(|| Failure::new(format!("{}: command not found", word.to_string_lossy())).with_status(127))
}
