//! cat: copies files to standard output.

use std::io::{Read, Write};
use std::process::ExitCode;

use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("cat", "cat [-bnu] [FILE...]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut number, mut nonblank) = (false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "n" => number = true,
            "b" => (number, nonblank) = (true, true),
            "u" => {}
            _ => args.usage_error(),
        }
    }
    let mut files = args.operands();
    if files.is_empty() {
        files.push("-".into());
    }
    let mut status = 0;
    let mut line_number = 0_u64;
    for file in files {
        let copied = if number { numbered(&file, nonblank, &mut line_number, out) } else { plain(&file, out) };
        // Standard output's failure ends everything, a file's does not.
        if let Err(failure) = copied {
            user::warn(&failure);
            status = 1;
        }
    }
    Ok(status)
}

fn plain(file: &std::ffi::OsStr, out: &mut Out) -> Result<(), Failure> {
    let mut input = text::open(file)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer).about(file)? {
            0 => return Ok(()),
            count => write(out, &buffer[..count]),
        }
    }
}

/// Each piece goes out at once, so that a pipe or a terminal shows it when it comes.
fn write(out: &mut Out, piece: &[u8]) {
    if let Err(error) = out.write_all(piece).and_then(|()| out.flush()) {
        user::warn(&error.into());
        std::process::exit(1);
    }
}

fn numbered(file: &std::ffi::OsStr, nonblank: bool, number: &mut u64, out: &mut Out) -> Result<(), Failure> {
    let mut input = text::open_lines(file)?;
    let mut line = Vec::new();
    while text::read_line(&mut *input, &mut line).about(file)? {
        let mut piece = Vec::new();
        if !(nonblank && line.is_empty()) {
            *number += 1;
            piece.extend(format!("{number:6}\t").into_bytes());
        }
        piece.append(&mut line);
        piece.push(b'\n');
        write(out, &piece);
    }
    Ok(())
}
