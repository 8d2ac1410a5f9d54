//! sort: sorts lines by their bytes, or as numbers.

use std::cmp::Ordering;
use std::io::Write;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("sort", "sort [-bcfnrsuh] [-k FIELD[,FIELD]] [-t CHAR] [-o FILE] [FILE...]", |args, out| {
        body(args, out).map_err(|failure| {
            if failure.status() == 1 && !failure.is_silent() { failure.with_status(2) } else { failure }
        })
    })
}

#[derive(Default)]
struct Options {
    numeric: bool,
    human: bool,
    reverse: bool,
    unique: bool,
    fold: bool,
    blanks: bool,
    stable: bool,
    key: Option<(usize, Option<usize>)>,
    separator: Option<u8>,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut options = Options::default();
    let (mut check, mut output) = (false, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "n" => options.numeric = true,
            "h" => options.human = true,
            "r" => options.reverse = true,
            "u" => options.unique = true,
            "f" => options.fold = true,
            "b" => options.blanks = true,
            "s" => options.stable = true,
            "c" => check = true,
            "o" => output = Some(args.value()),
            "t" => match args.text().as_bytes() {
                [byte] => options.separator = Some(*byte),
                b"\\t" => options.separator = Some(b'\t'),
                _ => args.usage_error(),
            },
            "k" => {
                let text = args.text();
                let Some(key) = key(&text, &mut options) else { args.usage_error() };
                options.key = Some(key);
            }
            _ => args.usage_error(),
        }
    }
    let mut files = args.operands();
    if files.is_empty() {
        files.push("-".into());
    }
    let mut lines = Vec::new();
    for file in files {
        let mut input = text::open_lines(&file)?;
        let mut line = Vec::new();
        while text::read_line(&mut *input, &mut line).about(&file)? {
            lines.push(std::mem::take(&mut line));
        }
    }
    if check {
        let wrong = lines.windows(2).find(|pair| {
            let order = options.compare(&pair[0], &pair[1]);
            order == Ordering::Greater || options.unique && order == Ordering::Equal
        });
        if let Some(pair) = wrong {
            user::warn(&Failure::new(format!("disorder: {}", String::from_utf8_lossy(&pair[1]))));
        }
        return Ok(u8::from(wrong.is_some()));
    }
    lines.sort_by(|one, other| options.compare(one, other));
    if options.unique {
        lines.dedup_by(|later, earlier| options.by_key(earlier, later) == Ordering::Equal);
    }
    let mut whole = lines.join(&b'\n');
    if !lines.is_empty() {
        whole.push(b'\n');
    }
    match output {
        Some(file) => std::fs::write(&file, whole).about(&file)?,
        None => out.write_all(&whole)?,
    }
    Ok(0)
}

/// `2`, `2,3`, `2n`, `2nr,2`: the fields counted from 1, and options for the comparison.
fn key(text: &str, options: &mut Options) -> Option<(usize, Option<usize>)> {
    let mut halves = text.splitn(2, ',');
    let mut half = |text: &str| -> Option<usize> {
        let letters = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        for letter in letters.chars() {
            match letter {
                'n' => options.numeric = true,
                'h' => options.human = true,
                'r' => options.reverse = true,
                'f' => options.fold = true,
                'b' => options.blanks = true,
                _ => return None,
            }
        }
        text[..text.len() - letters.len()].split('.').next()?.parse().ok()
    };
    let first = half(halves.next()?)?.checked_sub(1)?;
    let last = match halves.next() {
        Some(text) => Some(half(text)?),
        None => None,
    };
    Some((first, last))
}

impl Options {
    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        let order = self.by_key(one, other);
        // Lines equal by the key keep an order that does not depend on their places.
        let order = if order == Ordering::Equal && !self.stable && !self.unique { one.cmp(other) } else { order };
        if self.reverse { order.reverse() } else { order }
    }

    fn by_key(&self, one: &[u8], other: &[u8]) -> Ordering {
        let (one, other) = (self.key_of(one), self.key_of(other));
        if self.numeric || self.human {
            let number = |text: &[u8]| self.number(text);
            return number(one).total_cmp(&number(other));
        }
        let trim = |text: &'_ [u8]| if self.blanks { text.trim_ascii_start().to_vec() } else { text.to_vec() };
        if self.fold {
            trim(one).to_ascii_uppercase().cmp(&trim(other).to_ascii_uppercase())
        } else {
            trim(one).cmp(&trim(other))
        }
    }

    fn key_of<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let Some((first, last)) = self.key else { return line };
        let bounds = self.fields(line);
        let start = bounds.get(first).map_or(line.len(), |(start, _)| *start);
        let end = last.and_then(|last| bounds.get(last.saturating_sub(1))).map_or(line.len(), |(_, end)| *end);
        &line[start..end.max(start)]
    }

    /// Where the fields begin and end; without a separator a field has its leading blanks.
    fn fields(&self, line: &[u8]) -> Vec<(usize, usize)> {
        let mut bounds = Vec::new();
        let mut start = 0;
        if let Some(separator) = self.separator {
            for (at, byte) in line.iter().enumerate() {
                if *byte == separator {
                    bounds.push((start, at));
                    start = at + 1;
                }
            }
        } else {
            let blank = |at: usize| matches!(line[at], b' ' | b'\t');
            for at in 1..line.len() {
                if blank(at) && !blank(at - 1) {
                    bounds.push((start, at));
                    start = at;
                }
            }
        }
        bounds.push((start, line.len()));
        bounds
    }

    /// The number at the beginning; 0 if there is none. With `-h` a suffix counts.
    fn number(&self, text: &[u8]) -> f64 {
        let text = String::from_utf8_lossy(text.trim_ascii_start()).into_owned();
        let sign = usize::from(text.starts_with('-'));
        let end =
            text[sign..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |length| sign + length);
        let value: f64 = text[..end].parse().unwrap_or(0.0);
        let power = match text[end..].chars().next() {
            Some('k' | 'K') => 1,
            Some('M') => 2,
            Some('G') => 3,
            Some('T') => 4,
            _ => 0,
        };
        if self.human { value * 1024_f64.powi(power) } else { value }
    }
}
