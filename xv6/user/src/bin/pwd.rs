//! pwd: prints the current folder.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("pwd", "pwd [-LP]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut logical = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "L" => logical = true,
            "P" => logical = false,
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    let id = |path: &PathBuf| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let told = std::env::var_os("PWD").map(PathBuf::from).filter(|path| logical && path.is_absolute());
    let path = match told.filter(|path| id(path).is_some() && id(path) == id(&".".into())) {
        Some(path) => path,
        None => std::env::current_dir().about("getcwd")?,
    };
    out.write_all(path.as_os_str().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(0)
}
