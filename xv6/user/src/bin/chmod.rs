//! chmod: changes modes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, mode, walk};

fn main() -> ExitCode {
    user::run("chmod", "chmod [-Rfv] MODE FILE...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut recursive = false;
    // `chmod -x file` is a mode, not an option.
    let as_mode = args
        .peek()
        .filter(|word| word.to_str().is_some_and(|word| word.starts_with(['-']) && mode::parse(word, 0, 0).is_some()));
    let mut text = as_mode.map(|word| word.to_string_lossy().into_owned());
    if text.is_some() {
        args.take();
    }
    while let Some(option) = args.option() {
        match option.as_str() {
            "R" | "--recursive" => recursive = true,
            "f" | "v" => {}
            _ => args.usage_error(),
        }
    }
    let mut files = args.some();
    let text = text.get_or_insert_with(|| files.remove(0).to_string_lossy().into_owned());
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask);
    if files.is_empty() || mode::parse(text, 0, 0).is_none() {
        args.usage_error();
    }
    let mut failed = false;
    for file in files {
        change(Path::new(&file), text, umask.as_raw_mode(), recursive, true, &mut failed);
    }
    Ok(u8::from(failed))
}

fn change(path: &Path, text: &str, umask: u32, recursive: bool, named: bool, failed: &mut bool) {
    let result = (|| {
        let meta = fs::symlink_metadata(path).about(path)?;
        // A link's own mode means nothing; one that was named is followed, one found below a folder is not.
        if meta.is_symlink() && !named {
            return Ok(());
        }
        let meta = fs::metadata(path).about(path)?;
        let bits = mode::parse(text, meta.mode(), umask).unwrap_or(meta.mode() & 0o7777);
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).about(path)?;
        if recursive && meta.is_dir() {
            for child in walk::children(path).about(path)? {
                change(&child, text, umask, true, false, failed);
            }
        }
        Ok(())
    })();
    if let Err(failure) = result {
        let failure: Failure = failure;
        user::warn(&failure);
        *failed = true;
    }
}
