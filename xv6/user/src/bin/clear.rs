//! clear: empties the screen.

use std::io::Write;
use std::process::ExitCode;

use user::Failure;

fn main() -> ExitCode {
    user::run("clear", "clear", |args, out| {
        let [] = args.exactly();
        out.write_all(b"\x1b[H\x1b[2J\x1b[3J")?;
        Ok::<u8, Failure>(0)
    })
}
