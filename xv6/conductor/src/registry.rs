//! Which container has which name: `/run/conductor/names/<name>` is a symlink whose text is the container's id.
//!
//! So a name is looked up, and found to be taken, in a time that does not grow with the containers. The links are as short-lived as the
//! boot: [`crate::recovery`] makes them from the containers' folders. A start that was killed can leave a link without a container until the
//! next command ([`crate::start`]); such a name is free. Locks: changes need the store's.

use crate::error::{Context, Failure, Result};
use crate::store::{self, RUN, Store};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn link(name: &str) -> PathBuf {
    Path::new(RUN).join("names").join(name)
}

/// The id that goes with `name`, if there is one.
pub fn find(name: &str) -> Option<String> {
    std::fs::read_link(link(name)).ok()?.into_os_string().into_string().ok()
}

/// Gives `name` to container `id`; refuses a name that another has.
pub fn claim(_locked: &Store, name: &str, id: &str) -> Result<()> {
    let link = link(name);
    match symlink(id, &link) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match find(name) {
            Some(other) if store::folder(&other).exists() => {
                Err(Failure::new(format!("{name}: the name is taken by container {other}")))
            }
            _ => std::fs::remove_file(&link).and_then(|()| symlink(id, &link)).at(&link),
        },
        result => result.at(&link),
    }
}

/// Frees every name that container `id` has.
pub fn forget(_locked: &Store, id: &str) -> Result<()> {
    let names = Path::new(RUN).join("names");
    for entry in std::fs::read_dir(&names).at(&names)?.flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|other| other == Path::new(id)) {
            std::fs::remove_file(entry.path()).at(&entry.path())?;
        }
    }
    Ok(())
}

/// Frees `name` if it is container `id`'s.
pub fn release(_locked: &Store, name: &str, id: &str) -> Result<()> {
    if find(name).as_deref() != Some(id) {
        return Ok(());
    }
    std::fs::remove_file(link(name)).at(&link(name))
}
