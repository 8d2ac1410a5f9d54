//! A container's cgroup (Linux's cgroup-v2.rst): `/sys/fs/cgroup/conductor/<id>`, with its limits and its kill switch.

use crate::error::{Context, Failure, Result};
use crate::plan::Config;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";

/// Groups that a container may make below its own: the kernel has a number for all.
const DESCENDANTS: &str = "256";

/// How long the last processes of a killed container may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

fn directory(id: &str) -> PathBuf {
    Path::new(ROOT).join("conductor").join(id)
}

/// Makes the container's cgroup with its limits. A boot's first one needs the groups above prepared.
pub fn create(config: &Config) -> Result<()> {
    let own = directory(&config.id);
    prepared(|| std::fs::create_dir(&own)).at(&own)?;
    let limit = own.join("pids.max");
    prepared(|| write(&limit, &config.pids.to_string())).at(&limit)?;
    let limit = own.join("cgroup.max.descendants");
    write(&limit, DESCENDANTS).at(&limit)
}

/// Does `step`, and again after [`prepare`] if something was missing.
fn prepared(step: impl Fn() -> std::io::Result<()>) -> std::io::Result<()> {
    match step() {
        Err(error) if error.kind() == ErrorKind::NotFound => prepare().and_then(|()| step()),
        result => result,
    }
}

/// Makes the group above the containers' and lets it limit them.
fn prepare() -> std::io::Result<()> {
    let parent = Path::new(ROOT).join("conductor");
    for cgroup in [Path::new(ROOT), &parent] {
        std::fs::create_dir_all(cgroup)?;
        write(&cgroup.join("cgroup.subtree_control"), "+pids")?;
    }
    Ok(())
}

/// Writes to a control file. One that is not there (yet, or any more) is not found: asked to create it, the kernel would refuse that instead.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    File::options().write(true).open(path)?.write_all(text.as_bytes())
}

/// Moves the calling process into the cgroup.
pub fn join(id: &str) -> Result<()> {
    let procs = directory(id).join("cgroup.procs");
    write(&procs, "0").at(&procs)
}

/// Kills every process in the cgroup (`cgroup.kill`). A cgroup that is gone holds none.
pub fn kill(id: &str) -> Result<()> {
    let kill = directory(id).join("cgroup.kill");
    match write(&kill, "1") {
        Err(error) if is_gone(&error) => Ok(()),
        result => result.at(&kill),
    }
}

/// Whether a cgroup was removed: before its file was opened, or (`ENODEV`) since.
fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::NODEV)
}

/// Kills what is left in the cgroup, waits for it, and removes the cgroup with those that the container made below it. One that is gone is fine.
pub fn remove(id: &str) -> Result<()> {
    let own = directory(id);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match rustix::fs::rmdir(&own) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) if Instant::now() < deadline => {
                kill(id)?;
                wait_for_change(&own.join("cgroup.events"))?;
                remove_below(CWD, &own).map_err(std::io::Error::from).at(&own)?;
            }
            Err(error) => return Err(std::io::Error::from(error)).at(&own),
        }
    }
}

/// Removes all groups below one; those that are in use stay. Relative to open folders: a path to the last might be longer than paths may be.
fn remove_below(parent: BorrowedFd<'_>, group: impl Arg) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::openat(parent, group, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        folder => folder?,
    };
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type() != FileType::Directory || [c".", c".."].contains(&name) {
            continue;
        }
        remove_below(folder.as_fd(), name)?;
        match rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::BUSY) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until `cgroup.events` says that nobody is left, or a moment.
fn wait_for_change(events: &Path) -> Result<()> {
    let file = match File::open(events) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.at(events)?,
    };
    let text = match std::io::read_to_string(&file) {
        Err(error) if is_gone(&error) => return Ok(()),
        text => text.at(events)?,
    };
    if text.contains("populated 0") {
        return Ok(());
    }
    let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    match poll(&mut [PollFd::new(&file, PollFlags::PRI)], Some(&moment)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(Failure::new(format!("{}: {error}", events.display()))),
    }
}
