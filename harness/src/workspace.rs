//! workspace: where things lie on the host.
//!
//! [`root`] is the checkout; everything the harness makes goes under [`build`], which is safe to delete at any time.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// The checkout this harness was built from; `XV6_ROOT` overrides it (for a harness binary that was moved elsewhere).
pub fn root() -> PathBuf {
    match std::env::var_os("XV6_ROOT") {
        Some(root) => PathBuf::from(root),
        None => {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            here.parent().unwrap_or(here).to_path_buf()
        }
    }
}

/// The folder for everything built: target directory, disks, transcripts, locks.
pub fn build() -> PathBuf {
    root().join("build")
}

/// A subfolder of [`build`], created when absent.
///
/// # Errors
/// `Setup` when it cannot be created.
pub fn build_dir(name: &str) -> Result<PathBuf, Failure> {
    let dir = build().join(name);
    std::fs::create_dir_all(&dir).map_err(|e| Failure::setup(format_args!("create {}", dir.display()), e))?;
    Ok(dir)
}
