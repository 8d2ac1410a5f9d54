//! tee: copies standard input to standard output and to files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::ExitCode;

use user::raw::{Disposition, set_signal};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("tee", "tee [-ai] [FILE...]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut append = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" => append = true,
            "i" => drop(set_signal(libc::SIGINT, Disposition::Ignore).about("sigaction")?),
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    let mut files: Vec<(std::ffi::OsString, File)> = Vec::new();
    for name in args.operands() {
        match OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(&name).about(&name) {
            Ok(file) => files.push((name, file)),
            Err(failure) => {
                user::warn(&failure);
                status = 1;
            }
        }
    }
    let mut buffer = vec![0; 1 << 16];
    let mut input = std::io::stdin().lock();
    loop {
        let count = input.read(&mut buffer).about("standard input")?;
        if count == 0 {
            return Ok(status);
        }
        out.write_all(&buffer[..count])?;
        out.flush()?;
        // A file that cannot be written any more is given up; the others go on.
        files.retain_mut(|(name, file)| match file.write_all(&buffer[..count]).about(&*name) {
            Ok(()) => true,
            Err(failure) => {
                user::warn(&failure);
                status = 1;
                false
            }
        });
    }
}
