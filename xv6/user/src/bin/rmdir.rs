//! rmdir: removes empty folders.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("rmdir", "rmdir [-p] FOLDER...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut parents = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "p" | "--parents" => parents = true,
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    for folder in args.some() {
        let path = Path::new(&folder);
        let chain = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && *path != Path::new("/"));
        for path in chain.take(if parents { usize::MAX } else { 1 }) {
            if let Err(failure) = fs::remove_dir(path).about(path) {
                user::warn(&failure);
                status = 1;
                break;
            }
        }
    }
    Ok(status)
}
