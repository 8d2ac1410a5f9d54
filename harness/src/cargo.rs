//! cargo: the guest's own builds, as nested cargo runs.
//!
//! [`programs`] builds packages for a bare target in a target directory of the harness's own, so that it never waits for the
//! lock of the cargo that runs the harness, and returns the executables that cargo names.

use crate::failure::Failure;
use crate::workspace;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Packages of the workspace.
    pub packages: &'a [&'a str],
    /// The target triple.
    pub target: &'a str,
    /// The profile in the workspace's manifest.
    pub profile: &'a str,
}

/// A built executable.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

/// A cargo command of this toolchain, for the workspace, free of what an outer cargo put into the environment.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_FEATURE_"];
        let exact =
            ["CARGO_TARGET_DIR", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];
        if inherited.iter().any(|prefix| text.starts_with(prefix)) || exact.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs `cargo build` for `order`; its progress and its errors go to our stderr.
///
/// # Errors
/// `Setup` when cargo cannot run or the build fails.
pub fn programs(order: &Order) -> Result<Vec<Program>, Failure> {
    let what = order.packages.join(" and ");
    let mut command = cargo();
    command.arg("build").args(["--target", order.target, "--profile", order.profile]);
    command.args(["--bins", "--message-format=json-render-diagnostics", "--target-dir"]);
    command.arg(workspace::build().join("target"));
    for package in order.packages {
        command.args(["--package", package]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::setup(format_args!("run cargo to build {what}"), e))?;
    let mut programs = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            programs.extend(artifact(&line));
        }
    }
    let status = child.wait().map_err(|e| Failure::setup(format_args!("build {what}"), e))?;
    if !status.success() {
        let hint = format!("cargo ended with {status}; if a target or component is missing, run ci/setup");
        return Err(Failure::setup(format_args!("build {what} for {}", order.target), hint));
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

/// The executable that one line of cargo's JSON tells of.
fn artifact(line: &str) -> Option<Program> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    (message["reason"] == "compiler-artifact").then_some(())?;
    let file = PathBuf::from(message["executable"].as_str()?);
    Some(Program { name: message["target"]["name"].as_str()?.to_string(), file })
}
