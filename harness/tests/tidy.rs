//! The house rules, where a machine can tell: each test lists every place that breaks its rule.
//!
//! Rules: a `//!` opens every file; no file over 600 lines (over 400 is worth a second look and is told); `unsafe` in
//! `xv6/hal` only; no `#[allow]` and no `unwrap()`; the rooms depend on each other in one direction.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most lines a file may have.
const MAX_LINES: usize = 600;
/// From here on a file should be looked at again.
const LONG_LINES: usize = 400;
/// Files outside `xv6/hal` that may have `unsafe`: what neither std nor a crate offers as a safe call.
const UNSAFE_ALLOWED: [&str; 4] =
    ["xv6/user/src/raw.rs", "xv6/user/src/raw/arena.rs", "xv6/user/src/raw/expendable.rs", "xv6/kernel/src/main.rs"];
/// Which workspace packages each package may depend on.
const DEPENDENCIES: [(&str, &[&str]); 8] = [
    ("hal", &[]),
    ("xv6fs", &[]),
    ("kernel", &["hal", "xv6fs"]),
    ("models", &["hal", "kernel"]),
    ("user", &[]),
    ("conductor", &["user"]),
    ("fsbuild", &["xv6fs"]),
    ("harness", &["fsbuild"]),
];

/// Every Rust file of the checkout, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let root = harness::workspace::root();
    let mut files = BTreeMap::new();
    let mut todo: Vec<PathBuf> = ["xv6", "fsbuild", "harness"].iter().map(|room| root.join(room)).collect();
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).expect("a room") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                files.insert(name, std::fs::read_to_string(&path).expect("a readable source"));
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found: {files:?}");
    files
}

/// The lines that contain code: number and text without comments and string contents (nearly: one line at a time).
fn code(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().map(|(i, line)| {
        let mut out = String::new();
        let mut quoted = false;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' if quoted => drop(chars.next()),
                '"' => quoted = !quoted,
                '/' if !quoted && chars.peek() == Some(&'/') => break,
                c if !quoted => out.push(c),
                _ => {}
            }
        }
        (i + 1, out)
    })
}

/// Fails with the places, if there are any.
fn none(rule: &str, places: &[String]) {
    assert!(places.is_empty(), "{rule}:\n  {}", places.join("\n  "));
}

/// The places where `breaks` holds for a line of code.
fn lines_where(breaks: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    for (name, text) in sources() {
        let found = code(&text).filter(|(_, line)| breaks(&name, line));
        places.extend(found.map(|(number, line)| format!("{name}:{number}: {}", line.trim())));
    }
    places
}

/// Whether `line` has `word` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}

#[test]
fn every_file_says_what_it_is() {
    let files = sources();
    let silent: Vec<String> =
        files.iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name.clone()).collect();
    none("these do not begin with //!", &silent);
}

#[test]
fn no_file_is_too_long() {
    let mut too_long = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            too_long.push(format!("{name}: {lines} lines"));
        } else if lines > LONG_LINES {
            println!("{name}: {lines} lines; is it still one idea?");
        }
    }
    none("these are longer than 600 lines", &too_long);
}

#[test]
fn unsafe_stays_in_hal() {
    let places = lines_where(|name, line| {
        has_word(line, "unsafe") && !name.starts_with("xv6/hal/") && !UNSAFE_ALLOWED.contains(&name)
    });
    none("unsafe outside xv6/hal", &places);
}

#[test]
fn nothing_is_silenced_or_unwrapped() {
    none(
        "#[allow]: use #[expect(.., reason = \"..\")]",
        &lines_where(|_, line| line.contains("#[allow") || line.contains("#![allow")),
    );
    none("unwrap(): use expect(\"why\") or an error", &lines_where(|_, line| line.contains(".unwrap()")));
}

#[test]
fn the_rooms_depend_one_way() {
    let output =
        harness::cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let allowed = DEPENDENCIES.iter().find(|(room, _)| *room == name).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("package {name} has no rule here"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let needs = dependency["name"].as_str().expect("a name");
            // What tests alone need binds nobody.
            let for_tests = dependency["kind"] == "dev";
            if dependency["path"].is_string() && !for_tests && !allowed.contains(&needs) {
                wrong.push(format!("{name} depends on {needs}"));
            }
        }
    }
    none("dependencies against the direction of the design", &wrong);
}

#[test]
fn the_rules_see_code_only() {
    let seen: Vec<String> = code("let a = \"unsafe // \\\" x\"; b // unsafe").map(|(_, line)| line).collect();
    assert_eq!(seen, ["let a = ; b "]);
    assert!(Path::new("a").is_relative() && has_word("pub unsafe fn", "unsafe") && !has_word("unsafe_code", "unsafe"));
}
