//! wc: counts lines, words and bytes.

use std::io::{Read, Write};
use std::process::ExitCode;

use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("wc", "wc [-clmw] [FILE...]", body)
}

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    characters: u64,
    bytes: u64,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut chosen = [false; 4];
    while let Some(option) = args.option() {
        let index = match option.as_str() {
            "l" => 0,
            "w" => 1,
            "m" => 2,
            "c" => 3,
            _ => args.usage_error(),
        };
        chosen[index] = true;
    }
    if chosen == [false; 4] {
        chosen = [true, true, false, true];
    }
    let operands = args.operands();
    let files = if operands.is_empty() { vec!["-".into()] } else { operands.clone() };
    let mut rows: Vec<(Counts, String)> = Vec::new();
    let mut total = Counts::default();
    let mut status = 0;
    for file in &files {
        match count(file) {
            Ok(counts) => {
                total.lines += counts.lines;
                total.words += counts.words;
                total.characters += counts.characters;
                total.bytes += counts.bytes;
                rows.push((
                    counts,
                    if operands.is_empty() { String::new() } else { file.to_string_lossy().into_owned() },
                ));
            }
            Err(failure) => {
                user::warn(&failure);
                status = 1;
            }
        }
    }
    if files.len() > 1 {
        rows.push((total, "total".to_owned()));
    }
    let numbers = chosen.iter().filter(|chosen| **chosen).count();
    // One number of one file stands alone; columns are as wide as the largest number.
    let width = if numbers == 1 && rows.len() == 1 {
        1
    } else {
        total.bytes.to_string().len().max(if operands.is_empty() { 7 } else { 1 })
    };
    for (counts, name) in rows {
        let all = [counts.lines, counts.words, counts.characters, counts.bytes];
        let cells: Vec<String> =
            all.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(n, _)| format!("{n:width$}")).collect();
        writeln!(out, "{}{}{name}", cells.join(" "), if name.is_empty() { "" } else { " " })?;
    }
    Ok(status)
}

fn count(file: &std::ffi::OsStr) -> Result<Counts, Failure> {
    let mut input = text::open(file)?;
    let mut buffer = vec![0; 1 << 16];
    let mut counts = Counts::default();
    let mut in_word = false;
    loop {
        let length = input.read(&mut buffer).about(file)?;
        if length == 0 {
            return Ok(counts);
        }
        counts.bytes += length as u64;
        for byte in &buffer[..length] {
            counts.lines += u64::from(*byte == b'\n');
            // Every byte of UTF-8 but the continuing ones begins a character.
            counts.characters += u64::from(byte & 0xc0 != 0x80);
            let blank = byte.is_ascii_whitespace() || *byte == 11;
            counts.words += u64::from(!blank && !in_word);
            in_word = !blank;
        }
    }
}
