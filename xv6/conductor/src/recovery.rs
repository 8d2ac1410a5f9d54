//! What the machine's end left in the store: no container of an earlier boot runs, and some may be half-made.
//!
//! [`crate::store::RUN`] does not outlive a boot; while it is missing nobody has cleaned up. [`Store::open`] does, with its lock held,
//! before it makes it. A power cut can leave a folder at any point of its making (nothing of it was synced), so whatever cannot have been a
//! container that ran is removed; one that ran stays as `exited (255)`, which is what Docker shows after such an end.

use crate::error::{Context, Result};
use crate::store::{self, RUN, State, Store};
use std::path::Path;

/// The status of a container whose end nobody saw.
const LOST: u8 = 255;

/// True once the store was cleaned up after the last boot, or when there is none.
pub fn is_done() -> bool {
    Path::new(RUN).exists() || !Path::new(store::ROOT).exists()
}

/// Removes what is half-made or was to vanish at its end, and notes the end of the others.
pub fn run(store: &Store) -> Result<()> {
    store.sweep()?;
    let containers = Path::new(store::ROOT).join("containers");
    for entry in std::fs::read_dir(&containers).at(&containers)?.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str() else { continue };
        match (store::read_config(id), store::read_state(id)) {
            (Ok(config), Ok(state)) if !config.remove && state.exit.is_some() => {}
            (Ok(config), Ok(state)) if !config.remove && state.pid != 0 => {
                store::set_state(id, &State { exit: Some(LOST), ..state })?;
            }
            // It ran, and the cut came just when its end was noted.
            (Ok(config), Err(_)) if !config.remove => {
                store::set_state(id, &State { exit: Some(LOST), ..State::default() })?;
            }
            _ => store.remove(id)?,
        }
    }
    Ok(())
}
