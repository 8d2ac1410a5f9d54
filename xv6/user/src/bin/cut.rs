//! cut: prints parts of lines.

use std::io::Write;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("cut", "cut -b|-c LIST [FILE...] | cut -f LIST [-s] [-d CHAR] [FILE...]", body)
}

/// Ranges of positions counted from 1.
type Ranges = Vec<(usize, usize)>;

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut fields, mut delimiter, mut only) = (false, b'\t', false);
    let mut ranges: Option<Ranges> = None;
    while let Some(option) = args.option() {
        match option.as_str() {
            "b" | "c" | "f" => {
                fields = option == "f";
                let text = args.text();
                let parsed = text.split(',').map(range).collect::<Option<Ranges>>();
                let Some(parsed) = parsed else { args.usage_error() };
                ranges = Some(parsed);
            }
            "d" => match args.text().as_bytes() {
                [byte] => delimiter = *byte,
                _ => args.usage_error(),
            },
            "s" => only = true,
            "n" => {}
            _ => args.usage_error(),
        }
    }
    let Some(ranges) = ranges else { args.usage_error() };
    let chosen = |position: usize| ranges.iter().any(|(low, high)| (*low..=*high).contains(&position));
    let mut files = args.operands();
    if files.is_empty() {
        files.push("-".into());
    }
    let mut status = 0;
    for file in files {
        let mut input = match text::open_lines(&file) {
            Ok(input) => input,
            Err(failure) => {
                user::warn(&failure);
                status = 1;
                continue;
            }
        };
        let mut line = Vec::new();
        while text::read_line(&mut *input, &mut line).about(&file)? {
            if !fields {
                let kept: Vec<u8> =
                    line.iter().enumerate().filter(|(index, _)| chosen(index + 1)).map(|(_, byte)| *byte).collect();
                out.write_all(&kept)?;
            } else if line.contains(&delimiter) {
                let parts: Vec<&[u8]> = line
                    .split(|byte| *byte == delimiter)
                    .enumerate()
                    .filter(|(index, _)| chosen(index + 1))
                    .map(|(_, part)| part)
                    .collect();
                out.write_all(&parts.join(&delimiter))?;
            } else if only {
                continue;
            } else {
                out.write_all(&line)?;
            }
            out.write_all(b"\n")?;
        }
    }
    Ok(status)
}

/// `3`, `3-`, `-3` or `3-5`.
fn range(text: &str) -> Option<(usize, usize)> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    match text.split_once('-') {
        None => number(text).map(|number| (number, number)),
        Some(("", high)) => Some((1, number(high)?)),
        Some((low, "")) => Some((number(low)?, usize::MAX)),
        Some((low, high)) => Some((number(low)?, number(high)?)).filter(|(low, high)| low <= high),
    }
}
