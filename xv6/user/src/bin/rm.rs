//! rm: removes files, with `-r` folders and what is in them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, walk};

fn main() -> ExitCode {
    user::run("rm", "rm [-dfirRv] FILE...", body)
}

#[derive(Default)]
struct Options {
    force: bool,
    recursive: bool,
    empty_folders: bool,
    ask: bool,
    verbose: bool,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut options = Options::default();
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" | "--force" => (options.force, options.ask) = (true, false),
            "r" | "R" | "--recursive" => options.recursive = true,
            "d" | "--dir" => options.empty_folders = true,
            "i" => (options.ask, options.force) = (true, false),
            "v" | "--verbose" => options.verbose = true,
            _ => args.usage_error(),
        }
    }
    let operands = if options.force { args.operands() } else { args.some() };
    let mut status = 0;
    for operand in operands {
        match remove(Path::new(&operand), &options) {
            Ok(true) if options.verbose => writeln!(out, "removed '{}'", operand.display())?,
            Ok(_) => {}
            Err(failure) => {
                if !failure.is_silent() {
                    user::warn(&failure);
                }
                status = 1;
            }
        }
    }
    Ok(status)
}

/// Removes one operand; `false` if nothing was to be done.
fn remove(path: &Path, options: &Options) -> Result<bool, Failure> {
    // `a/.` has the file name `a` for Rust; what counts is how it was written.
    let written = path.as_os_str().to_string_lossy();
    let last = written.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if matches!(last, "." | "..") {
        return Err(Failure::new(format!("refusing to remove '.' or '..': {written}")));
    }
    if path == Path::new("/") {
        return Err(Failure::new("refusing to remove '/'"));
    }
    let meta = match fs::symlink_metadata(path) {
        Err(error) if options.force && error.kind() == io::ErrorKind::NotFound => return Ok(false),
        meta => meta.about(path)?,
    };
    if meta.is_dir() && !options.recursive && !options.empty_folders {
        return Err(Failure::new(format!("{}: Is a directory", path.display())));
    }
    if options.ask && !agreed(path) {
        return Ok(false);
    }
    if meta.is_dir() && !options.recursive {
        fs::remove_dir(path).about(path)?;
    } else {
        walk::remove(path)?;
    }
    Ok(true)
}

fn agreed(path: &Path) -> bool {
    let _ = write!(io::stderr(), "rm: remove '{}'? ", path.display());
    let mut answer = String::new();
    // No answer is no.
    io::stdin().read_line(&mut answer).is_ok() && answer.trim_start().starts_with(['y', 'Y'])
}
