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
        Ok(())
    };
    let packing = |e| Failure::setup("pack the root disk", e);
    pack(&mut tree).map_err(packing)?;
    replace(out, |draft| root::write(&tree, draft, size).map_err(packing))
}

/// Writes the image volume to `out`: the recipes under `images/`, and `extra`.
///
/// # Errors
/// `Setup` with the recipe's line or the file, and the cause.
pub fn image_volume(extra: &[Extra], out: &Path) -> Result<(), Failure> {
    eprintln!("     Packing {}", shown(out));
    let pack = |draft: &Path| {
        let mut layout = Layout::default();
        let contexts = Contexts::from([("userland".to_string(), userland())]);
        recipe::build_all(&mut layout, &workspace::root().join("images"), &contexts)?;
        for Extra { name, path } in extra {
            // An image of the user's takes the place of ours.
            layout.images.remove(name.strip_suffix(":latest").unwrap_or(name));
            import::import(&mut layout, name, path)?;
        }
        fsbuild::volume::write(&layout, draft)
    };
    replace(out, |draft| pack(draft).map_err(|e| Failure::setup("pack the image volume", e)))
}

/// Has `write` make a file, which then takes the place of what is at `out`. A machine that runs with the old one keeps it, unchanged; a half-written file
/// never gets the name.
fn replace(out: &Path, write: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    let draft = out.with_extension("draft");
    let naming = |e| Failure::setup(format_args!("rename to {}", out.display()), e);
    let done = write(&draft).and_then(|()| std::fs::rename(&draft, out).map_err(naming));
    if done.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    done
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
        image_volume(extra, &volume)?;
        prune(&dir);
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
    for (_, path) in &old[..old.len().saturating_sub(KEPT_VOLUMES)] {
        let _ = std::fs::remove_file(path);
    }
}

/// A path as a person in the checkout would write it.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::replace;
    use crate::failure::Failure;
    use std::fs;
    use std::io::Read;

    #[test]
    fn who_has_the_old_file_keeps_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("disk.img");
        let write = |text: &'static str| {
            move |draft: &std::path::Path| fs::write(draft, text).map_err(|e| Failure::setup("write", e))
        };
        replace(&file, write("old")).expect("written");
        let mut open = fs::File::open(&file).expect("opened");
        replace(&file, write("new")).expect("written");
        let failed = replace(&file, |draft| {
            write("half")(draft)?;
            Err(Failure::setup("write", "no room"))
        });
        assert!(failed.is_err());
        let mut text = String::new();
        open.read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), fs::read_to_string(&file).expect("read").as_str()), ("old", "new"));
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1, "no draft is left");
    }
}
