//! An open `/proc/PID/ns/X`: it keeps the namespace alive and is what setns(2) takes.
//!
//! No locks.

use super::NsRef;
use crate::vfs::file::FileOps;
use core::any::Any;

/// What an open namespace file can do: name its namespace.
pub struct NsFile(pub NsRef);

impl FileOps for NsFile {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
