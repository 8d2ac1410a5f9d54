//! The virtual file system: mounts, dentries, path walk, open files.

pub mod file;
pub mod inode;

/// A place in the mount tree.
pub struct Path;

/// An open file.
pub struct File;
