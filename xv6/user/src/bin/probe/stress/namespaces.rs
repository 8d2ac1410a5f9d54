//! Namespaces of every kind, made, entered and left: each process sees what belongs to its own, and what ends takes its namespaces along.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;

use super::{End, Worker, child, ensure, expect, pipe};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{PidfdFlags, Signal, getpid, kill_process, pidfd_open};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType};
use rustix::thread::{move_into_link_name_space, move_into_thread_name_spaces};
use user::{About, Failure};

/// The kinds that a process may leave at any time.
const KINDS: [CloneFlags; 6] = [
    CloneFlags::CLONE_NEWUTS,
    CloneFlags::CLONE_NEWIPC,
    CloneFlags::CLONE_NEWNS,
    CloneFlags::CLONE_NEWPID,
    CloneFlags::CLONE_NEWNET,
    CloneFlags::CLONE_NEWCGROUP,
];
/// How many processes enter another's namespaces.
const VISITORS: usize = 2;
/// How deep pid namespaces are nested.
const DEPTH: usize = 3;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let before = hostname()?;
    match worker.dice.below(3) {
        0 => some(worker)?,
        1 => visit(worker)?,
        _ => expect(child(|| nested(DEPTH))?, End::Status(0))?,
    }
    let after = hostname()?;
    ensure(before == after, || format!("the host name was {before:?} and is {after:?}"))
}

fn hostname() -> Result<String, Failure> {
    fs::read_to_string("/proc/sys/kernel/hostname").about("hostname")
}

fn set_hostname(name: &str) -> Result<(), Failure> {
    rustix::system::sethostname(name.as_bytes()).about("sethostname")
}

/// Any set of kinds at once, now and then with a user namespace of its own.
fn some(worker: &mut Worker) -> Result<(), Failure> {
    let mut flags = CloneFlags::empty();
    for kind in KINDS {
        if worker.dice.below(2) == 0 {
            flags |= kind;
        }
    }
    if worker.dice.below(4) == 0 {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    let name = format!("stress-{}", worker.number);
    let pid = child(|| {
        unshare(flags).about("unshare")?;
        if flags.contains(CloneFlags::CLONE_NEWUTS) {
            set_hostname(&name)?;
        }
        let outer = getpid();
        let inner = child(|| {
            if flags.contains(CloneFlags::CLONE_NEWUTS) {
                ensure(hostname()?.trim_end() == name, || "a host name of nobody's".into())?;
            }
            let first = getpid().as_raw_nonzero().get() == 1;
            ensure(first == flags.contains(CloneFlags::CLONE_NEWPID), || format!("pid {} with {flags:?}", getpid()))?;
            Ok(0)
        })?;
        ensure(inner != outer, || "a child with its parent's number".into())?;
        expect(inner, End::Status(0)).map(|()| 0)
    })?;
    expect(pid, End::Status(0))
}

/// Processes that enter a living one's namespaces, through a pidfd and through its files, while it is about to be killed.
fn visit(worker: &mut Worker) -> Result<(), Failure> {
    let (mut ready, told) = pipe()?;
    let name = format!("host-{}", worker.number);
    let host = child(|| {
        unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNS).about("unshare")?;
        set_hostname(&name)?;
        rustix::io::write(&told, b"r").about("pipe")?;
        loop {
            std::thread::park();
        }
    })?;
    ready.read_exact(&mut [0]).about("pipe")?;
    let by_pid = pidfd_open(host, PidfdFlags::empty()).about("pidfd_open")?;
    let by_file = File::open(format!("/proc/{host}/ns/uts")).about("ns/uts")?;
    let mut visitors = Vec::new();
    for visitor in 0..VISITORS {
        visitors.push(child(|| {
            if visitor % 2 == 0 {
                let kinds = ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME | ThreadNameSpaceType::MOUNT;
                match move_into_thread_name_spaces(by_pid.as_fd(), kinds) {
                    // It was killed before.
                    Err(rustix::io::Errno::SRCH) => return Ok(0),
                    moved => moved.about("setns")?,
                }
            } else {
                // Its file keeps the namespace, whether it lives or not.
                let kind = Some(LinkNameSpaceType::HostNameAndNISDomainName);
                move_into_link_name_space(by_file.as_fd(), kind).about("setns")?;
            }
            let seen = rustix::system::uname();
            ensure(seen.nodename().to_bytes() == name.as_bytes(), || format!("inside {:?}", seen.nodename()))?;
            Ok(0)
        })?);
    }
    kill_process(host, Signal::KILL).about("kill")?;
    expect(host, End::Killed(Signal::KILL))?;
    visitors.into_iter().try_for_each(|visitor| expect(visitor, End::Status(0)))
}

/// Pid namespaces in each other: the outermost init ends, and all inside with it.
fn nested(depth: usize) -> Result<u8, Failure> {
    unshare(CloneFlags::CLONE_NEWPID).about("unshare")?;
    let (mut reader, writer) = pipe()?;
    let init = child(|| {
        ensure(getpid().as_raw_nonzero().get() == 1, || format!("an init with pid {}", getpid()))?;
        // Another one that would stay for ever.
        child(|| {
            loop {
                std::thread::park();
            }
        })?;
        if depth > 1 {
            nested(depth - 1)?;
        }
        rustix::io::write(&writer, b"i").about("pipe")?;
        loop {
            std::thread::park();
        }
    })?;
    drop(writer);
    reader.read_exact(&mut [0]).about("pipe")?;
    kill_process(init, Signal::KILL).about("kill")?;
    expect(init, End::Killed(Signal::KILL))?;
    ensure(reader.read(&mut [0]).about("pipe")? == 0, || "somebody lives on".into())?;
    Ok(0)
}
