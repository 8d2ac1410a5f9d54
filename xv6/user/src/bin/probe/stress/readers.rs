//! Readers of everything in `/proc` and the control groups, while what it tells of comes and goes.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Worker, ensure};
use rustix::io::Errno;
use user::{About, Failure};

/// Files and links of each process.
const FILES: [&str; 12] = [
    "stat",
    "status",
    "maps",
    "cmdline",
    "environ",
    "mounts",
    "mountinfo",
    "cgroup",
    "limits",
    "statm",
    "uid_map",
    "comm",
];
const LINKS: [&str; 7] = ["exe", "cwd", "root", "ns/mnt", "ns/pid", "ns/user", "ns/uts"];
/// Files of the whole machine.
const SYSTEM: [&str; 7] = ["meminfo", "stat", "loadavg", "uptime", "mounts", "filesystems", "sys/kernel/hostname"];

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    if worker.dice.below(4) == 0 {
        groups(Path::new("/sys/fs/cgroup")).about("cgroups")?;
    }
    for file in SYSTEM {
        let text = fs::read_to_string(Path::new("/proc").join(file)).about(file)?;
        ensure(!text.is_empty(), || format!("/proc/{file} is empty"))?;
    }
    // The whole list first: it goes by number, and who looked at each on the way would never come to the end of those that are made meanwhile.
    let names: Vec<String> = fs::read_dir("/proc")
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
        .about("/proc")?;
    let processes: Vec<&String> = names.iter().filter(|name| name.parse::<u32>().is_ok()).collect();
    // Its parent and itself at least.
    ensure(processes.len() >= 2, || format!("{} processes", processes.len()))?;
    processes.into_iter().try_for_each(|name| process(name))
}

/// What of `result` is no wonder for something that may be gone.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // EACCES: in a namespace of which we are not the owner.
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::SRCH | Errno::ACCESS | Errno::NODEV)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn process(name: &str) -> Result<(), Failure> {
    let folder = Path::new("/proc").join(name);
    for file in FILES {
        let bytes = match unless_gone(fs::read(folder.join(file))) {
            // A process that has ended sees no mounts any more.
            Err(error) if file.starts_with("mount") && Errno::from_io_error(&error) == Some(Errno::INVAL) => None,
            read => read.about(format!("/proc/{name}/{file}"))?,
        };
        if let ("stat", Some(bytes)) = (file, &bytes) {
            let right = bytes.starts_with(format!("{name} (").as_bytes()) && bytes.ends_with(b"\n");
            ensure(right, || format!("/proc/{name}/stat: {:?}", String::from_utf8_lossy(bytes)))?;
        }
    }
    for link in LINKS {
        unless_gone(fs::read_link(folder.join(link))).about(format!("/proc/{name}/{link}"))?;
    }
    for list in ["fd", "task"] {
        let path = folder.join(list);
        for entry in unless_gone(fs::read_dir(&path)).about(&path)?.into_iter().flatten() {
            // The list itself may end before its time.
            let Some(entry) = unless_gone(entry).about(&path)? else { break };
            match list {
                "fd" => drop(unless_gone(fs::read_link(entry.path())).about(entry.path())?),
                _ => drop(unless_gone(fs::read(entry.path().join("stat"))).about(entry.path())?),
            }
        }
    }
    Ok(())
}

/// All groups below `folder`.
fn groups(folder: &Path) -> io::Result<()> {
    for entry in unless_gone(fs::read_dir(folder))?.into_iter().flatten() {
        let Some(entry) = unless_gone(entry)? else { break };
        let path = entry.path();
        match unless_gone(entry.file_type())? {
            Some(kind) if kind.is_dir() => groups(&path)?,
            Some(_) => match unless_gone(fs::read(&path)) {
                // A file to write only.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INVAL | Errno::OPNOTSUPP)) => {}
                read => drop(read?),
            },
            None => {}
        }
    }
    Ok(())
}
