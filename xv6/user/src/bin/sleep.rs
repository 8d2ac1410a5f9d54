//! sleep: waits.

use std::process::ExitCode;
use std::time::Duration;

use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("sleep", "sleep NUMBER[s|m|h|d]...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut sum = 0.0;
    for word in args.some() {
        let Some(seconds) = word.to_str().and_then(seconds) else { args.usage_error() };
        sum += seconds;
    }
    // `infinity`, or more than a Duration holds, is for ever.
    std::thread::sleep(Duration::try_from_secs_f64(sum).unwrap_or(Duration::MAX));
    Ok(0)
}

fn seconds(word: &str) -> Option<f64> {
    let (digits, unit) = match word.chars().last()? {
        's' => (&word[..word.len() - 1], 1.0),
        'm' => (&word[..word.len() - 1], 60.0),
        'h' => (&word[..word.len() - 1], 3600.0),
        'd' => (&word[..word.len() - 1], 86_400.0),
        _ => (word, 1.0),
    };
    digits.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| number * unit)
}
