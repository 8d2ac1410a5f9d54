//! oci: the OCI image layout in memory (image specification 1.1): blobs by digest, and an index of named images.
//!
//! [`Layout`] is what `fat` writes and reads. [`Image`] is one image taken out of it for building on: its configuration and
//! its layers. Everything serialises in one order, so equal images have equal digests.

use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The media type of an uncompressed layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The media type of an image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The annotation that names an image in an index.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A reference to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// `sha256:` and the blob's digest.
    pub digest: String,
    /// The blob's length.
    pub size: u64,
    /// Notes, among them [`REF_NAME`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What the image runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor, in Go's words.
    pub architecture: String,
    /// The operating system.
    pub os: String,
}

/// An image manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`MANIFEST`].
    #[serde(default)]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// An image index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// [`INDEX`].
    #[serde(default)]
    pub media_type: String,
    /// The images.
    pub manifests: Vec<Descriptor>,
}

/// An image configuration, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The processor, in Go's words.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// How to run it.
    #[serde(default)]
    pub config: Run,
    /// The layers by the digests of their tars.
    pub rootfs: RootFs,
    /// One line per instruction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// How to run an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Run {
    /// The user to run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Ports, as keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    /// `NAME=value` each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The command's first words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The command's default other words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The directory to start in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Free notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The layers of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `sha256:` and the digest of each layer's tar, lowest first.
    pub diff_ids: Vec<String>,
}

/// One step of an image's making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// It made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl Config {
    /// The configuration of an image with nothing in it.
    pub fn scratch() -> Self {
        Self {
            architecture: "amd64".into(),
            os: "linux".into(),
            config: Run::default(),
            rootfs: RootFs { kind: "layers".into(), diff_ids: Vec::new() },
            history: Vec::new(),
        }
    }
}

/// `sha256:` and the digest of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Blobs and the images made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The blobs, by `sha256:` digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// The images' manifests, by name.
    pub images: BTreeMap<String, Descriptor>,
}

impl Layout {
    /// Adds a blob and tells how to refer to it.
    pub fn add_blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor {
            media_type: media_type.into(),
            digest: digest(&bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
            platform: None,
        };
        self.blobs.insert(descriptor.digest.clone(), bytes);
        descriptor
    }

    /// Adds image `name`; its layers are blobs already. `config` is the configuration's JSON.
    ///
    /// # Errors
    /// The name cannot be an image's, or is taken.
    pub fn add_image(&mut self, name: &str, config: Vec<u8>, layers: Vec<Descriptor>) -> Result<()> {
        let name = image_name(name)?;
        if self.images.contains_key(&name) {
            return Err(Error::new(format_args!("image {name}"), "there are two of that name"));
        }
        let config = self.add_blob(CONFIG, config);
        let manifest = Manifest { schema_version: 2, media_type: MANIFEST.into(), config, layers };
        let json = serde_json::to_vec(&manifest).about(format_args!("image {name}"))?;
        let mut descriptor = self.add_blob(MANIFEST, json);
        descriptor.annotations.insert(REF_NAME.into(), name.clone());
        self.images.insert(name, descriptor);
        Ok(())
    }

    /// The blob that `descriptor` refers to.
    ///
    /// # Errors
    /// It is not there.
    pub fn blob(&self, digest: &str) -> Result<&[u8]> {
        self.blobs.get(digest).map(Vec::as_slice).ok_or_else(|| Error::new(format_args!("blob {digest}"), "missing"))
    }

    /// The configuration and the layers of image `name`.
    ///
    /// # Errors
    /// No such image, or one that is damaged.
    pub fn image(&self, name: &str) -> Result<(Config, Vec<Descriptor>)> {
        let name = image_name(name)?;
        let thing = format!("image {name}");
        let descriptor = self.images.get(&name).ok_or_else(|| Error::new(&thing, "no such image"))?;
        let manifest: Manifest = serde_json::from_slice(self.blob(&descriptor.digest)?).about(&thing)?;
        let config = serde_json::from_slice(self.blob(&manifest.config.digest)?).about(&thing)?;
        Ok((config, manifest.layers))
    }

    /// The files of the layout: path and bytes, in a fixed order.
    ///
    /// # Errors
    /// None in practice: JSON of plain data.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let index =
            Index { schema_version: 2, media_type: INDEX.into(), manifests: self.images.values().cloned().collect() };
        let mut files = vec![
            ("oci-layout".to_string(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_string(), serde_json::to_vec(&index).about("index.json")?),
        ];
        files.extend(self.blobs.iter().map(|(digest, bytes)| (blob_path(digest), bytes.clone())));
        Ok(files)
    }
}

/// Where a layout keeps the blob of this digest.
pub fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// An image's name in its short form: without `:latest`.
///
/// # Errors
/// Characters that no image name has.
pub fn image_name(name: &str) -> Result<String> {
    let name = name.strip_suffix(":latest").unwrap_or(name);
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(fine) {
        return Err(Error::new(format_args!("image name {name:?}"), "letters, digits and ._-/: only"));
    }
    Ok(name.to_string())
}
