//! ln: makes hard links, with `-s` symbolic ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("ln", "ln [-fnsTv] TARGET [LINK] | ln [-fns] TARGET... FOLDER", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut symbolic, mut force, mut no_follow, mut plain) = (false, false, false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "s" | "--symbolic" => symbolic = true,
            "f" | "--force" => force = true,
            "n" | "--no-dereference" => no_follow = true,
            "T" => plain = true,
            "v" => {}
            _ => args.usage_error(),
        }
    }
    let mut targets = args.some();
    let link = if targets.len() > 1 { targets.pop() } else { None }.unwrap_or_else(|| ".".into());
    let link = Path::new(&link);
    let into_folder = !plain && link.is_dir() && !(no_follow && link.is_symlink());
    if !into_folder && targets.len() > 1 {
        return Err(Failure::new(format!("{}: Not a directory", link.display())));
    }
    let mut status = 0;
    for target in targets {
        let target = Path::new(&target);
        let path = if into_folder { link.join(target.file_name().unwrap_or_default()) } else { link.to_owned() };
        if let Err(failure) = make(target, &path, symbolic, force) {
            user::warn(&failure);
            status = 1;
        }
    }
    Ok(status)
}

fn make(target: &Path, path: &Path, symbolic: bool, force: bool) -> Result<(), Failure> {
    let link = || if symbolic { symlink(target, path) } else { fs::hard_link(target, path) };
    match link() {
        Err(error) if force && error.kind() == std::io::ErrorKind::AlreadyExists => {
            fs::remove_file(path).about(path)?;
            link().about(path)
        }
        // The error is about the link's path, unless there is nothing to link to.
        result => result.about(if symbolic || target.symlink_metadata().is_ok() { path } else { target }),
    }
}
