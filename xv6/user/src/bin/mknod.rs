//! mknod: makes device nodes and FIFOs.

use std::process::ExitCode;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use user::{About, Args, Failure, Out, mode};

fn main() -> ExitCode {
    user::run("mknod", "mknod [-m MODE] NAME b|c|u MAJOR MINOR | mknod [-m MODE] NAME p", body)
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
    let operands: Vec<String> = args.operands().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    let (name, kind, device) = match words.as_slice() {
        [name, "p"] => (name, FileType::Fifo, 0),
        [name, kind @ ("b" | "c" | "u"), major, minor] => {
            let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { args.usage_error() };
            (name, if *kind == "b" { FileType::BlockDevice } else { FileType::CharacterDevice }, makedev(major, minor))
        }
        _ => args.usage_error(),
    };
    mknodat(CWD, *name, kind, Mode::from_raw_mode(bits), device).about(name)?;
    Ok(0)
}
