//! Changes files and makes each change durable, telling what must be there from then on: the power-cut test reads it and
//! compares with the disk as it was at any moment.
//!
//! Each step is one change of a random file in the directory, followed by fsync(2) of all it touched (sometimes by sync(2)). Its lines
//! say what is durable now: `STEP HOW NAME SIZE VERSION`, the size `-` for a name that is gone and `dir` for a directory. HOW tells
//! what a cut during the step may leave of the name: `whole` (the old or the new state), `grow` (the old state, nothing, or a
//! front part of the new one), `mix` (each sector old or new). Then the step's number is written, in place, to the file `mark`, and
//! synced: a disk on which this number was written has seen all the steps up to it end.
//!
//! A file's content is a function of its name, its version and its size ([`content`]).

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use user::{About, Failure, Out};

/// Names that are used.
const NAMES: u64 = 12;
/// The most bytes of a file.
const LARGEST: u64 = 40_000;

/// What is to be done.
pub struct Plan<'a> {
    /// The directory, which must be empty.
    pub dir: &'a str,
    /// How many changes.
    pub steps: u64,
    /// Which changes.
    pub seed: u64,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Gone,
    Dir,
    File { size: u64, version: u64 },
}

struct Run<'a> {
    dir: &'a Path,
    random: u64,
    states: Vec<State>,
    step: u64,
    lines: String,
}

/// The first `size` bytes of numbered lines.
fn content(name: &str, version: u64, size: u64) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0_u64;
    while (text.len() as u64) < size {
        text.push_str(&format!("{name} {version} {number}\n"));
        number += 1;
    }
    text.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    text.into_bytes()
}

/// Runs the plan.
pub fn run(plan: &Plan<'_>, out: &mut Out) -> Result<u8, Failure> {
    let mark = Path::new(plan.dir).join("mark");
    let mark = OpenOptions::new().write(true).create_new(true).open(&mark).about(plan.dir)?;
    let mut run = Run {
        dir: Path::new(plan.dir),
        random: plan.seed,
        states: vec![State::Gone; usize::try_from(NAMES).unwrap_or(0)],
        step: 0,
        lines: String::new(),
    };
    for step in 1..=plan.steps {
        run.step = step;
        run.change()?;
        out.write_all(run.lines.as_bytes())?;
        out.flush()?;
        run.lines.clear();
        let mut block = format!("xv6-mark {} {step}\n", plan.dir).into_bytes();
        block.resize(512, b'.');
        mark.write_all_at(&block, 0).about("mark")?;
        mark.sync_data().about("mark")?;
    }
    Ok(0)
}

impl Run<'_> {
    /// A number below `below` (SplitMix64).
    fn pick(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % below
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn sync(&self, path: &Path) -> Result<(), Failure> {
        File::open(path).and_then(|file| file.sync_all()).about(path)
    }

    fn say(&mut self, how: &str, index: usize, state: State) {
        self.states[index] = state;
        self.say_name(how, &format!("f{index}"), state);
    }

    fn say_name(&mut self, how: &str, name: &str, state: State) {
        let (size, version) = match state {
            State::Gone => ("-".to_owned(), 0),
            State::Dir => ("dir".to_owned(), 0),
            State::File { size, version } => (size.to_string(), version),
        };
        self.lines.push_str(&format!("{} {how} {name} {size} {version}\n", self.step));
    }

    /// One step: one change, durable.
    fn change(&mut self) -> Result<(), Failure> {
        let index = usize::try_from(self.pick(NAMES)).unwrap_or(0);
        let name = format!("f{index}");
        let path = self.path(&name);
        let size = self.pick(LARGEST);
        match (self.states[index], self.pick(8)) {
            (State::Gone, 0) => {
                fs::create_dir(&path).about(&path)?;
                self.sync(self.dir)?;
                self.say("whole", index, State::Dir);
            }
            (State::Dir, _) => {
                fs::remove_dir(&path).about(&path)?;
                self.sync(self.dir)?;
                self.say("whole", index, State::Gone);
            }
            (State::File { size, version }, 0 | 1) => {
                self.append(&path, &name, size, version)?;
                let size = size + LARGEST / 4;
                self.say("grow", index, State::File { size, version });
            }
            (State::File { size: old, version }, 2) => {
                let file = OpenOptions::new().write(true).open(&path).about(&path)?;
                let size = size.min(old);
                file.set_len(size).and_then(|()| file.sync_all()).about(&path)?;
                self.say("whole", index, State::File { size, version });
            }
            (State::File { size, .. }, 3) => {
                let file = OpenOptions::new().write(true).open(&path).about(&path)?;
                let new = content(&name, self.step, size);
                file.write_all_at(&new, 0).and_then(|()| file.sync_data()).about(&path)?;
                self.say("mix", index, State::File { size, version: self.step });
            }
            (State::File { .. }, 4) => {
                fs::remove_file(&path).about(&path)?;
                self.sync(self.dir)?;
                self.say("whole", index, State::Gone);
            }
            (_, 5) => self.replace(index, size)?,
            (_, 6) => self.several(index, size)?,
            _ => {
                let mut file = File::create(&path).about(&path)?;
                file.write_all(&content(&name, self.step, size)).about(&path)?;
                file.sync_all().about(&path)?;
                self.sync(self.dir)?;
                self.say("grow", index, State::File { size, version: self.step });
            }
        }
        Ok(())
    }

    fn append(&self, path: &Path, name: &str, size: u64, version: u64) -> Result<(), Failure> {
        let whole = content(name, version, size + LARGEST / 4);
        let tail = &whole[usize::try_from(size).unwrap_or(whole.len())..];
        let mut file = OpenOptions::new().append(true).open(path).about(path)?;
        file.write_all(tail).and_then(|()| file.sync_data()).about(path)
    }

    /// The way to replace a file that survives a cut: a new one, synced, takes the name.
    fn replace(&mut self, index: usize, size: u64) -> Result<(), Failure> {
        let (name, version) = (format!("f{index}"), self.step);
        let (draft, path) = (self.path("draft"), self.path(&name));
        let mut file = File::create(&draft).about(&draft)?;
        file.write_all(&content(&name, version, size)).and_then(|()| file.sync_all()).about(&draft)?;
        fs::rename(&draft, &path).about(&path)?;
        self.sync(self.dir)?;
        self.say("whole", index, State::File { size, version });
        // While the step lasts it may have any content.
        self.say_name("any", "draft", State::Gone);
        Ok(())
    }

    /// Some files at once, made durable by sync(2).
    fn several(&mut self, first: usize, size: u64) -> Result<(), Failure> {
        for index in (first..self.states.len().min(first + 3)).filter(|&index| index == first || index % 2 == 0) {
            if self.states[index] != State::Dir {
                let name = format!("f{index}");
                let path = self.path(&name);
                fs::write(&path, content(&name, self.step, size)).about(&path)?;
                self.say("grow", index, State::File { size, version: self.step });
            }
        }
        rustix::fs::sync();
        Ok(())
    }
}
