//! Starts in progress: while a container is being made, `/run/conductor/starting/<id>` exists and is locked (flock(2)) by those at work on it.
//!
//! The lock goes with its holders, however they end: a file that nobody has locked names a start that was abandoned (`kill -9`), and the next
//! command takes back what there is of it ([`sweep`]). Whoever makes a container holds a [`Start`], and so does its first process until it
//! becomes the command, by the descriptor it inherits. Locks: files come and go under the store's.

use crate::error::{Context, Failure, Result};
use crate::store::{self, RUN, Store};
use crate::{cgroup, registry};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(RUN).join("starting")
}

/// A share in a start in progress.
#[derive(Debug)]
pub struct Start {
    path: PathBuf,
    _lock: File,
}

impl Start {
    /// Begins the start of container `id`, of which there is nothing yet.
    pub fn begin(_locked: &Store, id: &str) -> Result<Start> {
        let path = folder().join(id);
        let lock = File::create_new(&path).at(&path)?;
        flock(&lock, FlockOperation::LockShared).at(&path)?;
        Ok(Start { path, _lock: lock })
    }

    /// Takes a share in the start that another process began.
    pub fn join(id: &str) -> Result<Start> {
        let path = folder().join(id);
        let lock = File::open(&path).at(&path)?;
        flock(&lock, FlockOperation::LockShared).at(&path)?;
        // Nobody may have held it for a moment, and that was enough.
        if path.exists() {
            Ok(Start { path, _lock: lock })
        } else {
            Err(Failure::new(format!("{id}: the start was abandoned")))
        }
    }

    /// Ends it: the container runs and its state says so, or nothing is left of it.
    pub fn end(self) -> Result<()> {
        std::fs::remove_file(&self.path).at(&self.path)
    }
}

/// Ends the start of container `id` for all who hold it: nothing is left of the container.
pub fn clear(id: &str) -> Result<()> {
    let path = folder().join(id);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.at(&path),
    }
}

/// The starts that nobody is at work on any more, locked for good by the caller.
fn abandoned() -> Vec<(String, File)> {
    let Ok(entries) = std::fs::read_dir(folder()) else { return Vec::new() };
    let lock = |entry: std::fs::DirEntry| {
        let file = File::open(entry.path()).ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        // Who ends a start takes the file away first: one that went between the two was not abandoned, its container runs.
        if !entry.path().exists() {
            return None;
        }
        Some((entry.file_name().into_string().ok()?, file))
    };
    entries.flatten().filter_map(lock).collect()
}

/// True if a start was abandoned.
pub fn any_abandoned() -> bool {
    !abandoned().is_empty()
}

/// Takes back abandoned starts: processes, cgroup, name and folder.
pub fn sweep(store: &Store) -> Result<()> {
    for (id, _lock) in abandoned() {
        cgroup::remove(&id)?;
        registry::forget(store, &id)?;
        if store::folder(&id).exists() {
            store.discard(&id)?;
        }
        clear(&id)?;
    }
    Ok(())
}
