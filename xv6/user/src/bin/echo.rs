//! echo: prints its arguments.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

fn main() -> ExitCode {
    user::run("echo", "echo [-neE] [TEXT...]", |_, out| {
        // Not getopt's rules: what is no option of echo's is text.
        let words: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsString::into_vec).collect();
        out.write_all(&user::echo::compose(&words))?;
        Ok(0)
    })
}
