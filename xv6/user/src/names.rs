//! User and group names from `/etc/passwd` and `/etc/group`; an id without a name is shown as its number.

use std::collections::HashMap;
use std::fs;

/// One of the two files, by id and by name.
#[derive(Default)]
pub struct Names {
    by_id: HashMap<u32, String>,
    by_name: HashMap<String, Entry>,
}

/// A line of `/etc/passwd` (of `/etc/group` only `id` counts).
#[derive(Clone, Debug)]
pub struct Entry {
    /// User or group id.
    pub id: u32,
    /// The user's first group.
    pub group: u32,
}

impl Names {
    /// The users; empty if the file cannot be read.
    pub fn users() -> Self {
        Self::load("/etc/passwd")
    }

    /// The groups; empty if the file cannot be read.
    pub fn groups() -> Self {
        Self::load("/etc/group")
    }

    fn load(path: &str) -> Self {
        let mut names = Self::default();
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let Some(id) = fields.get(2).and_then(|id| id.parse().ok()) else { continue };
            let group = fields.get(3).and_then(|group| group.parse().ok()).unwrap_or(id);
            names.by_id.entry(id).or_insert_with(|| fields[0].to_owned());
            names.by_name.entry(fields[0].to_owned()).or_insert(Entry { id, group });
        }
        names
    }

    /// The name of `id`, or its number.
    pub fn of(&self, id: u32) -> String {
        self.by_id.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The name of `id`, if it has one.
    pub fn known(&self, id: u32) -> Option<&str> {
        self.by_id.get(&id).map(String::as_str)
    }

    /// The id that `word` means: a name, or a number.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.by_name.get(word).map(|entry| entry.id).or_else(|| word.parse().ok())
    }

    /// The entry called `name`.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name)
    }
}
