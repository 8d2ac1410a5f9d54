//! The conditions of find(1): [`Test`], a small tree, and reading it from the words by precedence.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use user::shell::pattern::Pattern;
use user::{About, Args, Failure, mode, size};

use crate::Find;

/// What is asked of a file, or done with it.
pub enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Always(bool),
    Name(Pattern, bool),
    PathIs(Pattern),
    Type(Vec<u32>),
    /// A number against what is given: less, equal or more.
    Number(fn(&Metadata) -> u64, std::cmp::Ordering, u64),
    Blocks(std::cmp::Ordering, u64, u64),
    Days(std::cmp::Ordering, i64),
    Newer((i64, i64)),
    Mode(u32, bool),
    Empty,
    Prune,
    Print(u8),
    Delete,
    Quit,
    Exec(Vec<OsString>),
    ExecAll(usize),
}

impl Find {
    fn next(&mut self, args: &Args) -> OsString {
        let Some(word) = self.words.get(self.at) else { args.usage_error() };
        self.at += 1;
        word.clone()
    }

    fn accept(&mut self, names: &[&str]) -> bool {
        let found = self.words.get(self.at).is_some_and(|word| names.iter().any(|name| word == name));
        self.at += usize::from(found);
        found
    }

    /// Reads the conditions: `!` before `-a` (or nothing between two) before `-o`.
    pub fn or(&mut self, args: &Args) -> Result<Test, Failure> {
        let mut test = self.and(args)?;
        while self.accept(&["-o", "-or"]) {
            test = Test::Or(Box::new(test), Box::new(self.and(args)?));
        }
        Ok(test)
    }

    fn and(&mut self, args: &Args) -> Result<Test, Failure> {
        let mut test = self.not(args)?;
        loop {
            self.accept(&["-a", "-and"]);
            match self.words.get(self.at).and_then(|word| word.to_str()) {
                None | Some("-o" | "-or" | ")") => return Ok(test),
                Some(_) => test = Test::And(Box::new(test), Box::new(self.not(args)?)),
            }
        }
    }

    fn not(&mut self, args: &Args) -> Result<Test, Failure> {
        if self.accept(&["!", "-not"]) {
            return Ok(Test::Not(Box::new(self.not(args)?)));
        }
        if self.accept(&["("]) {
            let test = self.or(args)?;
            if !self.accept(&[")"]) {
                args.usage_error();
            }
            return Ok(test);
        }
        self.primary(args)
    }

    fn primary(&mut self, args: &Args) -> Result<Test, Failure> {
        let name = self.next(args);
        let mut value = || self.next(args).to_string_lossy().into_owned();
        Ok(match name.to_str().unwrap_or_default() {
            "-true" => Test::Always(true),
            "-false" => Test::Always(false),
            "-name" => Test::Name(Pattern::parse(value().as_bytes()), false),
            "-iname" => Test::Name(Pattern::parse(value().to_lowercase().as_bytes()), true),
            "-path" | "-wholename" => Test::PathIs(Pattern::parse(value().as_bytes())),
            "-type" => {
                let letters = value();
                let kinds = letters.split(',').map(|letter| match letter {
                    "b" => mode::BLOCK,
                    "c" => mode::CHARACTER,
                    "d" => mode::DIRECTORY,
                    "f" => 0o100_000,
                    "l" => mode::SYMLINK,
                    "p" => mode::FIFO,
                    "s" => mode::SOCKET,
                    _ => args.usage_error(),
                });
                Test::Type(kinds.collect())
            }
            "-size" => {
                let (order, text) = signed(&value());
                let unit = match text.chars().last() {
                    Some('c') => 1,
                    Some('k') => 1 << 10,
                    Some('M') => 1 << 20,
                    Some('G') => 1 << 30,
                    _ => 512,
                };
                let digits = text.trim_end_matches(['b', 'c', 'k', 'M', 'G']);
                Test::Blocks(order, size::parse(digits).unwrap_or_else(|| args.usage_error()), unit)
            }
            "-mtime" => {
                let (order, text) = signed(&value());
                Test::Days(order, text.parse().unwrap_or_else(|_| args.usage_error()))
            }
            "-newer" => {
                let file = value();
                let meta = fs::metadata(&file).about(&file)?;
                Test::Newer((meta.mtime(), meta.mtime_nsec()))
            }
            "-perm" => {
                let text = value();
                let bits = text.strip_prefix('-').unwrap_or(&text);
                Test::Mode(mode::parse(bits, 0, 0).unwrap_or_else(|| args.usage_error()), text.starts_with('-'))
            }
            "-user" => {
                let name = value();
                let Some(id) = user::names::Names::users().id(&name) else {
                    return Err(Failure::new(format!("{name}: no such user")));
                };
                Test::Number(|meta| u64::from(meta.uid()), std::cmp::Ordering::Equal, u64::from(id))
            }
            "-uid" => number(&value(), |meta| u64::from(meta.uid()), args),
            "-links" => number(&value(), Metadata::nlink, args),
            "-inum" => number(&value(), Metadata::ino, args),
            "-empty" => Test::Empty,
            "-maxdepth" => {
                self.most = Some(value().parse().unwrap_or_else(|_| args.usage_error()));
                Test::Always(true)
            }
            "-mindepth" => {
                self.least = value().parse().unwrap_or_else(|_| args.usage_error());
                Test::Always(true)
            }
            "-depth" => {
                self.depth_first = true;
                Test::Always(true)
            }
            "-xdev" | "-mount" => {
                self.one_system = true;
                Test::Always(true)
            }
            "-prune" => Test::Prune,
            "-print" => self.act(Test::Print(b'\n')),
            "-print0" => self.act(Test::Print(0)),
            "-quit" => self.act(Test::Quit),
            "-delete" => {
                self.depth_first = true;
                self.act(Test::Delete)
            }
            "-exec" => self.exec(args),
            _ => args.usage_error(),
        })
    }

    fn act(&mut self, test: Test) -> Test {
        self.acts = true;
        test
    }

    fn exec(&mut self, args: &Args) -> Test {
        let mut command = Vec::new();
        loop {
            let word = self.next(args);
            if word == ";" && !command.is_empty() {
                return self.act(Test::Exec(command));
            }
            if word == "+" && command.last().is_some_and(|last| last == "{}") {
                command.pop();
                self.gathered.push((command, Vec::new()));
                let index = self.gathered.len() - 1;
                return self.act(Test::ExecAll(index));
            }
            command.push(word);
        }
    }
}

/// `+N` is more, `-N` less, `N` equal.
fn signed(text: &str) -> (std::cmp::Ordering, String) {
    match text.strip_prefix('+') {
        Some(rest) => (std::cmp::Ordering::Greater, rest.to_owned()),
        None => match text.strip_prefix('-') {
            Some(rest) => (std::cmp::Ordering::Less, rest.to_owned()),
            None => (std::cmp::Ordering::Equal, text.to_owned()),
        },
    }
}

fn number(text: &str, of: fn(&Metadata) -> u64, args: &Args) -> Test {
    let (order, digits) = signed(text);
    Test::Number(of, order, digits.parse().unwrap_or_else(|_| args.usage_error()))
}
