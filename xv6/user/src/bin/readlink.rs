//! readlink: prints where a symbolic link leads, with `-f` to the end and as a whole path.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("readlink", "readlink [-en] [-f] FILE...", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut follow, mut exists, mut newline) = (false, false, true);
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" => follow = true,
            "e" => (follow, exists) = (true, true),
            "n" => newline = false,
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    for file in args.some() {
        let path = Path::new(&file);
        let found = if follow { whole(path, exists) } else { fs::read_link(path) };
        match found {
            Ok(found) => {
                out.write_all(found.as_os_str().as_bytes())?;
                if newline {
                    out.write_all(b"\n")?;
                }
            }
            // As readlink(1): only `-e` and `-f` say why.
            Err(error) => {
                if follow {
                    user::warn(&Err::<(), _>(error).about(path).err().unwrap_or_else(|| Failure::silent(1)));
                }
                status = 1;
            }
        }
    }
    Ok(status)
}

/// The whole path without links; its last part need not exist unless `exists`.
fn whole(path: &Path, exists: bool) -> std::io::Result<std::path::PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if !exists && error.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(fs::canonicalize(parent)?.join(path.file_name().unwrap_or_default()))
        }
        result => result,
    }
}
