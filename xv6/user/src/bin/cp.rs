//! cp: copies files, with `-r` folders.

use std::path::Path;
use std::process::ExitCode;

use user::walk::{self, CopyOptions};
use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("cp", "cp [-adfLPprRTv] SOURCE TARGET | cp [-adfLPprR] SOURCE... FOLDER", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut options = CopyOptions::default();
    let mut plain = false;
    let mut links = None;
    while let Some(option) = args.option() {
        match option.as_str() {
            "r" | "R" | "--recursive" => options.recursive = true,
            "a" | "--archive" => {
                (options.recursive, options.preserve) = (true, true);
                links = Some(true);
            }
            "p" | "--preserve" => {
                let _ = args.optional_value();
                options.preserve = true;
            }
            "d" | "P" | "--no-dereference" => links = Some(true),
            "L" | "--dereference" => links = Some(false),
            "f" | "--force" => options.force = true,
            "T" => plain = true,
            "v" => {}
            _ => args.usage_error(),
        }
    }
    // Recursive copies keep links, single ones follow them, as coreutils.
    options.keep_links = links.unwrap_or(options.recursive);
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
        if let Err(failure) = walk::copy(source, &path, options) {
            if !failure.is_silent() {
                user::warn(&failure);
            }
            status = 1;
        }
    }
    Ok(status)
}
