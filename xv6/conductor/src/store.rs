//! The store: one folder per container, one lock for all.
//!
//! ```text
//!   /var/lib/conductor/lock                    flock(2) held while containers are created, listed for change, or removed
//!   /var/lib/conductor/containers/<id>/
//!       config.json      resolved options        log      stdout and stderr of the init
//!       state.json       running | exited ...    upper work      the overlay's
//!   /var/lib/conductor/drafts/<id>/            a folder that is not a container yet, or no longer
//! ```
//! A folder is made among the drafts and renamed into place, so a cut in between leaves nothing that looks like a container. Nothing that a
//! start does takes longer the more containers there are: names are looked up in the [`registry`].
//! State survives a reboot; [`Record::is_running`] therefore trusts only a live process with the recorded start time, and [`recovery`] looks
//! through the store once a boot.

use crate::error::{Context, Failure, Result};
use crate::plan::Config;
use crate::{cgroup, names, process, recovery, registry, start};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What outlives a reboot.
pub const ROOT: &str = "/var/lib/conductor";
/// What does not.
pub const RUN: &str = "/run/conductor";
/// Where each container's root is mounted, in a mount namespace of its own.
pub const ROOTFS: &str = "/run/conductor/rootfs";

/// The open store; holds the lock until dropped.
pub struct Store {
    _lock: File,
}

/// Where a container is in its life.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Host pid of the init; 0 before it started.
    pub pid: u32,
    /// The init's start time in clock ticks since boot, which tells it from a later process with its pid.
    pub started: u64,
    /// The exit status, once it has ended.
    pub exit: Option<u8>,
}

/// One container as the store knows it.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its options.
    pub config: Config,
    /// Its state.
    pub state: State,
}

/// The folder of container `id`.
pub fn folder(id: &str) -> PathBuf {
    Path::new(ROOT).join("containers").join(id)
}

fn draft(id: &str) -> PathBuf {
    Path::new(ROOT).join("drafts").join(id)
}

impl Store {
    /// Makes the store if it is not there, waits for its lock, and cleans up if that is still to be done since the boot. Idempotent.
    pub fn open() -> Result<Store> {
        let path = Path::new(ROOT).join("lock");
        let open = || File::options().create(true).truncate(false).write(true).open(&path);
        let lock = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(ROOT).context(ROOT)?;
                open()
            }
            lock => lock,
        };
        let lock = lock.at(&path)?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).at(&path)?;
        let store = Store { _lock: lock };
        if !recovery::is_done() {
            recovery::run(&store)?;
        }
        Ok(store)
    }

    /// Writes a new container down; refuses a name that is taken. Of one that cannot be written (a full disk) nothing is left.
    pub fn add(&self, config: &Config) -> Result<()> {
        registry::claim(self, &config.name, &config.id)?;
        let added = Self::write_down(config);
        if added.is_err() {
            let _ = registry::release(self, &config.name, &config.id);
            let _ = self.sweep();
        }
        added
    }

    fn write_down(config: &Config) -> Result<()> {
        let draft = draft(&config.id);
        for directory in [draft.clone(), draft.join("upper"), draft.join("work")] {
            std::fs::create_dir(&directory).at(&directory)?;
        }
        write(&draft.join("config.json"), config)?;
        write(&draft.join("state.json"), &State::default())?;
        let place = folder(&config.id);
        std::fs::rename(&draft, &place).at(&place)
    }

    /// Removes a container that does not run: its cgroup, its name and its folder.
    pub fn remove(&self, config: &Config) -> Result<()> {
        cgroup::remove(&config.id)?;
        registry::release(self, &config.name, &config.id)?;
        self.discard(&config.id)
    }

    /// Removes a container's folder.
    pub(crate) fn discard(&self, id: &str) -> Result<()> {
        let (place, gone) = (folder(id), draft(id));
        std::fs::rename(&place, &gone).at(&place)?;
        std::fs::remove_dir_all(&gone).at(&gone)
    }

    /// Removes what interrupted creations and removals left.
    pub fn sweep(&self) -> Result<()> {
        start::sweep(self)?;
        let drafts = draft("");
        for entry in std::fs::read_dir(&drafts).at(&drafts)?.flatten() {
            std::fs::remove_dir_all(entry.path()).at(&entry.path())?;
        }
        Ok(())
    }
}

/// Every container. Needs no lock, once the store was cleaned up after the boot: folders appear and vanish whole, and one that vanishes meanwhile is skipped.
pub fn list() -> Result<Vec<Record>> {
    recovery::ensure();
    let containers = Path::new(ROOT).join("containers");
    let entries = match std::fs::read_dir(&containers) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at(&containers)?,
    };
    let mut records: Vec<Record> =
        entries.flatten().filter_map(|entry| load(entry.file_name().to_str()?).ok()).collect();
    records.sort_by(|a, b| a.config.id.cmp(&b.config.id));
    Ok(records)
}

/// The container that `key` means: a name, the host pid of a running init, or the unique start of an id.
pub fn find(key: &str) -> Result<Record> {
    recovery::ensure();
    if names::is_valid(key)
        && let Some(record) = registry::find(key).and_then(|id| load(&id).ok())
        && record.config.name == key
    {
        return Ok(record);
    }
    let mut records = list()?;
    let by_name = records.iter().position(|record| record.config.name == key);
    let by_pid = || records.iter().position(|record| key.parse() == Ok(record.state.pid) && record.is_running());
    if let Some(index) = by_name.or_else(by_pid) {
        return Ok(records.swap_remove(index));
    }
    records.retain(|record| !key.is_empty() && record.config.id.starts_with(key));
    match records.len() {
        0 => Err(Failure::new(format!("{key}: no such container"))),
        1 => Ok(records.swap_remove(0)),
        several => Err(Failure::new(format!("{key}: {several} containers have ids that begin so"))),
    }
}

/// As [`find`], and it must be running.
pub fn find_running(key: &str) -> Result<Record> {
    let record = find(key)?;
    if record.is_running() { Ok(record) } else { Err(Failure::new(format!("{key}: the container is not running"))) }
}

fn load(id: &str) -> Result<Record> {
    Ok(Record { config: read_config(id)?, state: read_state(id)? })
}

/// A container's options.
pub(crate) fn read_config(id: &str) -> Result<Config> {
    read(&folder(id).join("config.json"))
}

/// A container's state.
pub(crate) fn read_state(id: &str) -> Result<State> {
    read(&folder(id).join("state.json"))
}

/// Notes a container's state; the file changes whole or not at all.
pub fn set_state(id: &str, state: &State) -> Result<()> {
    let path = folder(id).join("state.json");
    let draft = path.with_extension("tmp");
    write(&draft, state)?;
    std::fs::rename(&draft, &path).at(&path)
}

impl Record {
    /// True while the init lives.
    pub fn is_running(&self) -> bool {
        self.state.exit.is_none()
            && self.state.pid != 0
            && process::start_time(self.state.pid) == Some(self.state.started)
    }

    /// What `ps` shows: `running`, `exited (N)`, or `created`; `dead` if it ended without anybody to note how.
    pub fn status(&self) -> String {
        match self.state.exit {
            Some(status) => format!("exited ({status})"),
            None if self.is_running() => "running".to_owned(),
            None if self.state.pid == 0 => "created".to_owned(),
            None => "dead".to_owned(),
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).at(path)?;
    serde_json::from_slice(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text =
        serde_json::to_vec_pretty(value).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    std::fs::write(path, text).at(path)
}
