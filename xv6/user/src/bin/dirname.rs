//! dirname: prints a path without its last part.

use std::io::Write;
use std::process::ExitCode;

use user::Failure;

fn main() -> ExitCode {
    user::run("dirname", "dirname PATH...", |args, out| {
        for path in args.some() {
            let path = path.to_string_lossy();
            let trimmed = path.trim_end_matches('/');
            let folder = match trimmed.rfind('/') {
                None if trimmed.is_empty() && !path.is_empty() => "/",
                None => ".",
                Some(at) => match trimmed[..at].trim_end_matches('/') {
                    "" => "/",
                    folder => folder,
                },
            };
            writeln!(out, "{folder}")?;
        }
        Ok::<u8, Failure>(0)
    })
}
