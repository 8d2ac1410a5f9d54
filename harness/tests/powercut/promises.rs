//! What `probe synced` promised, and whether a disk keeps it.
//!
//! The program tells after each step what is durable from then on, then writes the step's number to its file `mark`. That write stands
//! in the disk's log: behind it, all the steps up to it must hold. Only the names of the step after it may be in between.

use harness::writelog::WriteLog;
use std::collections::BTreeMap;
use std::fmt;
use xv6fs::{Disk, Fs, Ino, Kind};

/// What a name stands for.
#[derive(Clone, PartialEq)]
enum State {
    Gone,
    Dir,
    File(Vec<u8>),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Gone => write!(f, "gone"),
            State::Dir => write!(f, "a directory"),
            State::File(bytes) => {
                let start = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]);
                write!(f, "{} bytes, {start:?}...", bytes.len())
            }
        }
    }
}

/// What a step did to a name.
#[derive(Clone, Debug)]
struct Change {
    how: String,
    name: String,
    state: State,
}

/// All steps in one directory.
pub struct Promises {
    dir: String,
    /// The changes of step 1, 2, ...
    steps: Vec<Vec<Change>>,
    /// Behind how many requests the step's mark was on its way to the disk.
    marks: Vec<usize>,
}

/// The first `size` bytes of numbered lines, as the program writes them.
fn content(name: &str, version: u64, size: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0_u64;
    while text.len() < size {
        text.push_str(&format!("{name} {version} {number}\n"));
        number += 1;
    }
    text.truncate(size);
    text.into_bytes()
}

impl Promises {
    /// From the program's own words about `dir`, and the disk's log.
    pub fn read(dir: &str, told: &str, log: &WriteLog) -> Promises {
        let mut steps: Vec<Vec<Change>> = Vec::new();
        for line in told.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [step, how, name, size, version] = words[..] else { panic!("{dir}: the line {line:?}") };
            let state = match size {
                "-" => State::Gone,
                "dir" => State::Dir,
                size => State::File(content(name, version.parse().expect("a version"), size.parse().expect("a size"))),
            };
            steps.resize(step.parse().expect("a step"), Vec::new());
            steps.last_mut().expect("a step").push(Change { how: how.into(), name: name.into(), state });
        }
        let mut marks = vec![usize::MAX; steps.len()];
        let prefix = format!("xv6-mark {dir} ");
        for (number, entry) in log.entries().iter().enumerate() {
            for block in log.data(entry).chunks(4096).filter(|block| block.starts_with(prefix.as_bytes())) {
                let digits = block[prefix.len()..].iter().take_while(|byte| byte.is_ascii_digit());
                let step: usize = digits.fold(0, |step, digit| step * 10 + usize::from(digit - b'0'));
                marks[step - 1] = marks[step - 1].min(number + 1);
            }
        }
        assert!(marks.is_sorted() && marks.last().is_some_and(|&last| last < usize::MAX), "{dir}: a mark is missing");
        Promises { dir: dir.into(), steps, marks }
    }

    /// The directory.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Fails with what is wrong in the directory `dir` of a volume that was cut off behind `at` requests.
    pub fn hold<D: Disk>(&self, fs: &mut Fs<D>, dir: Option<Ino>, at: usize) -> Result<(), String> {
        let kept = self.marks.partition_point(|&mark| mark <= at);
        let Some(dir) = dir else {
            return if kept == 0 { Ok(()) } else { Err(format!("{} is gone, {kept} steps were kept", self.dir)) };
        };
        let mut expected: BTreeMap<&str, &State> = BTreeMap::new();
        for change in self.steps[..kept].iter().flatten() {
            expected.insert(&change.name, &change.state);
        }
        let under_way = self.steps.get(kept).map_or(&[][..], Vec::as_slice);
        let mut found = list(fs, dir).map_err(|e| format!("{}: {e}", self.dir))?;
        found.remove("mark");
        for name in expected.keys() {
            found.entry((*name).into()).or_insert(State::Gone);
        }
        for (name, found) in &found {
            let old = expected.get(name.as_str()).copied().unwrap_or(&State::Gone);
            let change = under_way.iter().find(|change| change.name == *name);
            if found != old && !change.is_some_and(|change| change.allows(old, found)) {
                return Err(format!("{}/{name} after step {kept}: {found:?}; was {old:?}, {change:?}", self.dir));
            }
        }
        Ok(())
    }
}

impl Change {
    /// Whether a cut in the middle may leave `found` of what was `old`.
    fn allows(&self, old: &State, found: &State) -> bool {
        match (self.how.as_str(), found, &self.state) {
            ("any", ..) => true,
            ("grow", State::Gone, _) => *old == State::Gone,
            ("grow", State::File(bytes), State::File(new)) => new.starts_with(bytes),
            ("mix", State::File(bytes), State::File(new)) => {
                let State::File(old) = old else { return false };
                let sectors = bytes.chunks(512).zip(old.chunks(512).zip(new.chunks(512)));
                bytes.len() == new.len() && sectors.into_iter().all(|(is, (old, new))| is == old || is == new)
            }
            (_, found, new) => found == new,
        }
    }
}

/// What is in a directory, by name.
fn list<D: Disk>(fs: &mut Fs<D>, dir: Ino) -> xv6fs::Result<BTreeMap<String, State>> {
    let mut entries = Vec::new();
    fs.read_dir(dir, 2, &mut |entry| {
        entries.push((String::from_utf8_lossy(entry.name).into_owned(), entry.ino));
        true
    })?;
    let mut found = BTreeMap::new();
    for (name, ino) in entries {
        let stat = fs.stat(ino)?;
        let mut bytes = vec![0; if stat.kind == Kind::File { stat.size as usize } else { 0 }];
        if stat.kind == Kind::File && fs.read_at(ino, 0, &mut bytes)? != bytes.len() {
            return Err(xv6fs::Error::Corrupt);
        }
        found.insert(name, if stat.kind == Kind::Dir { State::Dir } else { State::File(bytes) });
    }
    Ok(found)
}
