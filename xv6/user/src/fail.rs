//! A program's failure: what it was about, why, and the exit status it gives.
//!
//! Key types: [`Failure`], and [`About`], which names the thing that an `io::Result` or `rustix` result is about.

use std::ffi::OsStr;
use std::fmt;
use std::io;

/// Why a program (or one of its operands) failed; prints as `what: why`.
#[derive(Debug)]
pub struct Failure {
    text: String,
    status: u8,
}

impl Failure {
    /// A failure in the program's own words, status 1.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 1 }
    }

    /// The same with another exit status.
    pub fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }

    /// Ends the program with `status` and prints nothing.
    pub fn silent(status: u8) -> Self {
        Self::new("").with_status(status)
    }

    /// The exit status, 1 unless set.
    pub fn status(&self) -> u8 {
        self.status
    }

    /// Whether there is nothing to print.
    pub fn is_silent(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Names the thing that an error is about.
pub trait About<T> {
    /// Turns the error into a [`Failure`] that prints as `what: why`.
    fn about(self, what: impl AsRef<OsStr>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> About<T> for Result<T, E> {
    fn about(self, what: impl AsRef<OsStr>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{}: {}", what.as_ref().to_string_lossy(), why(&error.into()))))
    }
}

/// An error's text as strerror(3) gives it, without Rust's ` (os error N)`.
pub fn why(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Writing to standard output: the one error that has no name of its own.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match Err::<(), _>(error).about("standard output") {
            Err(failure) => failure,
            Ok(()) => Self::new("standard output"),
        }
    }
}
