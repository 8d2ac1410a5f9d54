//! date: prints the time, in UTC.

use std::io::Write;
use std::process::ExitCode;

use user::clock::{self, Civil, MONTHS, WEEKDAYS};
use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("date", "date [-u] [-d @SECONDS] [+FORMAT]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut seconds = clock::now();
    let mut nanoseconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.subsec_nanos());
    while let Some(option) = args.option() {
        match option.as_str() {
            "u" => {}
            "d" => {
                let text = args.text();
                let Some(number) = text.strip_prefix('@').and_then(|digits| digits.parse().ok()) else {
                    args.usage_error()
                };
                (seconds, nanoseconds) = (number, 0);
            }
            _ => args.usage_error(),
        }
    }
    let operands = args.operands();
    let format = match operands.as_slice() {
        [] => "%a %b %e %H:%M:%S UTC %Y".to_owned(),
        [format] => match format.to_string_lossy().strip_prefix('+') {
            Some(format) => format.to_owned(),
            None => args.usage_error(),
        },
        _ => args.usage_error(),
    };
    writeln!(out, "{}", formatted(&format, seconds, nanoseconds))?;
    Ok(0)
}

fn formatted(format: &str, seconds: i64, nanoseconds: u32) -> String {
    let at = Civil::from_epoch(seconds);
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        text += &match letters.next() {
            Some('a') => WEEKDAYS[at.weekday].to_owned(),
            Some('b' | 'h') => MONTHS[at.month - 1].to_owned(),
            Some('d') => format!("{:02}", at.day),
            Some('e') => format!("{:2}", at.day),
            Some('F') => formatted("%Y-%m-%d", seconds, nanoseconds),
            Some('H') => format!("{:02}", at.hour),
            Some('j') => format!("{:03}", at.yearday),
            Some('m') => format!("{:02}", at.month),
            Some('M') => format!("{:02}", at.minute),
            Some('n') => "\n".to_owned(),
            Some('N') => format!("{nanoseconds:09}"),
            Some('R') => formatted("%H:%M", seconds, nanoseconds),
            Some('s') => seconds.to_string(),
            Some('S') => format!("{:02}", at.second),
            Some('t') => "\t".to_owned(),
            Some('T') => formatted("%H:%M:%S", seconds, nanoseconds),
            Some('u') => (if at.weekday == 0 { 7 } else { at.weekday }).to_string(),
            Some('w') => at.weekday.to_string(),
            Some('y') => format!("{:02}", at.year.rem_euclid(100)),
            Some('Y') => at.year.to_string(),
            Some('z') => "+0000".to_owned(),
            Some('Z') => "UTC".to_owned(),
            Some('%') | None => "%".to_owned(),
            Some(other) => format!("%{other}"),
        };
    }
    text
}
