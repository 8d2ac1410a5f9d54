//! seq: prints numbers in a row.

use std::io::Write;
use std::process::ExitCode;

use user::{Failure, text};

fn main() -> ExitCode {
    let usage = "seq [-w] [-s SEPARATOR] [FIRST [STEP]] LAST";
    user::run("seq", usage, |args, out| {
        let (mut separator, mut equal) = ("\n".to_owned(), false);
        // A first operand may be negative and is then no option.
        while args.peek().is_some_and(|word| {
            word.to_str().is_some_and(|word| word.starts_with(['-']) && word.parse::<f64>().is_err())
        }) {
            match args.take().and_then(|word| word.into_string().ok()).as_deref() {
                Some("-w") => equal = true,
                Some("-s") => match args.take() {
                    Some(word) => {
                        separator = String::from_utf8_lossy(&text::unescape(word.to_string_lossy().as_bytes(), true).0)
                            .into_owned()
                    }
                    None => args.usage_error(),
                },
                _ => args.usage_error(),
            }
        }
        let mut words = Vec::new();
        while let Some(word) = args.take() {
            words.push(word.to_string_lossy().into_owned());
        }
        let (first, step, last) = match words.as_slice() {
            [last] => ("1", "1", last.as_str()),
            [first, last] => (first.as_str(), "1", last.as_str()),
            [first, step, last] => (first.as_str(), step.as_str(), last.as_str()),
            _ => args.usage_error(),
        };
        let decimals = |word: &str| word.split_once('.').map_or(0, |(_, digits)| digits.len());
        let places = decimals(first).max(decimals(step));
        let (Ok(from), Ok(by), Ok(to)) = (first.parse::<f64>(), step.parse::<f64>(), last.parse::<f64>()) else {
            args.usage_error()
        };
        if by == 0.0 {
            return Err(Failure::new("the step must not be 0"));
        }
        let width = if equal { format!("{from:.places$}").len().max(format!("{to:.places$}").len()) } else { 0 };
        let mut index = 0_u64;
        loop {
            let value = from + by * index as f64;
            // Half a step's rounding must not lose the last number.
            if (value - to) * by.signum() > by.abs() * 1e-9 {
                break;
            }
            if index > 0 {
                out.write_all(separator.as_bytes())?;
            }
            write!(out, "{value:0width$.places$}")?;
            index += 1;
        }
        if index > 0 {
            out.write_all(b"\n")?;
        }
        Ok(0)
    })
}
