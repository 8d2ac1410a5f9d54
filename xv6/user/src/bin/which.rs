//! which: prints where a command is found along `PATH`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::Access;
use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("which", "which [-a] NAME...", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut all = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" => all = true,
            _ => args.usage_error(),
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut status = 0;
    for name in args.some() {
        let direct = name.to_string_lossy().contains('/');
        let candidates: Vec<PathBuf> = if direct {
            vec![PathBuf::from(&name)]
        } else {
            std::env::split_paths(&path).map(|folder| folder.join(&name)).collect()
        };
        let runs = |path: &&PathBuf| path.is_file() && rustix::fs::access(Path::new(path), Access::EXEC_OK).is_ok();
        let found: Vec<&PathBuf> = candidates.iter().filter(runs).take(if all { usize::MAX } else { 1 }).collect();
        if found.is_empty() {
            status = 1;
        }
        for path in found {
            writeln!(out, "{}", path.display())?;
        }
    }
    Ok(status)
}
