//! mv: renames files; to another file system it copies and removes.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use user::walk::{self, CopyOptions};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("mv", "mv [-fnTv] SOURCE TARGET | mv [-fn] SOURCE... FOLDER", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut keep, mut plain) = (false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" | "--force" => keep = false,
            "n" | "--no-clobber" => keep = true,
            "T" => plain = true,
            "v" => {}
            _ => args.usage_error(),
        }
    }
    let mut sources = args.some();
    let Some(target) = sources.pop().filter(|_| !sources.is_empty()) else { args.usage_error() };
    let target = Path::new(&target);
    let into_folder = !plain && target.is_dir();
    if sources.len() > 1 && !into_folder {
        return Err(Failure::new(format!("{}: Not a directory", target.display())));
    }
    let mut status = 0;
    for source in sources {
        let source = Path::new(&source);
        let path = if into_folder { target.join(source.file_name().unwrap_or_default()) } else { target.to_owned() };
        if keep && path.symlink_metadata().is_ok() {
            continue;
        }
        if let Err(failure) = rename(source, &path) {
            if !failure.is_silent() {
                user::warn(&failure);
            }
            status = 1;
        }
    }
    Ok(status)
}

fn rename(source: &Path, target: &Path) -> Result<(), Failure> {
    match fs::rename(source, target) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            if target.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
                fs::remove_file(target).about(target)?;
            }
            let whole = CopyOptions { recursive: true, preserve: true, keep_links: true, force: true };
            walk::copy(source, target, whole)?;
            walk::remove(source)
        }
        result => result.about(format!("{} to {}", source.display(), target.display())),
    }
}
