//! volume: the image volume as a whole: an OCI layout on FAT.

use crate::error::{Context, Error, Result};
use crate::fat;
use crate::oci::{Index, Layout, Manifest, REF_NAME, blob_path, digest};
use std::path::Path;

/// Writes `layout` to a new image volume at `path`.
///
/// # Errors
/// What the host says.
pub fn write(layout: &Layout, path: &Path) -> Result<()> {
    fat::write(path, &layout.files()?)
}

/// Reads the image volume at `path`.
///
/// # Errors
/// No FAT volume, or no OCI layout on it.
pub fn read(path: &Path) -> Result<Layout> {
    let mut layout = Layout::default();
    for (name, bytes) in fat::read(path)? {
        if let Some(blob) = name.strip_prefix("blobs/sha256/").filter(|blob| !blob.is_empty()) {
            layout.blobs.insert(format!("sha256:{blob}"), bytes);
        } else if name == "index.json" {
            let index: Index = serde_json::from_slice(&bytes).about(format_args!("{}: index.json", path.display()))?;
            for manifest in index.manifests {
                let name = manifest.annotations.get(REF_NAME).cloned().unwrap_or_else(|| manifest.digest.clone());
                layout.images.insert(name, manifest);
            }
        }
    }
    Ok(layout)
}

/// What is wrong with the volume at `path`: one line per problem.
///
/// # Errors
/// It cannot be read at all.
pub fn check(path: &Path) -> Result<Vec<String>> {
    let layout = read(path)?;
    let mut problems = Vec::new();
    for (name, bytes) in &layout.blobs {
        let actual = digest(bytes);
        if actual != *name {
            problems.push(format!("{}: holds {actual}", blob_path(name)));
        }
    }
    for (name, descriptor) in &layout.images {
        let mut missing = |digest: &str| {
            if !layout.blobs.contains_key(digest) {
                problems.push(format!("image {name}: {digest} is missing"));
            }
        };
        missing(&descriptor.digest);
        let Ok(bytes) = layout.blob(&descriptor.digest) else { continue };
        match serde_json::from_slice::<Manifest>(bytes) {
            Ok(manifest) => {
                missing(&manifest.config.digest);
                manifest.layers.iter().for_each(|layer| missing(&layer.digest));
            }
            Err(e) => problems.push(Error::new(format_args!("image {name}"), e).to_string()),
        }
    }
    Ok(problems)
}
