//! Container ids and names: 12 hex digits, and an adjective with a computer scientist, as Docker does.

use crate::error::{Context, Result};

const ADJECTIVES: [&str; 16] = [
    "brave", "calm", "clever", "eager", "fair", "gentle", "happy", "keen", "lucid", "merry", "nimble", "quick",
    "quiet", "sharp", "warm", "wise",
];

const PEOPLE: [&str; 16] = [
    "allen",
    "backus",
    "dijkstra",
    "hamilton",
    "hoare",
    "hopper",
    "kernighan",
    "knuth",
    "lamport",
    "liskov",
    "lions",
    "lovelace",
    "ritchie",
    "thompson",
    "turing",
    "wirth",
];

/// A fresh random id: 12 lower-case hex digits.
pub fn random_id() -> Result<String> {
    let mut bytes = [0; 6];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).context("random numbers")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A readable name for the container `id`, with a part of the id so that it hardly ever collides.
pub fn from_id(id: &str) -> String {
    let seed = usize::from_str_radix(id.get(..4).unwrap_or("0"), 16).unwrap_or(0);
    let tail = id.get(8..).unwrap_or("");
    format!("{}_{}_{tail}", ADJECTIVES[seed % 16], PEOPLE[seed / 16 % 16])
}

/// True if a person may give this name: letters, digits, `_.-`, not first a `-` or `.`, at most 64 bytes (Docker's rule).
pub fn is_valid(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{from_id, is_valid};

    #[test]
    fn names_come_from_ids_and_are_valid() {
        assert_eq!(from_id("000000000000"), "brave_allen_0000");
        assert!(is_valid(&from_id("ffee12345678")));
    }

    #[test]
    fn odd_names_are_refused() {
        for name in ["", "-x", ".x", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_valid(name), "{name}");
        }
        assert!(is_valid("web-1.test_2"));
    }
}
