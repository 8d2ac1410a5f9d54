//! printf: prints its arguments by a format.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use user::Failure;

fn main() -> ExitCode {
    user::run("printf", "printf FORMAT [ARGUMENT...]", |args, out| {
        let mut words: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsString::into_vec).collect();
        if words.first().is_some_and(|word| word == b"--") {
            words.remove(0);
        }
        let Some((format, rest)) = words.split_first() else { args.usage_error() };
        let composed = user::printf::compose(format, rest);
        out.write_all(&composed.text)?;
        composed.error.map_or(Ok(0), |text| Err(Failure::new(text)))
    })
}
