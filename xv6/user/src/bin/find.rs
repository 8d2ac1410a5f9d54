//! find: walks folders and prints, removes or runs a command for what meets the conditions.
//!
//! Conditions are read into a small tree by precedence: `!` before `-a` (or nothing between two) before `-o`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use user::shell::pattern::Pattern;
use user::{About, Args, Failure, Out, clock, mode, run_command, size, walk};

const USAGE: &str = "find [-L] [PATH...] [-name GLOB] [-iname GLOB] [-path GLOB] [-type bcdflps] [-size [+-]N[ckMG]] [-mtime [+-]N] \
[-newer FILE] [-perm [-]MODE] [-user NAME] [-uid N] [-links N] [-inum N] [-empty] [-maxdepth N] [-mindepth N] [-depth] [-xdev] [! -a -o ( )] \
[-prune] [-print] [-print0] [-delete] [-quit] [-exec COMMAND {} ;|+]";

fn main() -> ExitCode {
    user::run("find", USAGE, body)
}

enum Test {
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

#[derive(Default)]
struct Find {
    follow: bool,
    least: usize,
    most: Option<usize>,
    depth_first: bool,
    one_system: bool,
    acts: bool,
    /// Commands of `-exec ... +` and the paths gathered for them.
    gathered: Vec<(Vec<OsString>, Vec<OsString>)>,
    failed: bool,
    quit: bool,
    words: Vec<OsString>,
    at: usize,
}

/// How many paths one command of `-exec ... +` gets at most.
const GATHER: usize = 256;

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut find = Find { words: std::env::args_os().skip(1).collect(), ..Find::default() };
    if find.words.first().is_some_and(|word| word == "--help") {
        args.option();
    }
    while let Some(flag) =
        find.words.first().and_then(|word| word.to_str()).filter(|word| matches!(*word, "-L" | "-H" | "-P"))
    {
        find.follow = flag == "-L";
        find.words.remove(0);
    }
    let is_condition = |word: &OsString| word.as_bytes().starts_with(b"-") || word == "!" || word == "(";
    let count = find.words.iter().take_while(|word| !is_condition(word)).count();
    let mut roots: Vec<OsString> = find.words.drain(..count).collect();
    if roots.is_empty() {
        roots.push(".".into());
    }
    let mut test = if find.words.is_empty() { Test::Always(true) } else { find.or(args)? };
    if find.at < find.words.len() {
        args.usage_error();
    }
    if !find.acts {
        test = Test::And(Box::new(test), Box::new(Test::Print(b'\n')));
    }
    for root in roots {
        let path = PathBuf::from(root);
        match fs::symlink_metadata(&path).about(&path) {
            Ok(meta) => find.visit(&path, 0, meta.dev(), &test, out)?,
            Err(failure) => find.complain(&failure),
        }
    }
    for index in 0..find.gathered.len() {
        find.run_gathered(index, out)?;
    }
    Ok(u8::from(find.failed))
}

impl Find {
    fn complain(&mut self, failure: &Failure) {
        user::warn(failure);
        self.failed = true;
    }

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

    fn or(&mut self, args: &Args) -> Result<Test, Failure> {
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

    fn visit(&mut self, path: &Path, depth: usize, device: u64, test: &Test, out: &mut Out) -> Result<(), Failure> {
        if self.quit {
            return Ok(());
        }
        let link = match fs::symlink_metadata(path).about(path) {
            Ok(meta) => meta,
            Err(failure) => {
                self.complain(&failure);
                return Ok(());
            }
        };
        // A link that leads nowhere is looked at itself.
        let meta = if self.follow { fs::metadata(path).unwrap_or(link) } else { link };
        let mut prune = false;
        if !self.depth_first && depth >= self.least {
            self.holds(test, path, &meta, &mut prune, out)?;
        }
        let deeper = meta.is_dir() && !prune && self.most.is_none_or(|most| depth < most);
        if deeper && !(self.one_system && meta.dev() != device) && !self.quit {
            match walk::children(path).about(path) {
                Ok(children) => {
                    for child in children {
                        self.visit(&child, depth + 1, device, test, out)?;
                    }
                }
                Err(failure) => self.complain(&failure),
            }
        }
        if self.depth_first && depth >= self.least && !self.quit {
            self.holds(test, path, &meta, &mut prune, out)?;
        }
        Ok(())
    }

    fn holds(
        &mut self,
        test: &Test,
        path: &Path,
        meta: &Metadata,
        prune: &mut bool,
        out: &mut Out,
    ) -> Result<bool, Failure> {
        Ok(match test {
            Test::And(one, other) => {
                self.holds(one, path, meta, prune, out)? && self.holds(other, path, meta, prune, out)?
            }
            Test::Or(one, other) => {
                self.holds(one, path, meta, prune, out)? || self.holds(other, path, meta, prune, out)?
            }
            Test::Not(one) => !self.holds(one, path, meta, prune, out)?,
            Test::Always(value) => *value,
            Test::Name(pattern, fold) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                if *fold {
                    pattern.matches(name.to_string_lossy().to_lowercase().as_bytes())
                } else {
                    pattern.matches(name.as_bytes())
                }
            }
            Test::PathIs(pattern) => pattern.matches(path.as_os_str().as_bytes()),
            Test::Type(kinds) => kinds.contains(&(meta.mode() & mode::TYPE_MASK)),
            Test::Number(of, order, value) => of(meta).cmp(value) == *order,
            Test::Blocks(order, value, unit) => meta.len().div_ceil(*unit).cmp(value) == *order,
            Test::Days(order, days) => ((clock::now() - meta.mtime()) / 86_400).cmp(days) == *order,
            Test::Newer(than) => (meta.mtime(), meta.mtime_nsec()) > *than,
            Test::Mode(bits, all) => {
                if *all {
                    meta.mode() & bits == *bits
                } else {
                    meta.mode() & 0o7777 == *bits
                }
            }
            Test::Empty if meta.is_dir() => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
            Test::Empty => meta.is_file() && meta.len() == 0,
            Test::Prune => {
                *prune = true;
                true
            }
            Test::Print(end) => {
                out.write_all(path.as_os_str().as_bytes())?;
                out.write_all(&[*end])?;
                true
            }
            Test::Quit => {
                self.quit = true;
                true
            }
            Test::Delete => {
                let done = if meta.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
                if let Err(failure) = done.about(path) {
                    self.complain(&failure);
                    return Ok(false);
                }
                true
            }
            Test::Exec(words) => {
                let words: Vec<OsString> = words.iter().map(|word| replace(word, path.as_os_str())).collect();
                self.run(&words, out)?
            }
            Test::ExecAll(index) => {
                self.gathered[*index].1.push(path.as_os_str().to_owned());
                if self.gathered[*index].1.len() >= GATHER {
                    self.run_gathered(*index, out)?;
                }
                true
            }
        })
    }

    fn run_gathered(&mut self, index: usize, out: &mut Out) -> Result<(), Failure> {
        let paths = std::mem::take(&mut self.gathered[index].1);
        if !paths.is_empty() {
            let words: Vec<OsString> = self.gathered[index].0.iter().cloned().chain(paths).collect();
            self.failed |= !self.run(&words, out)?;
        }
        Ok(())
    }

    /// Runs a command; whether it succeeded. What was printed before stands before its output.
    fn run(&mut self, words: &[OsString], out: &mut Out) -> Result<bool, Failure> {
        out.flush()?;
        match Command::new(&words[0]).args(&words[1..]).status() {
            Ok(status) => Ok(status.success()),
            Err(error) => {
                self.complain(&run_command::failure(&words[0], &error));
                Ok(false)
            }
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

/// Each `{}` in `word` becomes the path.
fn replace(word: &OsStr, path: &OsStr) -> OsString {
    let (mut rest, mut whole) = (word.as_bytes(), Vec::new());
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(path.as_bytes());
        rest = &rest[at + 2..];
    }
    whole.extend_from_slice(rest);
    OsString::from_vec(whole)
}
