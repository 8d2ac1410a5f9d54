//! A check's line: words added one by one, written at once, so that a check that dies shows how far it came.
//!
//! Key types: [`Line`], and [`Show`], how a value reads. The words go through descriptor [`RESULT`] to `runner.rs`, also from a
//! check's own children.

use std::fmt::Write as _;

use crate::sys::{Errno, Fd};

/// The descriptor that carries the words.
pub const RESULT: i32 = 100;

/// What a skipped check's result begins with.
pub const SKIPPED: &str = "skipped: ";

/// The line being written.
pub struct Line(());

impl Line {
    /// The line of the check that this process is.
    pub fn new() -> Self {
        Self(())
    }

    /// Adds what `value` reads like.
    pub fn put(&mut self, value: impl Show) {
        let mut text = String::new();
        value.show(&mut text);
        text.push(' ');
        self.write(&text);
    }

    /// Adds `label=value`.
    pub fn is(&mut self, label: &str, value: impl Show) {
        let mut text = format!("{label}=");
        value.show(&mut text);
        text.push(' ');
        self.write(&text);
    }

    /// Ends the check: it cannot run here, for this cause.
    pub fn skip(&mut self, cause: &str) -> ! {
        self.write(&format!("{SKIPPED}{cause}"));
        std::process::exit(0)
    }

    fn write(&mut self, text: &str) {
        // Nobody is left to tell when the runner is gone.
        let _ = crate::sys::write(Fd(RESULT), text);
    }
}

/// How a value reads in a line.
pub trait Show {
    /// Appends the value's text.
    fn show(&self, text: &mut String);
}

macro_rules! show_as_written {
    ($($kind:ty),*) => {
        $(impl Show for $kind {
            fn show(&self, text: &mut String) {
                let _ = write!(text, "{self}");
            }
        })*
    };
}

show_as_written!(i32, u32, i64, u64, usize, u8, u16, bool, str, String);

impl Show for () {
    fn show(&self, text: &mut String) {
        text.push_str("ok");
    }
}

impl Show for Fd {
    fn show(&self, text: &mut String) {
        text.push_str("fd");
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self, text: &mut String) {
        (**self).show(text);
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, text: &mut String) {
        match self {
            Some(value) => value.show(text),
            None => text.push_str("none"),
        }
    }
}

impl<T: Show, E: Into<Errno> + Clone> Show for Result<T, E> {
    fn show(&self, text: &mut String) {
        match self {
            Ok(value) => value.show(text),
            Err(error) => text.push_str(&error.clone().into().name()),
        }
    }
}

impl<T: Show> Show for [T] {
    fn show(&self, text: &mut String) {
        text.push('[');
        for (i, value) in self.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            value.show(text);
        }
        text.push(']');
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self, text: &mut String) {
        self.as_slice().show(text);
    }
}

impl<T: Show, const N: usize> Show for [T; N] {
    fn show(&self, text: &mut String) {
        self.as_slice().show(text);
    }
}

impl<A: Show, B: Show> Show for (A, B) {
    fn show(&self, text: &mut String) {
        self.0.show(text);
        text.push('/');
        self.1.show(text);
    }
}

impl<A: Show, B: Show, C: Show> Show for (A, B, C) {
    fn show(&self, text: &mut String) {
        self.0.show(text);
        text.push('/');
        (&self.1, &self.2).show(text);
    }
}

/// A number in octal, as modes are read.
pub struct Octal(pub u32);

impl Show for Octal {
    fn show(&self, text: &mut String) {
        let _ = write!(text, "{:04o}", self.0);
    }
}

/// A number in hexadecimal, as flags are read.
pub struct Hex(pub u64);

impl Show for Hex {
    fn show(&self, text: &mut String) {
        let _ = write!(text, "{:#x}", self.0);
    }
}
