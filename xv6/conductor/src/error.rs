//! [`Failure`]: one clear line (what, which, why) and the exit status that goes with it.

use std::fmt;
use std::path::Path;

/// Shorthand used everywhere in conductor.
pub type Result<T> = std::result::Result<T, Failure>;

/// conductor's own failure (docker run(1), "Exit status").
pub const OWN: u8 = 125;
/// The command is there and cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command is not there.
pub const NOT_FOUND: u8 = 127;

/// Why a verb failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// One line without the program's name: `sample: no such image`.
    pub message: String,
}

impl Failure {
    /// conductor's own failure, status 125.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { status: OWN, message: message.into() }
    }

    /// A failure with a status of its own.
    pub fn with_status(status: u8, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The system's words for an error, without Rust's "(os error N)".
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Names the thing that an operation failed on: `what: reason`.
pub trait Context<T> {
    /// `what` is the thing's name or a short phrase that contains it.
    fn context(self, what: impl fmt::Display) -> Result<T>;
    /// As [`Context::context`], for a path.
    fn at(self, path: &Path) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::new(format!("{what}: {}", reason(&error.into()))))
    }

    fn at(self, path: &Path) -> Result<T> {
        self.context(path.display())
    }
}
