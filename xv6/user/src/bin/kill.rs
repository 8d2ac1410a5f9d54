//! kill: sends signals.

use std::io::Write;
use std::process::ExitCode;

use user::{About, Failure, kill, signals};

const USAGE: &str = "kill [-SIGNAL | -s SIGNAL] PID... | kill -l [NUMBER]";

fn main() -> ExitCode {
    user::run("kill", USAGE, |args, out| {
        let mut words: Vec<String> =
            std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let mut number = libc::SIGTERM;
        match words.first().map(String::as_str) {
            Some("-l" | "--list") => {
                match words.get(1).map(|word| word.parse::<i32>()) {
                    // A shell's status 128 + n means signal n.
                    Some(Ok(number)) => match signals::name(number & 127) {
                        Some(name) => writeln!(out, "{name}")?,
                        None => return Err(Failure::new(format!("{number}: unknown signal"))),
                    },
                    Some(Err(_)) => match signals::parse(&words[1]) {
                        Some(number) => writeln!(out, "{number}")?,
                        None => return Err(Failure::new(format!("{}: unknown signal", words[1]))),
                    },
                    None => {
                        for (number, name) in signals::all() {
                            writeln!(out, "{number:2} {name}")?;
                        }
                    }
                }
                return Ok(0);
            }
            Some("-s" | "-n") if words.len() > 1 => {
                number = parse(&words[1])?;
                words.drain(..2);
            }
            Some("--") => {}
            Some(word) if word.len() > 1 && word.starts_with('-') => {
                let name = word.strip_prefix("-s").filter(|name| signals::parse(name).is_some()).unwrap_or(&word[1..]);
                number = parse(name)?;
                words.remove(0);
            }
            _ => {}
        }
        if words.first().is_some_and(|word| word == "--") {
            words.remove(0);
        }
        if words.is_empty() {
            args.usage_error();
        }
        let mut status = 0;
        for word in words {
            let sent = match word.parse() {
                Ok(pid) => kill::send(pid, number).about(&word),
                Err(_) => Err(Failure::new(format!("{word}: not a process number"))),
            };
            if let Err(failure) = sent {
                user::warn(&failure);
                status = 1;
            }
        }
        Ok(status)
    })
}

fn parse(name: &str) -> Result<i32, Failure> {
    signals::parse(name).ok_or_else(|| Failure::new(format!("{name}: unknown signal\nusage: {USAGE}")).with_status(2))
}
