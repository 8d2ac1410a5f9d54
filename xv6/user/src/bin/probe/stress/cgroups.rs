//! Control groups that come and go: a limit holds for whoever is in, who moves is counted where it is, `cgroup.kill` ends all, and an empty one can be
//! removed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{End, Worker, child, ensure, expect, pipe};
use rustix::io::Errno;
use rustix::process::Signal;
use user::raw::{Forked, fork};
use user::{About, Failure};

const TOP: &str = "/sys/fs/cgroup";
/// Tasks that the group may have, its first process among them.
const MOST: usize = 4;

/// A group of our own, removed at the end.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Result<Group, Failure> {
        let path = Path::new(TOP).join(name);
        fs::create_dir(&path).about(&path)?;
        Ok(Group(path))
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        fs::write(self.0.join(file), text).about(format!("{file} of a group"))
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        fs::read_to_string(self.0.join(file)).about(format!("{file} of a group"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Told by `remove`; on the way of a failure it is tried at least.
        let _ = fs::remove_dir(&self.0);
    }
}

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    // Whoever came first has let all have it.
    fs::write(Path::new(TOP).join("cgroup.subtree_control"), "+pids").about("cgroup.subtree_control")?;
    let group = Group::new(&format!("stress.{}.{}", std::process::id(), worker.rounds))?;
    group.write("pids.max", &MOST.to_string())?;
    let (mut reader, writer) = pipe()?;
    let first = child(|| {
        group.write("cgroup.procs", "0")?;
        let mut made = 0;
        loop {
            match fork() {
                Ok(Forked::Child) => loop {
                    std::thread::park();
                },
                Ok(Forked::Parent(_)) => made += 1,
                Err(error) => {
                    ensure(Errno::from_io_error(&error) == Some(Errno::AGAIN), || format!("fork: {error}"))?;
                    break;
                }
            }
        }
        rustix::io::write(&writer, &[made]).about("pipe")?;
        loop {
            std::thread::park();
        }
    })?;
    drop(writer);
    let mut made = [0];
    reader.read_exact(&mut made).about("pipe")?;
    ensure(usize::from(made[0]) == MOST - 1, || format!("{} forks of {}", made[0], MOST - 1))?;
    let members = group.read("cgroup.procs")?.lines().count();
    ensure(members == MOST, || format!("{members} members"))?;
    if worker.dice.below(2) == 0 {
        // Out and in again: counted where it is.
        fs::write(Path::new(TOP).join("cgroup.procs"), first.to_string()).about("cgroup.procs")?;
        let now = group.read("pids.current")?;
        ensure(now.trim() == (MOST - 1).to_string(), || format!("{now:?} tasks after one left"))?;
        group.write("cgroup.procs", &first.to_string())?;
    }
    let busy = fs::remove_dir(&group.0).err().as_ref().and_then(Errno::from_io_error);
    ensure(busy == Some(Errno::BUSY), || format!("removing a group in use: {busy:?}"))?;
    group.write("cgroup.kill", "1")?;
    expect(first, End::Killed(Signal::KILL))?;
    // The last one's end closes the pipe, a little before it leaves the group.
    ensure(reader.read(&mut [0]).about("pipe")? == 0, || "a member writes after its end".into())?;
    while group.read("cgroup.events")?.contains("populated 1") {
        rustix::thread::sched_yield();
    }
    fs::remove_dir(&group.0).about("rmdir of a group")
}
