//! tail: prints the end of files, and with `-f` what is added to them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::process::ExitCode;
use std::time::Duration;

use user::{About, Args, Failure, Out, size, text};

fn main() -> ExitCode {
    user::run("tail", "tail [-fqv] [-n [+]LINES | -c [+]BYTES | -LINES] [FILE...]", body)
}

#[derive(Clone, Copy)]
struct Amount {
    bytes: bool,
    from_start: bool,
    count: u64,
}

/// How often a file is looked at by `-f`.
const INTERVAL: Duration = Duration::from_millis(200);

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut amount = Amount { bytes: false, from_start: false, count: 10 };
    let (mut follow, mut titles) = (false, None);
    let old = args.peek().and_then(|word| word.to_str()?.strip_prefix('-')?.parse().ok());
    if let Some(count) = old {
        amount.count = count;
        args.take();
    }
    while let Some(option) = args.option() {
        match option.as_str() {
            "n" | "c" => {
                let text = args.text();
                let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
                let Some(count) = size::parse(digits) else { args.usage_error() };
                amount = Amount { bytes: option == "c", from_start: text.starts_with('+'), count };
            }
            "f" | "F" | "--follow" => follow = true,
            "q" => titles = Some(false),
            "v" => titles = Some(true),
            _ => args.usage_error(),
        }
    }
    text::each_file(args.operands(), titles, out, |file, input, last, out| {
        let length = end_of(input, amount, out).about(file)?;
        if follow && last && file != "-" {
            out.flush()?;
            watch(File::open(file).about(file)?, length, out).about(file)?;
        }
        Ok(0)
    })
}

/// Prints the end; returns how long the file was.
fn end_of(mut input: Box<dyn BufRead>, amount: Amount, out: &mut Out) -> std::io::Result<u64> {
    let mut total = 0;
    let count = usize::try_from(amount.count).unwrap_or(usize::MAX);
    if amount.bytes {
        let mut whole = Vec::new();
        input.read_to_end(&mut whole)?;
        let start = if amount.from_start {
            count.saturating_sub(1).min(whole.len())
        } else {
            whole.len().saturating_sub(count)
        };
        out.write_all(&whole[start..])?;
        return Ok(whole.len() as u64);
    }
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let length = input.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        total += length as u64;
        number += 1;
        if amount.from_start {
            if number >= count {
                out.write_all(&line)?;
            }
        } else {
            kept.push_back(line);
            if kept.len() > count {
                kept.pop_front();
            }
        }
    }
    for line in kept {
        out.write_all(&line)?;
    }
    Ok(total)
}

/// Prints what is added after `position`; a file that became shorter is read from its beginning.
fn watch(mut file: File, mut position: u64, out: &mut Out) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if file.metadata()?.len() < position {
            position = 0;
        }
        file.seek(SeekFrom::Start(position))?;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            position += count as u64;
            out.write_all(&buffer[..count])?;
        }
        out.flush()?;
        std::thread::sleep(INTERVAL);
    }
}
