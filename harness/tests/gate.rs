//! Format and lints as tests, so that plain `cargo test` is the whole gate.
//!
//! The nested cargo has a target directory of its own, `build/lint`: the outer one holds the lock of the usual one.

use std::process::{Command, Stdio};

/// Runs cargo with these words; its output is shown when it fails.
fn cargo(words: &str) {
    run(words, harness::cargo().env("CARGO_TARGET_DIR", harness::workspace::build().join("lint")));
}

fn run(words: &str, cargo: &mut Command) {
    let cargo = cargo.args(words.split_whitespace()).env("CARGO_TERM_COLOR", "never");
    let output = cargo.stdin(Stdio::null()).output().expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "cargo {words}\n{text}");
}

#[test]
fn the_code_is_formatted() {
    cargo("fmt --all --check");
}

#[test]
fn the_host_crates_pass_clippy() {
    cargo("clippy -q -p xv6fs -p fsbuild -p harness -p models --all-targets -- -D warnings");
}

#[test]
fn the_unit_tests_of_the_guest_crates_pass_clippy() {
    cargo("clippy -q -p hal -p kernel -p user -p conductor --lib --tests -- -D warnings");
}

#[test]
fn the_kernel_passes_clippy() {
    cargo("clippy -q -p hal -p kernel --target x86_64-unknown-none -- -D warnings");
}

#[test]
fn the_userland_passes_clippy() {
    cargo("clippy -q -p user -p conductor --target x86_64-unknown-linux-musl -- -D warnings");
}

#[test]
fn the_guest_crates_pass_their_unit_tests() {
    cargo("test -q -p hal -p kernel -p user -p conductor --lib");
}

/// The kernel's locks, queues and scheduler in every order that matters (`xv6/models`): compiled with loom's atomics, in a target directory of
/// their own, since the flag is every crate's.
#[test]
fn the_models_hold() {
    let target = harness::workspace::build().join("loom");
    let mut cargo = harness::cargo();
    run(
        "test -q -p models --lib --profile models",
        cargo.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", "--cfg loom"),
    );
}
