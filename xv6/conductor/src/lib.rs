//! conductor: containers from OCI images, by namespaces, cgroups and an overlay; a client without a daemon.
//!
//! ```text
//!   args -> verbs/* -> store   (records on disk, one lock)
//!                   -> image   (OCI index, manifest, config) -> layers (tar mounts, shared by all containers)
//!                   -> monitor (one process per container: stdio, log, exit status)
//!                        -> stage (the first process inside: namespaces, rootfs, privileges, exec)
//! ```
//!
//! Everything a container owns hangs on three things: its record's folder, its cgroup, and the mount namespace of its init;
//! when the init is gone and the first two are removed, nothing of it is left.
//!
//! Exit statuses are Docker's: the command's own, 128+n for signal n, 125 for conductor's own failure, 126 for a command that
//! cannot be executed, 127 for one that is not there.

pub mod args;
pub mod capabilities;
pub mod cgroup;
pub mod error;
pub mod image;
pub mod layers;
pub mod monitor;
pub mod names;
pub mod plan;
pub mod process;
pub mod pty;
pub mod recovery;
pub mod registry;
pub mod relay;
pub mod rootfs;
pub mod stage;
pub mod start;
pub mod store;
pub mod terminal;
pub mod user;
pub mod verbs;
