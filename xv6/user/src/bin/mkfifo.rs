//! mkfifo: makes FIFOs.

use std::process::ExitCode;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use user::{About, Args, Failure, Out, mode};

fn main() -> ExitCode {
    user::run("mkfifo", "mkfifo [-m MODE] NAME...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut bits = 0o666;
    while let Some(option) = args.option() {
        match option.as_str() {
            "m" => match mode::parse(&args.text(), 0o666, 0) {
                Some(mode) => bits = mode,
                None => args.usage_error(),
            },
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    for name in args.some() {
        if let Err(failure) = mknodat(CWD, &name, FileType::Fifo, Mode::from_raw_mode(bits), 0).about(&name) {
            user::warn(&failure);
            status = 1;
        }
    }
    Ok(status)
}
