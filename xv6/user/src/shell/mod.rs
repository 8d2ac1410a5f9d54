//! The shell's language, POSIX sh (XCU 2), apart from running it: syntax tree, parser, arithmetic, patterns, field splitting.
//!
//! All text is bytes, as file names and arguments are. `src/bin/sh/` runs what this reads; the tests of both stand beside them.

pub mod arith;
mod compounds;
pub mod fields;
pub mod glob;
pub mod parser;
pub mod pattern;
pub mod syntax;
mod words;
