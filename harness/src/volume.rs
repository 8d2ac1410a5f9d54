//! volume: the guest's two disks, packed with `fsbuild` as a library.
//!
//! [`root_disk`] puts the built programs and the skeleton of `/etc` on an xv6fs volume. [`image_volume`] builds the recipes
//! under `images/` (which reach the programs as context `userland`) and what the user adds by `--image`.
//! [`with_extras`] keeps the last volumes with extra images, so that a second run with the same ones starts at once.

use crate::failure::Failure;
use crate::stamp::Inputs;
use crate::workspace;
use fsbuild::oci::Layout;
use fsbuild::recipe::Contexts;
use fsbuild::tree::{Entry, Modes, Tree};
use fsbuild::{import, recipe, root};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The usual root disk's size in bytes; its file is sparse.
pub const ROOT_SIZE: u64 = 1 << 30;

/// How many volumes with extra images are kept.
const KEPT_VOLUMES: usize = 4;

/// Directories of the root disk that nothing is in yet.
const MOUNT_POINTS: [&str; 11] =
    ["dev", "etc", "images", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "var/lib"];

/// An image to add to the volume: what `--image NAME=PATH` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// The image's name.
    pub name: String,
    /// A folder, a docker export or save tar, or an OCI layout.
    pub path: PathBuf,
}

impl std::str::FromStr for Extra {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(Self { name: name.into(), path: path.into() })
            }
            _ => Err("expected NAME=PATH".into()),
        }
    }
}

/// The folder with the built programs: `bin/` and `sbin/init`.
pub fn userland() -> PathBuf {
    workspace::build().join("userland")
}

/// Writes a root disk of `size` bytes to `out`.
///
/// # Errors
/// `Setup` with the file and the cause.
pub fn root_disk(userland: &Path, out: &Path, size: u64) -> Result<(), Failure> {
    let mut tree = Tree::default();
    let pack = |tree: &mut Tree| {
        for dir in MOUNT_POINTS {
            tree.make_dirs(dir)?;
        }
        tree.add_host(&workspace::root().join("fsbuild/skeleton"), "", Modes::Unshared)?;
        tree.add_host(userland, "", Modes::Unshared)?;
        tree.put("root", Entry { mode: 0o700, ..Entry::dir() })?;
        tree.put("tmp", Entry { mode: 0o1777, ..Entry::dir() })?;
        root::write(tree, out, size)
    };
    pack(&mut tree).map_err(|e| Failure::setup("pack the root disk", e))
}

/// Writes the image volume to `out`: the recipes under `images/`, and `extra`.
///
/// # Errors
/// `Setup` with the recipe's line or the file, and the cause.
pub fn image_volume(extra: &[Extra], out: &Path) -> Result<(), Failure> {
    eprintln!("     Packing {}", shown(out));
    let pack = || {
        let mut layout = Layout::default();
        let contexts = Contexts::from([("userland".to_string(), userland())]);
        recipe::build_all(&mut layout, &workspace::root().join("images"), &contexts)?;
        for Extra { name, path } in extra {
            // An image of the user's takes the place of ours.
            layout.images.remove(name.strip_suffix(":latest").unwrap_or(name));
            import::import(&mut layout, name, path)?;
        }
        fsbuild::volume::write(&layout, out)
    };
    pack().map_err(|e| Failure::setup("pack the image volume", e))
}

/// The volume with `extra` images, made anew when one of them or the guest (its `sources` stamp) changed.
///
/// # Errors
/// As [`image_volume`].
pub fn with_extras(sources: &str, extra: &[Extra]) -> Result<PathBuf, Failure> {
    let mut inputs = Inputs::default().word(sources);
    for Extra { name, path } in extra {
        inputs = inputs.word(name).path(path)?;
    }
    let dir = workspace::build_dir("volumes")?;
    let volume = dir.join(format!("{}.img", &inputs.stamp()[..16]));
    if !volume.exists() {
        // A half-written volume never gets the name.
        let draft = dir.join("draft");
        image_volume(extra, &draft)?;
        prune(&dir);
        let naming = |e| Failure::setup(format_args!("rename to {}", volume.display()), e);
        std::fs::rename(&draft, &volume).map_err(naming)?;
    }
    Ok(volume)
}

/// Removes the oldest volumes.
fn prune(dir: &Path) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut old: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "img"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort();
    for (_, path) in &old[..old.len().saturating_sub(KEPT_VOLUMES - 1)] {
        let _ = std::fs::remove_file(path);
    }
}

/// A path as a person in the checkout would write it.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}
