//! mkdir: makes folders.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, mode};

fn main() -> ExitCode {
    user::run("mkdir", "mkdir [-pv] [-m MODE] FOLDER...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut parents, mut bits) = (false, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "p" | "--parents" => parents = true,
            "v" => {}
            "m" | "--mode" => {
                let text = args.text();
                let umask = rustix::process::umask(rustix::fs::Mode::empty());
                rustix::process::umask(umask);
                match mode::parse(&text, mode::DIRECTORY | 0o777, umask.as_raw_mode()) {
                    Some(mode) => bits = Some(mode),
                    None => args.usage_error(),
                }
            }
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    for folder in args.some() {
        if let Err(failure) = make(Path::new(&folder), parents, bits) {
            user::warn(&failure);
            status = 1;
        }
    }
    Ok(status)
}

fn make(folder: &Path, parents: bool, bits: Option<u32>) -> Result<(), Failure> {
    if parents && folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(parents).mode(0o777).create(folder).about(folder)?;
    // The umask does not limit a mode that was asked for.
    match bits {
        Some(bits) => fs::set_permissions(folder, fs::Permissions::from_mode(bits)).about(folder),
        None => Ok(()),
    }
}
