//! Executing another command in place of this program, as `env`, `chroot`, `nsenter` and their like end.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::fail::{Failure, why};

/// Executes `words`, found through `PATH`. Returns only on failure: status 127 if there is no such command, else 126.
pub fn exec(words: &[OsString]) -> Failure {
    let Some(name) = words.first() else { return Failure::new("no command").with_status(2) };
    failure(name, &Command::new(name).args(&words[1..]).exec())
}

/// The failure that an error of executing `name` is.
pub fn failure(name: &OsString, error: &std::io::Error) -> Failure {
    let status = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::new(format!("{}: {}", name.to_string_lossy(), why(error))).with_status(status)
}

/// The command given, or the shell.
pub fn or_shell(words: Vec<OsString>) -> Vec<OsString> {
    if words.is_empty() { vec![std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())] } else { words }
}
