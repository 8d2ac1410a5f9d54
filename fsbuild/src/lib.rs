//! fsbuild: packs the guest's disks on the host, and checks, lists and extracts them.
//!
//! Two kinds of disk leave here. The *root disk* is an xv6fs volume: a [`tree::Tree`] written by [`root`] with the same
//! code that the kernel mounts it with. The *image volume* is FAT32 with one OCI image layout on it ([`oci`], [`volume`],
//! [`fat`]): images come from Conductorfiles ([`conductorfile`], [`recipe`]) or from elsewhere ([`import`]); their layers
//! are tars ([`layer`]) that the kernel mounts in place. Everything is deterministic: equal inputs give equal bytes.
//! The harness calls the library; the `fsbuild` program is the same for people.

pub mod conductorfile;
mod disk;
mod error;
mod fat;
pub mod import;
pub mod layer;
pub mod oci;
pub mod recipe;
pub mod root;
pub mod tree;
pub mod volume;
mod words;

pub use error::{Context, Error, Result};
pub use fat::is_fat32;
