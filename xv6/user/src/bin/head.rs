//! head: prints the beginning of files.

use std::io::{BufRead, Read, Write};
use std::process::ExitCode;

use user::{About, Args, Failure, Out, size, text};

fn main() -> ExitCode {
    user::run("head", "head [-qv] [-n LINES | -c BYTES | -LINES] [FILE...]", body)
}

/// How much to print: lines or bytes, and whether that many at the end are left out instead.
#[derive(Clone, Copy)]
struct Amount {
    bytes: bool,
    but: bool,
    count: u64,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut amount = Amount { bytes: false, but: false, count: 10 };
    let mut titles = None;
    // The old form `-5`.
    let old = args.peek().and_then(|word| word.to_str()?.strip_prefix('-')?.parse().ok());
    if let Some(count) = old {
        amount.count = count;
        args.take();
    }
    while let Some(option) = args.option() {
        match option.as_str() {
            "n" | "c" => {
                let text = args.text();
                let Some(count) = size::parse(text.strip_prefix('-').unwrap_or(&text)) else { args.usage_error() };
                amount = Amount { bytes: option == "c", but: text.starts_with('-'), count };
            }
            "q" => titles = Some(false),
            "v" => titles = Some(true),
            _ => args.usage_error(),
        }
    }
    text::each_file(args.operands(), titles, out, |file, input, _last, out| {
        Ok(copy(input, amount, out).about(file).map_or_else(
            |failure| {
                user::warn(&failure);
                1
            },
            |()| 0,
        ))
    })
}

fn copy(mut input: Box<dyn BufRead>, amount: Amount, out: &mut Out) -> std::io::Result<()> {
    if amount.but {
        let mut whole = Vec::new();
        input.read_to_end(&mut whole)?;
        let least = usize::try_from(amount.count).unwrap_or(usize::MAX);
        let end = if amount.bytes {
            whole.len().saturating_sub(least)
        } else {
            let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
            lines.iter().take(lines.len().saturating_sub(least)).map(|line| line.len()).sum()
        };
        return out.write_all(&whole[..end]);
    }
    if amount.bytes {
        return std::io::copy(&mut input.take(amount.count), out).map(drop);
    }
    let mut line = Vec::new();
    for _ in 0..amount.count {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        out.write_all(&line)?;
    }
    Ok(())
}
