//! basename: prints the last part of a path, without a suffix.

use std::io::Write;
use std::process::ExitCode;

use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("basename", "basename PATH [SUFFIX] | basename -a [-s SUFFIX] PATH...", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut several, mut suffix) = (false, String::new());
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" => several = true,
            "s" => (several, suffix) = (true, args.text()),
            _ => args.usage_error(),
        }
    }
    let mut paths: Vec<String> = args.some().iter().map(|path| path.to_string_lossy().into_owned()).collect();
    if !several {
        match paths.len() {
            1 => {}
            2 => suffix = paths.pop().unwrap_or_default(),
            _ => args.usage_error(),
        }
    }
    for path in paths {
        let trimmed = path.trim_end_matches('/');
        let name =
            if trimmed.is_empty() && !path.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or_default() };
        // A name that is the suffix stays whole.
        let shown = name.strip_suffix(&suffix).filter(|shorter| !shorter.is_empty()).unwrap_or(name);
        writeln!(out, "{shown}")?;
    }
    Ok(0)
}
