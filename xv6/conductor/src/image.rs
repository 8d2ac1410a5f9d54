//! Images: an OCI image layout on the image volume (image-spec, "image-layout.md"), found by name.
//!
//! ```text
//!   /images/index.json --ref.name--> manifest --> config (Entrypoint, Cmd, Env, WorkingDir, User)
//!                                             \-> layers (tars named by sha256, lowest first)
//! ```
//! Nothing is unpacked: `layers` mounts the tars in place.

use crate::error::{Context, Failure, Result};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Where init mounts the image volume.
pub const ROOT: &str = "/images";

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What conductor needs of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The name it goes by, with its tag.
    pub name: String,
    /// The config's digest (hex): the image's id.
    pub id: String,
    /// Layer digests (hex), topmost first.
    pub layers: Vec<String>,
    /// Bytes of all layers.
    pub size: u64,
    /// The image's entrypoint.
    pub entrypoint: Vec<String>,
    /// The image's default command or arguments.
    pub cmd: Vec<String>,
    /// `K=V` lines.
    pub env: Vec<String>,
    /// The working directory; empty for `/`.
    pub workdir: String,
    /// The user; empty for root.
    pub user: String,
}

/// The path of a blob on the volume.
pub fn blob(digest: &str) -> PathBuf {
    Path::new(ROOT).join("blobs/sha256").join(digest)
}

/// The image called `name`; without a tag, `:latest` is meant.
pub fn find(name: &str) -> Result<Image> {
    for descriptor in index()?.manifests() {
        if let Some(found) = ref_name(descriptor)
            && with_tag(found) == with_tag(name)
        {
            return load(descriptor, found);
        }
    }
    Err(Failure::new(format!("{name}: no such image (`conductor images` lists them)")))
}

/// Every image on the volume, by name.
pub fn list() -> Result<Vec<Image>> {
    let index = index()?;
    let named = index.manifests().iter().filter_map(|descriptor| Some((descriptor, ref_name(descriptor)?)));
    let mut images: Vec<Image> = named.map(|(descriptor, name)| load(descriptor, name)).collect::<Result<_>>()?;
    images.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(images)
}

fn index() -> Result<ImageIndex> {
    read(&Path::new(ROOT).join("index.json"))
}

fn load(descriptor: &Descriptor, name: &str) -> Result<Image> {
    let manifest: ImageManifest = read(&blob(descriptor.digest().digest()))?;
    let id = manifest.config().digest().digest().to_owned();
    let configuration: ImageConfiguration = read(&blob(&id))?;
    for layer in manifest.layers() {
        let media_type = layer.media_type().to_string();
        if media_type.ends_with("gzip") || media_type.ends_with("zstd") {
            return Err(Failure::new(format!("{name}: layer {} is compressed ({media_type})", layer.digest())));
        }
    }
    let config = configuration.config().clone().unwrap_or_default();
    Ok(Image {
        name: with_tag(name),
        id,
        layers: manifest.layers().iter().rev().map(|layer| layer.digest().digest().to_owned()).collect(),
        size: manifest.layers().iter().map(Descriptor::size).sum(),
        entrypoint: config.entrypoint().clone().unwrap_or_default(),
        cmd: config.cmd().clone().unwrap_or_default(),
        env: config.env().clone().unwrap_or_default(),
        workdir: config.working_dir().clone().unwrap_or_default(),
        user: config.user().clone().unwrap_or_default(),
    })
}

/// Reads a JSON file whole: serde_json is slow on a stream.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).at(path)?;
    serde_json::from_slice(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn ref_name(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations().as_ref()?.get(REF_NAME).map(String::as_str)
}

/// `name` with `:latest` added if it has no tag.
fn with_tag(name: &str) -> String {
    let after_path = name.rsplit('/').next().unwrap_or(name);
    if after_path.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn a_missing_tag_is_latest() {
        assert_eq!(with_tag("sample"), "sample:latest");
        assert_eq!(with_tag("sample:1"), "sample:1");
        assert_eq!(with_tag("host:5000/sample"), "host:5000/sample:latest");
    }
}
