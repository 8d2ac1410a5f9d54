//! xargs: runs a command with words from standard input as arguments.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, ExitCode, Stdio};

use user::{About, Args, Failure, Out, run_command};

fn main() -> ExitCode {
    user::run("xargs", "xargs [-0rt] [-n COUNT] [-I WORD] [COMMAND [ARGUMENT...]]", body)
}

/// How many bytes of arguments one command gets at most: well below the kernel's limit.
const MOST_BYTES: usize = 64 << 10;

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let (mut null, mut not_empty, mut trace, mut most, mut replace) = (false, false, false, usize::MAX, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "0" => null = true,
            "r" => not_empty = true,
            "t" => trace = true,
            "n" => most = args.number::<usize>().max(1),
            "I" => replace = Some(args.text()),
            _ => args.usage_error(),
        }
    }
    let mut command = args.operands();
    if command.is_empty() {
        command.push("echo".into());
    }
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input).about("standard input")?;
    let words = if null {
        let mut words: Vec<Vec<u8>> = input.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        words.pop_if(|last| last.is_empty());
        words
    } else if replace.is_some() {
        input
            .split(|byte| *byte == b'\n')
            .map(|line| line.trim_ascii_start().to_vec())
            .filter(|line| !line.is_empty())
            .collect()
    } else {
        split(&input)?
    };
    let mut status = 0;
    let mut run = |words: Vec<OsString>| -> Result<(), Failure> {
        if trace {
            eprintln!("{}", words.join(" ".as_ref()).to_string_lossy());
        }
        let ended = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).status();
        let ended = ended.map_err(|error| run_command::failure(&words[0], &error))?;
        match ended.code() {
            Some(0) => {}
            Some(255) => {
                return Err(
                    Failure::new(format!("{}: exited with status 255", words[0].to_string_lossy())).with_status(124)
                );
            }
            Some(_) => status = 123,
            None => {
                return Err(Failure::new(format!("{}: ended by a signal", words[0].to_string_lossy())).with_status(125));
            }
        }
        Ok(())
    };
    if let Some(word) = replace {
        for line in words {
            let line = String::from_utf8_lossy(&line).into_owned();
            run(command.iter().map(|part| part.to_string_lossy().replace(&word, &line).into()).collect())?;
        }
        return Ok(status);
    }
    let mut rest = words.into_iter().peekable();
    let mut first = true;
    while rest.peek().is_some() || first && !not_empty {
        first = false;
        let mut all = command.clone();
        let (mut count, mut bytes) = (0, 0);
        while let Some(word) = rest.next_if(|word| count == 0 || count < most && bytes + word.len() < MOST_BYTES) {
            count += 1;
            bytes += word.len() + 1;
            all.push(OsString::from_vec(word));
        }
        run(all)?;
    }
    Ok(status)
}

/// Words with quotes and backslashes, as xargs(1) reads them.
fn split(input: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = input.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().extend(bytes.next()),
            b'\'' | b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(inner) if inner == byte => break,
                        Some(inner) => word.push(*inner),
                        None => return Err(Failure::new("unmatched quote")),
                    }
                }
            }
            other => word.get_or_insert_default().push(*other),
        }
    }
    words.extend(word);
    Ok(words)
}
