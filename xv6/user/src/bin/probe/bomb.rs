//! Bombs: each fills one resource until the kernel refuses, prints `KIND<TAB>COUNT<TAB>ERRNO`, and gives everything back; with
//! `--keep` it just exits, and giving back is the kernel's work (files stay where they were made).
//!
//! Key types: [`Plan`], what the command line asks for. Neighbours: `load.rs` has the simple ones of memory, tasks and disk.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use super::errno;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// The kinds of bombs.
pub const KINDS: [&str; 13] = [
    "fds",
    "pipes",
    "epolls",
    "ptys",
    "mounts",
    "inodes",
    "directories",
    "symlinks",
    "deep-path",
    "unshare",
    "threads",
    "processes",
    "zombies",
];

/// What to fill, and how far.
pub struct Plan {
    kind: String,
    limit: u64,
    folder: PathBuf,
    /// `folder` gets a tmpfs with so many inodes that only this process sees.
    tmpfs: Option<u32>,
    keep: bool,
}

impl Plan {
    /// Reads `KIND [--limit N] [--in DIR] [--tmpfs INODES] [--keep]`.
    pub fn read(words: &[&str]) -> Option<Plan> {
        let (kind, mut rest) = words.split_first()?;
        let mut plan = Plan { kind: (*kind).to_owned(), limit: u64::MAX, folder: ".".into(), tmpfs: None, keep: false };
        loop {
            rest = match rest {
                [] => return KINDS.contains(kind).then_some(plan),
                ["--limit", count, more @ ..] => {
                    plan.limit = count.parse().ok()?;
                    more
                }
                ["--in", folder, more @ ..] => {
                    plan.folder = folder.into();
                    more
                }
                ["--tmpfs", inodes, more @ ..] => {
                    plan.tmpfs = Some(inodes.parse().ok()?);
                    more
                }
                ["--keep", more @ ..] => {
                    plan.keep = true;
                    more
                }
                _ => return None,
            };
        }
    }

    /// Calls `one` with 0, 1, 2, ... until it fails or the limit is reached; prints how often it worked and what it made.
    fn fill<T>(&self, out: &mut Out, mut one: impl FnMut(u64) -> io::Result<T>) -> Result<Vec<T>, Failure> {
        let mut made = Vec::new();
        let mut end = "ok".to_owned();
        while (made.len() as u64) < self.limit {
            match one(made.len() as u64) {
                Ok(thing) => made.push(thing),
                Err(error) => {
                    end = errno::name(&error);
                    break;
                }
            }
        }
        self.report(made.len() as u64, &end, out)?;
        Ok(made)
    }

    fn report(&self, count: u64, end: &str, out: &mut Out) -> Result<(), Failure> {
        writeln!(out, "{}\t{count}\t{end}", self.kind)?;
        out.flush()?;
        Ok(())
    }
}

/// Runs a bomb.
pub fn run(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    if let Some(inodes) = plan.tmpfs {
        private_mounts()?;
        let inodes = std::ffi::CString::new(format!("nr_inodes={inodes}")).map_err(io::Error::from).about("--tmpfs")?;
        mount(&plan.folder, &inodes).about(plan.folder.display().to_string())?;
    }
    match plan.kind.as_str() {
        "fds" => files(plan, out, |_| Ok(fs::File::open("/dev/null")?.into()))?,
        "epolls" => {
            files(plan, out, |_| Ok(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?))?
        }
        "ptys" => files(plan, out, |_| {
            let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
            Ok(rustix::pty::openpt(flags)?)
        })?,
        "pipes" => pipes(plan, out)?,
        "mounts" => mounts(plan, out)?,
        "inodes" => entries(plan, out, |path| fs::File::create_new(path).map(drop), |path| fs::remove_file(path))?,
        "directories" => entries(plan, out, |path| fs::create_dir(path), |path| fs::remove_dir(path))?,
        "symlinks" => {
            entries(plan, out, |path| symlink("/a/target/of/some/length", path), |path| fs::remove_file(path))?
        }
        "deep-path" => deep_path(plan, out)?,
        "unshare" => nested(plan, out)?,
        "threads" => threads(plan, out)?,
        "processes" => processes(plan, out)?,
        _ => zombies(plan, out)?,
    }
    Ok(0)
}

/// Raises the limit of descriptors as far as it goes, then opens.
fn files(plan: &Plan, out: &mut Out, one: impl FnMut(u64) -> io::Result<OwnedFd>) -> Result<(), Failure> {
    raise_files();
    plan.fill(out, one).map(drop)
}

fn raise_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // Without leave to raise it, the limit that there is gets reached.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Pipes with a page of data in each: memory that no process has mapped.
fn pipes(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    raise_files();
    let page = [0x5a; 4096];
    plan.fill(out, |_| {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        rustix::io::write(&writer, &page)?;
        Ok((reader, writer))
    })
    .map(drop)
}

/// A mount namespace of its own; whoever may not make one as it is becomes root in a user namespace first.
fn private_mounts() -> Result<(), Failure> {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(io::Error::from).about("unshare")?;
    }
    Ok(())
}

fn mount(folder: &std::path::Path, options: &std::ffi::CStr) -> io::Result<()> {
    Ok(rustix::mount::mount("tmpfs", folder, "tmpfs", MountFlags::empty(), options)?)
}

/// A tmpfs full of mount points, each with a tmpfs of its own.
fn mounts(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    private_mounts()?;
    mount(&plan.folder, c"").about(plan.folder.display().to_string())?;
    let made = plan.fill(out, |number| {
        let point = plan.folder.join(number.to_string());
        fs::create_dir(&point)?;
        mount(&point, c"").map(|()| point)
    })?;
    if !plan.keep {
        for point in made {
            rustix::mount::unmount(&point, UnmountFlags::empty()).about("umount")?;
        }
        rustix::mount::unmount(&plan.folder, UnmountFlags::empty()).about("umount")?;
    }
    Ok(())
}

/// Entries of one directory.
fn entries(
    plan: &Plan,
    out: &mut Out,
    make: impl Fn(&Path) -> io::Result<()>,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> Result<(), Failure> {
    let folder = plan.folder.join("bomb");
    fs::create_dir(&folder).about("bomb")?;
    let made = plan.fill(out, |number| {
        let path = folder.join(format!("entry-{number}"));
        make(&path).map(|()| path)
    })?;
    // In a cgroup there are files that nobody can remove: no more is taken away than was made.
    if !plan.keep {
        for path in made {
            remove(&path).about(&path)?;
        }
        fs::remove_dir(&folder).about("bomb")?;
    }
    Ok(())
}

/// Directories each inside the one before.
fn deep_path(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    std::env::set_current_dir(&plan.folder).about("chdir")?;
    let made = plan.fill(out, |_| fs::create_dir("deep").and_then(|()| std::env::set_current_dir("deep")))?;
    // One that was made but could not be entered is none of them.
    if !plan.keep {
        let _ = fs::remove_dir("deep");
        for () in made {
            std::env::set_current_dir("..").about("chdir ..")?;
            fs::remove_dir("deep").about("rmdir")?;
        }
    }
    Ok(())
}

/// A chain of children, each in namespaces inside its parent's. Each tells by a byte that it got there, the last one why it did
/// not get further; they all wait for the ones below.
fn nested(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).about("pipe")?;
    let writer = fs::File::from(writer);
    if let Forked::Parent(first) = fork().about("fork")? {
        drop(writer);
        let mut told = String::new();
        fs::File::from(reader).read_to_string(&mut told).about("the chain")?;
        rustix::process::waitpid(Some(first), WaitOptions::empty()).about("wait")?;
        let end = told.trim_start_matches('.');
        return plan.report((told.len() - end.len()) as u64, end, out);
    }
    let spaces = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    let tell = |text: &str| {
        // Nobody to tell means that the parent is gone: the chain ends then, too.
        if (&writer).write_all(text.as_bytes()).is_err() {
            std::process::exit(1);
        }
    };
    let mut level = 0;
    loop {
        if level == plan.limit {
            tell("ok");
            std::process::exit(0);
        }
        match unshare(spaces).map_err(io::Error::from).and_then(|()| be_root()).and_then(|()| fork()) {
            Ok(Forked::Child) => tell("."),
            Ok(Forked::Parent(child)) => {
                let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
                std::process::exit(0);
            }
            Err(error) => {
                tell(&errno::name(&error));
                std::process::exit(0);
            }
        }
        level += 1;
    }
}

/// Maps root of this process's new user namespace: whoever is nobody there may make none below it (user_namespaces(7)).
fn be_root() -> io::Result<()> {
    fs::write("/proc/self/uid_map", "0 0 1")?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", "0 0 1")
}

/// Threads that all wait.
fn threads(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let made = plan.fill(out, |_| {
        let gate = Arc::clone(&gate);
        std::thread::Builder::new().stack_size(1 << 14).spawn(move || {
            let (open, changed) = &*gate;
            // A lock poisoned by another's panic ends the thread, as it should.
            drop(open.lock().map(|open| changed.wait_while(open, |open| !*open)));
        })
    })?;
    if plan.keep {
        // Not through the runtime's end, which could wait: the threads are the kernel's to end.
        std::process::exit(0);
    }
    if let Ok(mut open) = gate.0.lock() {
        *open = true;
        gate.1.notify_all();
    }
    for thread in made {
        thread.join().map_err(|_| Failure::new("a thread panicked"))?;
    }
    Ok(())
}

/// Children that all wait for the end of this process.
fn processes(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).about("pipe")?;
    let mut writer = Some(writer);
    let made = plan.fill(out, |_| match fork()? {
        Forked::Child => {
            drop(writer.take());
            let _ = rustix::io::read(&reader, &mut [0; 1]);
            std::process::exit(0)
        }
        Forked::Parent(child) => Ok(child),
    })?;
    if !plan.keep {
        for child in &made {
            rustix::process::kill_process(*child, Signal::KILL).about("kill")?;
        }
        wait(made)?;
    }
    Ok(())
}

/// Children that have ended and that nobody waits for.
fn zombies(plan: &Plan, out: &mut Out) -> Result<(), Failure> {
    let made = plan.fill(out, |_| match fork()? {
        Forked::Child => std::process::exit(0),
        Forked::Parent(child) => Ok(child),
    })?;
    if plan.keep { Ok(()) } else { wait(made) }
}

fn wait(children: Vec<Pid>) -> Result<(), Failure> {
    for child in children {
        rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
    }
    Ok(())
}
