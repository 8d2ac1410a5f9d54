//! A disk filled to the last block and the last inode, by one program that holds it to its word: what was accepted can be synced, what was
//! synced is read back, what finds no room is `ENOSPC` (`SIGBUS` to a store), and once all is removed there is as much room as before.
//!
//! Key type: [`Run`]. It prints a line `WHAT<TAB>RESULT` for each step; with `--keep` the files stay, for others to look at. Neighbour:
//! `load.rs`, whose `fill` only fills.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::errno;
use user::raw::expendable;
use user::{About, Failure, Out};

/// Bytes of the file that is there before.
const KEPT: usize = 40_960;
/// Bytes of the file whose space is asked for before.
const PROMISED: usize = 300_000;
/// No step is repeated more often.
const MOST: u64 = 20_000;

/// Room in a file system: free blocks and free inodes.
#[derive(PartialEq, Eq)]
struct Room {
    blocks: u64,
    inodes: u64,
}

/// Something that takes room, numbered.
type Step<'a> = dyn Fn(u64) -> io::Result<()> + 'a;

struct Run<'a> {
    dir: PathBuf,
    out: &'a mut Out,
    /// How asking for space before went.
    promises: Vec<(&'static str, io::Result<()>)>,
}

fn expect(holds: bool) -> io::Result<()> {
    if holds { Ok(()) } else { Err(io::Error::other("it is not so")) }
}

/// Fills the file system that `dir` is on, in a new folder there.
pub fn run(dir: &str, keep: bool, out: &mut Out) -> Result<u8, Failure> {
    let mut run = Run { dir: Path::new(dir).join("full"), out, promises: Vec::new() };
    fs::create_dir(&run.dir).about(dir)?;
    // A name once: the folder's own block, which stays its own, is not counted below.
    File::create(run.dir.join("kept")).about("kept")?;
    let before = run.room()?;
    run.prepare()?;
    run.one_file()?;
    run.everything_else()?;
    run.in_place()?;
    run.many_files()?;
    run.inodes()?;
    if keep {
        return Ok(0);
    }
    let removed = fs::remove_dir_all(&run.dir);
    run.tell("remove", removed)?;
    fs::create_dir(&run.dir).about(dir)?;
    File::create(run.dir.join("kept")).about("kept")?;
    let after = run.room()?;
    run.line(
        "room",
        if after == before {
            "as before".into()
        } else {
            format!("{} blocks and {} inodes less", before.blocks - after.blocks, before.inodes - after.inodes)
        },
    )?;
    fs::remove_dir_all(&run.dir).about(dir)?;
    Ok(0)
}

/// What the bytes from `start` on are: each block differs from the one before.
fn pattern(start: usize, len: usize) -> Vec<u8> {
    (start..start + len).map(|at| (at / 7 + at / 4096) as u8).collect()
}

/// Calls `step` with 0, 1, 2, ... until it fails; how often it did not, and the error.
fn until_refused(mut step: impl FnMut(u64) -> io::Result<()>) -> (u64, io::Result<()>) {
    for count in 0..MOST {
        if let Err(error) = step(count) {
            return (count, Err(error));
        }
    }
    (MOST, Ok(()))
}

impl Run<'_> {
    fn line(&mut self, what: &str, result: String) -> Result<(), Failure> {
        writeln!(self.out, "{what}\t{result}")?;
        self.out.flush()?;
        Ok(())
    }

    fn tell(&mut self, what: &str, result: io::Result<()>) -> Result<(), Failure> {
        self.line(what, result.map_or_else(|error| errno::name(&error), |()| "ok".into()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What is free once everything is on the disk.
    fn room(&self) -> Result<Room, Failure> {
        rustix::fs::sync();
        let stat = rustix::fs::statvfs(&self.dir).map_err(io::Error::from).about("statvfs")?;
        Ok(Room { blocks: stat.f_bavail, inodes: stat.f_ffree })
    }

    /// Whether `name` holds `len` bytes of the pattern.
    fn holds(&self, name: &str, len: usize) -> io::Result<()> {
        let mut file = File::open(self.path(name))?;
        let mut at = 0;
        let mut piece = vec![0; 1 << 16];
        loop {
            match file.read(&mut piece)? {
                0 if at == len => return Ok(()),
                0 => return Err(io::Error::other(format!("{at} bytes, expected {len}"))),
                count if piece[..count] == pattern(at, count) => at += count,
                _ => return Err(io::Error::other(format!("wrong bytes after {at}"))),
            }
        }
    }

    /// What is there before the disk fills, on the disk for good.
    fn prepare(&mut self) -> Result<(), Failure> {
        fs::write(self.path("kept"), pattern(0, KEPT)).about("kept")?;
        fs::write(self.path("small"), b"x").about("small")?;
        File::create(self.path("sparse")).and_then(|file| file.set_len(1 << 20)).about("sparse")?;
        let promised = File::create(self.path("promised")).about("promised")?;
        let promise = |offset, len| rustix::fs::fallocate(&promised, FallocateFlags::empty(), offset, len);
        let one = promise(0, PROMISED as u64).map_err(io::Error::from);
        let before = self.room()?;
        let all = promise(PROMISED as u64, before.blocks * 4096).map_err(io::Error::from);
        let same = self.room()? == before && promised.metadata().is_ok_and(|meta| meta.len() == PROMISED as u64);
        self.promises = vec![("fallocate", one), ("fallocate all", all), ("nothing done", expect(same))];
        self.room().map(drop)
    }

    /// One file takes all, in ever smaller pieces, written when the system pleases.
    fn one_file(&mut self) -> Result<(), Failure> {
        let path = self.path("fill");
        let mut file = OpenOptions::new().append(true).create_new(true).open(&path).about("fill")?;
        let mut size = 0;
        for piece in [1 << 20, 1 << 16, 4096, 1] {
            let (_, end) = until_refused(|_| {
                let count = file.write(&pattern(size, piece))?;
                size += count;
                Ok(())
            });
            self.tell(&format!("write {piece}"), end)?;
        }
        // Told only now: somebody who keeps a log of it on the same disk would take room before.
        for (what, result) in std::mem::take(&mut self.promises) {
            self.tell(what, result)?;
        }
        self.tell("fsync", file.sync_all())?;
        self.tell("read back", self.holds("fill", size))?;
        let promised = OpenOptions::new().write(true).open(self.path("promised")).about("promised")?;
        self.tell("promised", promised.write_all_at(&pattern(0, PROMISED), 0).and_then(|()| promised.sync_all()))?;
        self.tell("read back", self.holds("promised", PROMISED))
    }

    /// The ways to ask for more than a file's bytes, each until it is refused.
    fn everything_else(&mut self) -> Result<(), Failure> {
        let dir = self.dir.clone();
        let small = OpenOptions::new().append(true).open(self.path("small")).about("small")?;
        let append = |_| (&small).write_all(&[b'x'; 1000]);
        let long = "n".repeat(200);
        let folder = |count| fs::create_dir(dir.join(format!("folder-{count}-{long}")));
        let target = "t".repeat(1000);
        let link = |count| symlink(&target, dir.join(format!("link-{count}")));
        let name = |count| fs::hard_link(dir.join("sparse"), dir.join(format!("sparse-{count}-{long}")));
        let steps: [(&str, &Step<'_>); 4] =
            [("append", &append), ("mkdir", &folder), ("symlink", &link), ("link", &name)];
        for (what, step) in steps {
            let (_, end) = until_refused(step);
            self.tell(what, end)?;
        }
        let (old, new) = (dir.join("sparse"), dir.join(format!("renamed-{long}")));
        let renamed = fs::rename(&old, &new);
        let whole = old.exists() != new.exists() && new.exists() == renamed.is_ok();
        self.line("rename", if whole { "whole" } else { "half" }.into())?;
        if renamed.is_ok() {
            fs::rename(&new, &old).about("back")?;
        }
        let signal = self.store_into_hole()?;
        self.line("store", signal)?;
        let synced = small.sync_all().and_then(|()| File::open(&self.dir)?.sync_all());
        self.tell("fsync", synced)
    }

    /// Stores to pages of a hole until that is refused.
    fn store_into_hole(&mut self) -> Result<String, Failure> {
        let file = File::options().read(true).write(true).open(self.path("sparse")).about("sparse")?;
        let child = expendable::sacrifice(&mut || {
            let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
            let descriptor = file.as_raw_fd() as usize;
            let arguments = [0, 1 << 20, protection, libc::MAP_SHARED as usize, descriptor, 0];
            if let Ok(start) = expendable::call(libc::SYS_mmap, arguments) {
                (0..1 << 20).step_by(4096).for_each(|at| expendable::store(start + at, 1));
            }
        });
        let child = child.about("fork")?;
        let status =
            rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).map_err(io::Error::from);
        let signal = status.about("wait")?.and_then(|(_, status)| status.terminating_signal());
        Ok(match signal {
            Some(libc::SIGBUS) => "SIGBUS".into(),
            signal => format!("{signal:?}"),
        })
    }

    /// What needs no room: bytes over bytes, a file emptied and written anew.
    fn in_place(&mut self) -> Result<(), Failure> {
        let kept = OpenOptions::new().write(true).open(self.path("kept")).about("kept")?;
        self.tell("overwrite", kept.write_all_at(&pattern(0, KEPT), 0).and_then(|()| kept.sync_all()))?;
        // A delayed write sets a second block aside, for the file's map: so much less is sure to find room.
        let anew = fs::write(self.path("kept"), pattern(0, KEPT - 4096)).and_then(|()| kept.sync_all());
        self.tell("write anew", anew)?;
        self.tell("read back", self.holds("kept", KEPT - 4096))?;
        self.tell("unlink", fs::remove_file(self.path("fill")))
    }

    /// Many small files take all: each is whole, or its writer knows.
    fn many_files(&mut self) -> Result<(), Failure> {
        let size = |number: u64| 3000 + number as usize % 7 * 5000;
        let many = self.path("many");
        fs::create_dir(&many).about("many")?;
        let (whole, end) = until_refused(|number| fs::write(many.join(number.to_string()), pattern(0, size(number))));
        self.tell("files", end)?;
        rustix::fs::sync();
        let intact = (0..whole).try_for_each(|number| self.holds(&format!("many/{number}"), size(number)));
        self.tell("read back", intact)?;
        self.tell("unlink", fs::remove_dir_all(&many))
    }

    /// Empty files take all inodes.
    fn inodes(&mut self) -> Result<(), Failure> {
        let many = self.path("inodes");
        fs::create_dir(&many).about("inodes")?;
        let (_, end) = until_refused(|number| File::create_new(many.join(number.to_string())).map(drop));
        self.tell("inodes", end)?;
        let left = self.room()?.inodes;
        self.line("inodes left", left.to_string())?;
        self.tell("one more", symlink("target", self.path("one-more")))?;
        self.tell("write", fs::write(self.path("kept"), pattern(0, KEPT)))?;
        self.tell("unlink", fs::remove_dir_all(&many))
    }
}
