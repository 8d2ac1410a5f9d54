//! import: images from elsewhere.
//!
//! [`import`] takes what people have at hand: a folder (a root file system), a `docker export` tar (the same as a tar), a
//! `docker save` tar, or an OCI layout as a folder or tar. It looks at the contents to tell which. Compressed layers are
//! unpacked, since the guest mounts layer tars in place; their digests follow.

use crate::error::{Context, Error, Result};
use crate::layer::pack;
use crate::oci::{Config, Descriptor, INDEX, Index, LAYER, Layout, MANIFEST, Manifest, REF_NAME, blob_path};
use crate::tree::{Modes, Tree};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// One entry of the `manifest.json` in a `docker save` tar.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// Adds what lies at `path` to `layout` as image `name`.
///
/// # Errors
/// What cannot be read or understood, with the file named.
pub fn import(layout: &mut Layout, name: &str, path: &Path) -> Result<()> {
    let meta = path.metadata().about(path.display())?;
    let imported = if meta.is_dir() {
        if path.join("oci-layout").is_file() {
            from_layout(layout, name, &|file| std::fs::read(path.join(file)).about(path.join(file).display()))
        } else {
            from_folder(layout, name, path)
        }
    } else {
        let bytes = unpacked(std::fs::read(path).about(path.display())?).about(path.display())?;
        from_tar(layout, name, bytes).about(path.display())
    };
    imported.about(format_args!("image {name}"))
}

fn from_folder(layout: &mut Layout, name: &str, path: &Path) -> Result<()> {
    let mut tree = Tree::default();
    tree.add_host(path, "", Modes::Kept)?;
    from_layer(layout, name, pack(&tree)?)
}

/// An image of one layer, whose command is a shell.
fn from_layer(layout: &mut Layout, name: &str, tar: Vec<u8>) -> Result<()> {
    let layer = layout.add_blob(LAYER, tar);
    let mut config = Config::scratch();
    config.rootfs.diff_ids.push(layer.digest.clone());
    config.config.cmd = Some(vec!["/bin/sh".into()]);
    config.config.env = Some(vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()]);
    let json = serde_json::to_vec(&config).about("config")?;
    layout.add_image(name, json, vec![layer])
}

/// The files of an image archive that are small or wanted, and hard or symbolic links between them (old `docker save`
/// links equal layers to each other).
fn from_tar(layout: &mut Layout, name: &str, bytes: Vec<u8>) -> Result<()> {
    let mut is_archive = (false, false);
    let mut ranges = BTreeMap::new();
    let mut links = BTreeMap::new();
    for entry in tar::Archive::new(&bytes[..]).entries().about("tar")? {
        let entry = entry.about("tar")?;
        let path = entry.path().about("tar")?.to_string_lossy().trim_start_matches("./").to_string();
        is_archive.0 |= path == "oci-layout";
        is_archive.1 |= path == "manifest.json";
        if let Some(target) = entry.link_name().about("tar")? {
            let target = target.to_string_lossy().trim_start_matches("../").to_string();
            links.insert(path, target);
        } else {
            let start = usize::try_from(entry.raw_file_position()).about("tar")?;
            ranges.insert(path, start..start + usize::try_from(entry.size()).about("tar")?);
        }
    }
    let read = |file: &str| -> Result<Vec<u8>> {
        let file = links.get(file).map_or(file, String::as_str);
        let range = ranges.get(file).cloned().ok_or_else(|| Error::new(file, "missing in the archive"))?;
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| Error::new(file, "the archive is cut short"))
    };
    match is_archive {
        (_, true) => from_saved(layout, name, &read),
        (true, false) => from_layout(layout, name, &read),
        (false, false) => from_layer(layout, name, bytes),
    }
}

fn from_saved(layout: &mut Layout, name: &str, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<()> {
    let all: Vec<Saved> = serde_json::from_slice(&read("manifest.json")?).about("manifest.json")?;
    let tagged =
        |saved: &&Saved| saved.repo_tags.iter().flatten().any(|tag| tag == name || *tag == format!("{name}:latest"));
    let saved = match (all.iter().find(tagged), &all[..]) {
        (Some(saved), _) => saved,
        (None, [saved]) => saved,
        _ => return Err(Error::new("manifest.json", "several images, none of that name")),
    };
    let mut layers = Vec::new();
    for layer in &saved.layers {
        layers.push(layout.add_blob(LAYER, unpacked(read(layer)?).about(layer)?));
    }
    layout.add_image(name, read(&saved.config)?, layers)
}

fn from_layout(layout: &mut Layout, name: &str, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<()> {
    let index: Index = serde_json::from_slice(&read("index.json")?).about("index.json")?;
    let manifest = manifest_of(&index, name, read)?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let bytes = unpacked(read(&blob_path(&layer.digest))?).about(&layer.digest)?;
        layers.push(layout.add_blob(LAYER, bytes));
    }
    layout.add_image(name, read(&blob_path(&manifest.config.digest))?, layers)
}

/// The manifest of `name` in `index`, or that of its only image; an index of platforms is followed to linux/amd64.
fn manifest_of(index: &Index, name: &str, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<Manifest> {
    let named = |d: &&Descriptor| {
        d.annotations.get(REF_NAME).is_some_and(|r| r == name || r.rsplit(':').next_back() == Some(name))
    };
    let ours = |d: &&Descriptor| d.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == "amd64");
    let found = index.manifests.iter().find(named).or_else(|| index.manifests.iter().find(ours));
    let descriptor = match (found, &index.manifests[..]) {
        (Some(descriptor), _) | (None, [descriptor]) => descriptor,
        _ => return Err(Error::new("index.json", "several images, none of that name or for linux/amd64")),
    };
    let bytes = read(&blob_path(&descriptor.digest))?;
    match descriptor.media_type.as_str() {
        INDEX | "application/vnd.docker.distribution.manifest.list.v2+json" => {
            manifest_of(&serde_json::from_slice(&bytes).about(&descriptor.digest)?, name, read)
        }
        MANIFEST | "application/vnd.docker.distribution.manifest.v2+json" => {
            serde_json::from_slice(&bytes).about(&descriptor.digest)
        }
        other => Err(Error::new(&descriptor.digest, format_args!("unknown media type {other}"))),
    }
}

/// `bytes` without gzip around them.
fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>> {
    match bytes[..] {
        [0x1f, 0x8b, ..] => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).about("gzip")?;
            Ok(plain)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(Error::new("zstd", "this compression is not supported; save with gzip")),
        _ => Ok(bytes),
    }
}
