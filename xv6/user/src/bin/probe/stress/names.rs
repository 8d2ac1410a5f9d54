//! Names in folders that all workers share: files move and change names, links come and go, a new file replaces an old one, folders move
//! with what is in them, a file grows at its end by everybody.
//!
//! Whoever looks finds one whole file under a name that is never free, and its own files where it left them; at the end each folder
//! that moved about is there exactly once, and nothing appended is lost ([`check`]).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Dice, Worker, ensure};
use rustix::io::Errno;
use user::{About, Failure};

/// Shared folders, and folders that move between them.
const ROOMS: usize = 4;
const BOXES: usize = 3;
/// A name that always has a file.
const ALWAYS: &str = "always";
/// What everybody appends to.
const LOG: &str = "log";
/// Who makes this folder is alone until it removes it.
const LOCK: &str = "lock";
/// The bytes of a record in [`LOG`].
const RECORD: usize = 100;

/// Makes a shared folder.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let made = || -> io::Result<()> {
        for room in 0..ROOMS {
            fs::create_dir_all(folder.join(format!("room{room}")))?;
        }
        for moving in 0..BOXES {
            fs::create_dir(folder.join(format!("room{}/box{moving}", moving % ROOMS)))?;
        }
        fs::write(folder.join(ALWAYS), whole(1))?;
        fs::write(folder.join("count"), "0")?;
        File::create(folder.join(LOG)).map(drop)
    };
    made().about(folder)
}

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let folder = worker.folder().to_owned();
    match worker.dice.below(6) {
        0 => travel(worker, &folder).about("a file that travels")?,
        1 => replace(worker, &folder).about("a file that is replaced")?,
        2 => move_box(worker, &folder).about("a folder that moves")?,
        3 => append(worker, &folder).about("the log")?,
        4 => alone(&folder).about("a folder as a lock")?,
        _ => return walk(&folder, &mut |_| {}).about(&folder),
    }
    Ok(())
}

fn wrong(what: String) -> io::Error {
    io::Error::other(what)
}

fn room(dice: &mut Dice, folder: &Path) -> PathBuf {
    folder.join(format!("room{}", dice.below(ROOMS)))
}

/// A file of our own goes from room to room, has a second name for a while, and is still there when its last name is gone.
fn travel(worker: &mut Worker, folder: &Path) -> io::Result<()> {
    let (name, link) = (format!("file.{}", worker.number), format!("link.{}", worker.number));
    let dice = &mut worker.dice;
    let text = format!("{} {}", worker.number, dice.roll());
    let mut place = room(dice, folder).join(&name);
    let mut file = File::options().read(true).write(true).create_new(true).open(&place)?;
    file.write_all(text.as_bytes())?;
    for _ in 0..1 + dice.below(8) {
        let next = room(dice, folder);
        match dice.below(3) {
            0 => {
                let next = next.join(format!("{name}.moved"));
                fs::rename(&place, &next)?;
                place = next;
            }
            1 => {
                // Over its own second name: rename(2) then does nothing, and both stay.
                let link = next.join(&link);
                fs::hard_link(&place, &link)?;
                fs::rename(&link, &place)?;
                fs::remove_file(&link)?;
            }
            _ => {
                let link = next.join(&link);
                std::os::unix::fs::symlink(&place, &link)?;
                let seen = fs::read_to_string(&link)?;
                fs::remove_file(&link)?;
                if seen != text {
                    return Err(wrong(format!("{} holds {seen:?}, not {text:?}", place.display())));
                }
            }
        }
        let (by_name, by_file) = (fs::metadata(&place)?, file.metadata()?);
        if by_name.ino() != by_file.ino() || by_file.nlink() != 1 {
            return Err(wrong(format!("{}: {} links", place.display(), by_file.nlink())));
        }
    }
    fs::remove_file(&place)?;
    let left = file.metadata()?;
    if left.nlink() == 0 && left.len() == text.len() as u64 {
        Ok(())
    } else {
        Err(wrong(format!("without a name: {} links, {} bytes", left.nlink(), left.len())))
    }
}

/// A file whose every part tells which one it is.
fn whole(which: u64) -> Vec<u8> {
    format!("{which:16}").into_bytes().repeat(1 + (which % 600) as usize)
}

/// Somebody always replaces it, and everybody always finds one whole file.
fn replace(worker: &mut Worker, folder: &Path) -> io::Result<()> {
    let always = folder.join(ALWAYS);
    if worker.dice.below(2) == 0 {
        let draft = folder.join(format!("draft.{}", worker.number));
        fs::write(&draft, whole(worker.dice.roll() % 1_000_000))?;
        fs::rename(&draft, &always)?;
    }
    let seen = fs::read(&always)?;
    let which = seen.get(..16).and_then(|first| std::str::from_utf8(first).ok()?.trim().parse().ok());
    match which {
        Some(which) if seen == whole(which) => Ok(()),
        _ => Err(wrong(format!("{} bytes are no whole file", seen.len()))),
    }
}

/// Moves a box to another room, or into another box, if it is where it is looked for and the other is not inside.
fn move_box(worker: &mut Worker, folder: &Path) -> io::Result<()> {
    let dice = &mut worker.dice;
    let (moving, into) = (format!("box{}", dice.below(BOXES)), format!("box{}", dice.below(BOXES)));
    let mut places = Vec::new();
    walk(folder, &mut |path| places.push(path.to_owned()))?;
    let ends_in = |path: &&PathBuf, name: &str| path.file_name().is_some_and(|found| *found == *name);
    let Some(from) = places.iter().find(|path| ends_in(path, &moving)) else { return Ok(()) };
    let deep = if dice.below(2) == 0 { places.iter().find(|path| ends_in(path, &into)).cloned() } else { None };
    let to = deep.unwrap_or_else(|| room(dice, folder)).join(&moving);
    match fs::rename(from, to) {
        Ok(()) => Ok(()),
        // Somebody else has moved it, or the other; or into itself; or the same name stands there, not empty.
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::INVAL | Errno::NOTEMPTY) => Ok(()),
            _ => Err(error),
        },
    }
}

/// A record at the end of the log; checked by [`check`].
fn append(worker: &mut Worker, folder: &Path) -> io::Result<()> {
    let count = folder.join(format!("appended.{}", worker.number));
    let before: u64 = fs::read_to_string(&count).map_or(0, |text| text.parse().unwrap_or(0));
    let mut log = File::options().append(true).open(folder.join(LOG))?;
    let records = 1 + worker.dice.below(4) as u64;
    for record in before..before + records {
        let mut text = format!("{} {record} ", worker.number);
        text.push_str(&".".repeat(RECORD - 1 - text.len()));
        text.push('\n');
        log.write_all(text.as_bytes())?;
    }
    fs::write(&count, (before + records).to_string())
}

/// mkdir(2) succeeds for one at a time; who has it counts, which must not be disturbed.
fn alone(folder: &Path) -> io::Result<()> {
    let (lock, count) = (folder.join(LOCK), folder.join("count"));
    match fs::create_dir(&lock) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let read = || fs::read_to_string(&count).map(|text| text.parse::<u64>().ok());
    let next = read()?.map(|number| number + 1);
    fs::write(&count, next.unwrap_or(0).to_string())?;
    let kept = read()?;
    fs::remove_dir(&lock)?;
    if next.is_some() && kept == next { Ok(()) } else { Err(wrong(format!("wrote {next:?}, found {kept:?}"))) }
}

/// Goes through all folders, which may move or vanish meanwhile.
fn walk(folder: &Path, seen: &mut dyn FnMut(&Path)) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    let entries = match fs::read_dir(folder) {
        Err(error) if gone(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                seen(&entry.path());
                walk(&entry.path(), seen)?;
            }
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What must hold in a shared folder once all of the `workers` have ended.
pub fn check(folder: &Path, workers: usize) -> Result<(), Failure> {
    let mut boxes = [0; BOXES];
    walk(folder, &mut |path| {
        let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix("box")?.parse::<usize>().ok());
        if let Some(count) = number.and_then(|number| boxes.get_mut(number)) {
            *count += 1;
        }
    })
    .about(folder)?;
    ensure(boxes == [1; BOXES], || format!("stress: {}: folders that moved: {boxes:?}", folder.display()))?;
    let mut next = vec![0_u64; workers];
    let log = fs::read_to_string(folder.join(LOG)).about(LOG)?;
    for (number, line) in log.lines().enumerate() {
        let mut words = line.split(' ');
        let mut word = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (worker, record) = (word().and_then(|worker| usize::try_from(worker).ok()), word());
        let expected = worker.and_then(|worker| next.get_mut(worker));
        let Some(expected) = expected.filter(|expected| line.len() == RECORD - 1 && Some(**expected) == record) else {
            return Err(Failure::new(format!("stress: {}: record {number} is {line:?}", folder.display())));
        };
        *expected += 1;
    }
    for (worker, &found) in next.iter().enumerate() {
        let told =
            fs::read_to_string(folder.join(format!("appended.{worker}"))).map_or(0, |text| text.parse().unwrap_or(0));
        ensure(told == found, || format!("stress: worker {worker} appended {told} records, {found} are there"))?;
    }
    Ok(())
}
