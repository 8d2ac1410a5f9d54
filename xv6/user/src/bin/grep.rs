//! grep: prints lines that match a pattern. Patterns are extended regular expressions as the `regex-lite` crate knows them;
//! without `-E` the basic syntax's `\(` `\)` `\{` `\}` `\|` `\+` `\?` are turned into it.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use regex_lite::{Regex, RegexBuilder};
use user::shell::pattern::Pattern;
use user::{About, Args, Failure, Out, text, walk};

const USAGE: &str =
    "grep [-EFGHLRcehilmnoqrsvwx] [-A N] [-B N] [-C N] [--include=GLOB] PATTERN|-e PATTERN|-f FILE [FILE...]";

fn main() -> ExitCode {
    user::run("grep", USAGE, |args, out| body(args, out).map_err(|failure| failure.with_status(2)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Basic,
    Extended,
    Fixed,
}

#[derive(Default)]
struct Options {
    invert: bool,
    number: bool,
    count: bool,
    quiet: bool,
    silent: bool,
    list: Option<bool>,
    only: bool,
    names: bool,
    most: Option<u64>,
    before: usize,
    after: usize,
    include: Vec<Pattern>,
}

struct Search {
    regex: Regex,
    options: Options,
    found: bool,
    failed: bool,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut options = Options::default();
    let mut syntax = Syntax::Basic;
    let (mut ignore_case, mut word, mut line, mut recursive) = (false, false, false, false);
    let mut names = None;
    let mut patterns: Vec<String> = Vec::new();
    let mut given = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "E" | "--extended-regexp" => syntax = Syntax::Extended,
            "F" | "--fixed-strings" => syntax = Syntax::Fixed,
            "G" => syntax = Syntax::Basic,
            "i" | "y" | "--ignore-case" => ignore_case = true,
            "v" | "--invert-match" => options.invert = true,
            "n" | "--line-number" => options.number = true,
            "c" | "--count" => options.count = true,
            "q" | "--quiet" | "--silent" => options.quiet = true,
            "s" | "--no-messages" => options.silent = true,
            "l" | "--files-with-matches" => options.list = Some(true),
            "L" | "--files-without-match" => options.list = Some(false),
            "o" | "--only-matching" => options.only = true,
            "r" | "R" | "--recursive" => recursive = true,
            "w" | "--word-regexp" => word = true,
            "x" | "--line-regexp" => line = true,
            "H" => names = Some(true),
            "h" => names = Some(false),
            "a" | "U" => {}
            "m" => options.most = Some(args.number()),
            "A" => options.after = args.number(),
            "B" => options.before = args.number(),
            "C" => {
                options.after = args.number();
                options.before = options.after;
            }
            "--color" | "--colour" => drop(args.optional_value()),
            "--include" => options.include.push(Pattern::parse(args.value().as_bytes())),
            "e" | "--regexp" => {
                given = true;
                patterns.extend(args.text().split('\n').map(str::to_owned));
            }
            "f" | "--file" => {
                given = true;
                let file = args.value();
                patterns.extend(std::fs::read_to_string(&file).about(&file)?.lines().map(str::to_owned));
            }
            _ => args.usage_error(),
        }
    }
    let mut files = args.operands();
    if !given {
        if files.is_empty() {
            args.usage_error();
        }
        patterns.extend(files.remove(0).to_string_lossy().split('\n').map(str::to_owned));
    }
    let regex = compile(&patterns, syntax, ignore_case, word, line)?;
    options.names = names.unwrap_or(recursive || files.len() > 1);
    if files.is_empty() {
        files.push(if recursive { "." } else { "-" }.into());
    }
    let mut search = Search { regex, options, found: false, failed: false };
    for file in files {
        search.operand(&file, recursive, out)?;
        if search.found && search.options.quiet {
            return Ok(0);
        }
    }
    Ok(if search.failed { 2 } else { u8::from(!search.found) })
}

/// One expression for all patterns. None at all matches nothing; an empty one matches everything.
fn compile(patterns: &[String], syntax: Syntax, ignore_case: bool, word: bool, line: bool) -> Result<Regex, Failure> {
    let one = |pattern: &String| match syntax {
        Syntax::Fixed => regex_lite::escape(pattern),
        Syntax::Extended => pattern.clone(),
        Syntax::Basic => from_basic(pattern),
    };
    let joined = patterns.iter().map(one).collect::<Vec<_>>().join("|");
    let whole = match (line, word) {
        _ if patterns.is_empty() => "[^\\s\\S]".to_owned(),
        (true, _) => format!("^(?:{joined})$"),
        (false, true) => format!(r"(?:^|\b)(?:{joined})(?:\b|$)"),
        (false, false) => joined,
    };
    let built = RegexBuilder::new(&whole).case_insensitive(ignore_case).build();
    built.map_err(|error| Failure::new(format!("{}: {error}", patterns.join("|"))))
}

/// Turns a basic regular expression into an extended one: plain and escaped operators change places.
fn from_basic(pattern: &str) -> String {
    let mut text = String::new();
    let mut letters = pattern.chars().peekable();
    let mut start = true; // where `*` is an ordinary character
    while let Some(letter) = letters.next() {
        let begins = start;
        start = false;
        match letter {
            '\\' => match letters.next() {
                Some(operator @ ('(' | '{' | '|')) => {
                    text.push(operator);
                    start = operator != '{';
                }
                Some(operator @ (')' | '}' | '+' | '?')) => text.push(operator),
                Some('<' | '>') => text.push_str(r"\b"),
                Some(other) => text.extend(['\\', other]),
                None => text.push_str(r"\\"),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' => text.extend(['\\', letter]),
            '*' if begins => text.push_str(r"\*"),
            '^' => {
                text.push_str(if begins { "^" } else { r"\^" });
                start = begins;
            }
            '[' => {
                text.push('[');
                // Up to the closing bracket everything stands for itself.
                let mut first = true;
                if letters.peek() == Some(&'^') {
                    text.extend(letters.next());
                }
                for inner in letters.by_ref() {
                    match inner {
                        ']' if first => text.push_str(r"\]"),
                        '\\' => text.push_str(r"\\"),
                        other => text.push(other),
                    }
                    if inner == ']' && !first && !text.ends_with(":]") {
                        break;
                    }
                    first = false;
                }
            }
            other => text.push(other),
        }
    }
    text
}

impl Search {
    fn operand(&mut self, file: &OsStr, recursive: bool, out: &mut Out) -> Result<(), Failure> {
        let path = Path::new(file);
        let is_folder = file != "-" && path.is_dir();
        if is_folder && !recursive {
            self.complain(&Failure::new(format!("{}: Is a directory", path.display())));
            return Ok(());
        }
        if !is_folder {
            let result = self.file(file, out);
            if let Err(failure) = result {
                self.complain(&failure);
            }
            return Ok(());
        }
        match walk::children(path).about(path) {
            Err(failure) => self.complain(&failure),
            Ok(children) => {
                for child in children {
                    let kind = std::fs::symlink_metadata(&child).map(|meta| meta.file_type());
                    let name: OsString = child.file_name().unwrap_or_default().to_owned();
                    let wanted = self.options.include.is_empty()
                        || self.options.include.iter().any(|glob| glob.matches(name.as_bytes()));
                    // Links and devices below a folder are not followed.
                    if kind.is_ok_and(|kind| kind.is_dir() || kind.is_file() && wanted) {
                        self.operand(child.as_os_str(), true, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn complain(&mut self, failure: &Failure) {
        self.failed = true;
        if !self.options.silent {
            user::warn(failure);
        }
    }

    fn file(&mut self, file: &OsStr, out: &mut Out) -> Result<(), Failure> {
        let mut input = text::open_lines(file)?;
        let shown = if file == "-" { "(standard input)".into() } else { file.to_string_lossy() };
        let prefix = |mark: char| if self.options.names { format!("{shown}{mark}") } else { String::new() };
        let (mut line, mut number, mut count) = (Vec::new(), 0_u64, 0_u64);
        let mut before: std::collections::VecDeque<(u64, Vec<u8>)> = std::collections::VecDeque::new();
        let mut after = 0;
        let mut last_printed = 0;
        let plain = !self.options.count && !self.options.quiet && self.options.list.is_none();
        while text::read_line(&mut *input, &mut line).about(file)? {
            number += 1;
            let content = String::from_utf8_lossy(&line).into_owned();
            if self.regex.is_match(&content) == self.options.invert {
                if plain && after > 0 {
                    after -= 1;
                    self.print(&prefix('-'), '-', number, &line, out)?;
                    last_printed = number;
                } else if self.options.before > 0 {
                    if before.len() == self.options.before {
                        before.pop_front();
                    }
                    before.push_back((number, line.clone()));
                }
                continue;
            }
            self.found = true;
            count += 1;
            if plain && self.options.only {
                for piece in self.regex.find_iter(&content).filter(|piece| !piece.is_empty() && !self.options.invert) {
                    self.print(&prefix(':'), ':', number, piece.as_str().as_bytes(), out)?;
                }
            } else if plain {
                let context = self.options.before + self.options.after > 0;
                let first = before.front().map_or(number, |(number, _)| *number);
                if context && last_printed > 0 && first > last_printed + 1 {
                    out.write_all(b"--\n")?;
                }
                for (number, line) in before.drain(..) {
                    self.print(&prefix('-'), '-', number, &line, out)?;
                }
                self.print(&prefix(':'), ':', number, &line, out)?;
                last_printed = number;
                after = self.options.after;
            }
            if self.options.quiet || self.options.list.is_some() || self.options.most.is_some_and(|most| count >= most)
            {
                break;
            }
        }
        match self.options.list {
            Some(with) if with == (count > 0) => writeln!(out, "{shown}")?,
            None if self.options.count && !self.options.quiet => writeln!(out, "{}{count}", prefix(':'))?,
            _ => {}
        }
        Ok(())
    }

    fn print(&self, prefix: &str, mark: char, number: u64, line: &[u8], out: &mut Out) -> Result<(), Failure> {
        out.write_all(prefix.as_bytes())?;
        if self.options.number {
            write!(out, "{number}{mark}")?;
        }
        out.write_all(line)?;
        out.write_all(b"\n")?;
        Ok(())
    }
}
