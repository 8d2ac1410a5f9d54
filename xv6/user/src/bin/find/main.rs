//! find: walks folders and prints, removes or runs a command for what meets the conditions.
//!
//! `conditions` reads what is asked into a [`Test`]; here the folders are walked, and each file is put to it.

mod conditions;

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use conditions::Test;
use user::{About, Args, Failure, Out, clock, mode, run_command, walk};

const USAGE: &str = "find [-L] [PATH...] [-name GLOB] [-iname GLOB] [-path GLOB] [-type bcdflps] [-size [+-]N[ckMG]] [-mtime [+-]N] \
[-newer FILE] [-perm [-]MODE] [-user NAME] [-uid N] [-links N] [-inum N] [-empty] [-maxdepth N] [-mindepth N] [-depth] [-xdev] [! -a -o ( )] \
[-prune] [-print] [-print0] [-delete] [-quit] [-exec COMMAND {} ;|+]";

fn main() -> ExitCode {
    user::run("find", USAGE, body)
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
