//! stamp: "nothing changed" told in milliseconds.
//!
//! A [`Stamp`] is a digest over the names, sizes and modification times of files. Stored beside what was made from them, it
//! says the next time whether making it again can be skipped. Times have nanoseconds, so an edit within a second counts.

use crate::failure::Failure;
use sha2::{Digest, Sha256};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A digest of inputs, in hexadecimal.
pub type Stamp = String;

/// Collects inputs.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Sha256);

impl Inputs {
    /// Adds a word (an option, a version).
    #[must_use]
    pub fn word(mut self, word: &str) -> Self {
        self.0.update(word.as_bytes());
        self.0.update([0]);
        self
    }

    /// Adds a file or, by walking it, a folder. What is absent counts as absent.
    ///
    /// # Errors
    /// `Setup` when a folder cannot be read.
    pub fn path(mut self, path: &Path) -> Result<Self, Failure> {
        self.walk(path).map_err(|e| Failure::setup(format_args!("read {}", path.display()), e))?;
        Ok(self)
    }

    /// The digest.
    pub fn stamp(self) -> Stamp {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn walk(&mut self, path: &Path) -> std::io::Result<()> {
        self.0.update(path.as_os_str().as_encoded_bytes());
        let Ok(meta) = path.symlink_metadata() else {
            self.0.update([0]);
            return Ok(());
        };
        self.0.update(meta.mode().to_le_bytes());
        if meta.is_dir() {
            let mut names: Vec<_> = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
            names.sort_by_key(std::fs::DirEntry::file_name);
            for entry in names {
                self.walk(&entry.path())?;
            }
        } else {
            for number in [meta.len() as i64, meta.mtime(), meta.mtime_nsec()] {
                self.0.update(number.to_le_bytes());
            }
        }
        Ok(())
    }
}

/// Whether `file` holds `stamp`.
pub fn fresh(file: &Path, stamp: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|old| old == stamp)
}

/// Writes `stamp` to `file`.
///
/// # Errors
/// `Setup` when it cannot be written.
pub fn store(file: &Path, stamp: &str) -> Result<(), Failure> {
    std::fs::write(file, stamp).map_err(|e| Failure::setup(format_args!("write {}", file.display()), e))
}

#[cfg(test)]
mod tests {
    use super::Inputs;

    #[test]
    fn an_edit_changes_the_stamp() {
        let dir = tempfile::tempdir().expect("a folder");
        let stamp = || Inputs::default().path(dir.path()).expect("readable").stamp();
        std::fs::write(dir.path().join("a"), "1").expect("written");
        let first = stamp();
        assert_eq!(first, stamp());
        std::fs::write(dir.path().join("a"), "12").expect("written");
        assert_ne!(first, stamp());
    }
}
