//! What the machine's end left in the store: no container of an earlier boot runs, and some may be half-made.
//!
//! [`crate::store::RUN`] does not outlive a boot; while it is missing nobody has cleaned up. [`Store::open`] does, with its lock held, and
//! puts it into place at the end, with the names of the containers that are left. A power cut can leave a folder at any point of its making (nothing of it was synced), so whatever cannot have been a
//! container that ran is removed; one that ran stays as `exited (255)`, which is what Docker shows after such an end.

use crate::error::{Context, Result};
use crate::plan::Config;
use crate::start;
use crate::store::{self, RUN, State, Store};
use std::path::Path;

/// The status of a container whose end nobody saw.
const LOST: u8 = 255;

/// True once the store was cleaned up after the last boot, or when there is none.
pub fn is_done() -> bool {
    Path::new(RUN).exists() || !Path::new(store::ROOT).exists()
}

/// Has it done if it is still to be done, and takes abandoned starts back. What cannot be cleaned up now (a read-only disk) is taken as it is.
pub fn ensure() {
    if !is_done() {
        let _ = Store::open();
    } else if start::any_abandoned() {
        let _ = Store::open().and_then(|store| store.sweep());
    }
}

/// Removes what is half-made or was to vanish at its end, and notes the end of the others.
pub fn run(store: &Store) -> Result<()> {
    let containers = Path::new(store::ROOT).join("containers");
    for directory in [&containers, &Path::new(store::ROOT).join("drafts")] {
        std::fs::create_dir_all(directory).at(directory)?;
    }
    store.sweep()?;
    let mut left = Vec::new();
    for entry in std::fs::read_dir(&containers).at(&containers)?.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str() else { continue };
        let config = match (store::read_config(id), store::read_state(id)) {
            (Ok(config), Ok(state)) if !config.remove && state.exit.is_some() => config,
            (Ok(config), Ok(state)) if !config.remove && state.pid != 0 => {
                store::set_state(id, &State { exit: Some(LOST), ..state })?;
                config
            }
            // It ran, and the cut came just when its end was noted.
            (Ok(config), Err(_)) if !config.remove => {
                store::set_state(id, &State { exit: Some(LOST), ..State::default() })?;
                config
            }
            _ => {
                store.discard(id)?;
                continue;
            }
        };
        left.push(config);
    }
    prepare(&left)
}

/// Puts [`RUN`] into place, whole, with the names of the containers that there are.
fn prepare(containers: &[Config]) -> Result<()> {
    let draft = Path::new(RUN).with_extension("new");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).at(&draft)?;
    }
    for directory in ["names", "layers", "starting"] {
        let directory = draft.join(directory);
        std::fs::create_dir_all(&directory).at(&directory)?;
    }
    for config in containers {
        let link = draft.join("names").join(&config.name);
        std::os::unix::fs::symlink(&config.id, &link).at(&link)?;
    }
    std::fs::rename(&draft, RUN).context(RUN)
}
