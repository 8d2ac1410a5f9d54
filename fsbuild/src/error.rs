//! error: what failed, said once.
//!
//! [`Error`] is one line that names the file (or the image, or the instruction) and the cause. [`Context`] attaches the
//! former to the latter where both are known.

use std::fmt;

/// A failure as one clear line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error about `thing`, caused by `cause`.
    pub fn new(thing: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{thing}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Names the thing that an error is about.
pub trait Context<T> {
    /// Turns the error into one about `thing`.
    ///
    /// # Errors
    /// The original one, with `thing` before it.
    fn about(self, thing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn about(self, thing: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error::new(thing, cause))
    }
}
