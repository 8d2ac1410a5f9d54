//! Layers: each layer's tar is mounted read-only in place, once, and shared by every container that uses it.
//!
//! The mounts live under `/run/conductor/layers/<digest>`; they belong to the images, not to a container, so they stay when a
//! container goes. A container's overlay keeps its layers alive by itself; unmounting one here never pulls it from under a container.

use crate::error::{Context, Result};
use crate::image;
use crate::store::{RUN, Store};
use rustix::mount::MountFlags;
use std::io::ErrorKind;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The mounted directory of layer `digest` (hex).
pub fn directory(digest: &str) -> PathBuf {
    // 16 digits tell layers apart and keep the overlay's option line short.
    Path::new(RUN).join("layers").join(&digest[..digest.len().min(16)])
}

/// Mounts those of `digests` that are not mounted yet. The store's lock is held, so that two starts do not mount one twice.
pub fn mount(_locked: &Store, digests: &[String]) -> Result<()> {
    let unmounted = device(&Path::new(RUN).join("layers"))?;
    for digest in digests {
        let target = directory(digest);
        if device(&target)?.is_none_or(|device| Some(device) == unmounted) {
            std::fs::create_dir_all(&target).at(&target)?;
            let flags = MountFlags::RDONLY | MountFlags::NODEV;
            let source = image::blob(digest);
            rustix::mount::mount(&source, &target, "tarfs", flags, None).context(format!("mounting layer {digest}"))?;
        }
    }
    Ok(())
}

/// The device that `directory` is on, if it is there. Something is mounted on it if that is not its parent's.
fn device(directory: &Path) -> Result<Option<u64>> {
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => Ok(Some(metadata.at(directory)?.st_dev())),
    }
}
