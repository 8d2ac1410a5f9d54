//! conductor: the container manager's verbs as function calls.
//!
//! [`Conductor`] borrows a [`Guest`] and types `conductor` commands at its shell, each word quoted. What a verb prints for
//! people comes back as data: [`Container`]s and tables by column name.

use crate::failure::Failure;
use crate::guest::{Guest, Output};
use std::collections::BTreeMap;

/// The container manager of a guest.
pub struct Conductor<'a>(&'a mut Guest);

/// A running container, as `run -d` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The pid of its init, in the host's pid namespace.
    pub pid: u32,
}

/// One row of a table: values by column name.
pub type Row = BTreeMap<String, String>;

impl Guest {
    /// The container manager.
    pub fn conductor(&mut self) -> Conductor<'_> {
        Conductor(self)
    }
}

impl Conductor<'_> {
    /// Runs `conductor` with these words.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn verb(&mut self, words: &[&str]) -> Result<Output, Failure> {
        let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
        self.0.run(&format!("conductor {}", line.join(" ")))
    }

    /// `run`, in the foreground; `words` are options, image and command.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn run(&mut self, words: &[&str]) -> Result<Output, Failure> {
        self.verb(&[&["run"], words].concat())
    }

    /// `run -d`: starts a container in the background.
    ///
    /// # Errors
    /// As [`Guest::run`]; `Setup` when it does not start or does not print a name and a pid.
    pub fn start(&mut self, words: &[&str]) -> Result<Container, Failure> {
        let output = self.verb(&[&["run", "-d"], words].concat())?;
        let line = output.text.lines().next_back().unwrap_or_default();
        let container = line
            .split_once(char::is_whitespace)
            .and_then(|(name, pid)| Some(Container { name: name.to_string(), pid: pid.trim().parse().ok()? }));
        let failed = || {
            Failure::setup(
                format_args!("conductor run -d {}", words.join(" ")),
                format_args!("status {}\n{}", output.status, output.text),
            )
        };
        container.filter(|_| output.status == 0).ok_or_else(failed)
    }

    /// `exec CONTAINER -- COMMAND`.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn exec(&mut self, container: &str, command: &[&str]) -> Result<Output, Failure> {
        self.verb(&[&["exec", container, "--"], command].concat())
    }

    /// `stop`: ends a container and removes it.
    ///
    /// # Errors
    /// As [`Guest::ok`].
    pub fn stop(&mut self, container: &str) -> Result<(), Failure> {
        self.0.ok(&format!("conductor stop {}", quote(container))).map(drop)
    }

    /// `ps`: the running containers.
    ///
    /// # Errors
    /// As [`Guest::ok`].
    pub fn ps(&mut self) -> Result<Vec<Row>, Failure> {
        self.0.ok("conductor ps").map(|text| table(&text))
    }
}

/// A word that the guest's shell takes as it is.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Reads a table whose columns are aligned below their names; names are upper case and two spaces or more apart.
fn table(text: &str) -> Vec<Row> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let mut columns: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for name in header.split("  ").map(str::trim).filter(|name| !name.is_empty()) {
        let start = header[at..].find(name).map_or(at, |found| at + found);
        columns.push((start, name));
        at = start + name.len();
    }
    let cell = |line: &str, i: usize| {
        let end = columns.get(i + 1).map_or(line.len(), |(end, _)| (*end).min(line.len()));
        line.get(columns[i].0.min(end)..end).unwrap_or_default().trim().to_string()
    };
    lines
        .map(|line| columns.iter().enumerate().map(|(i, (_, name))| (name.to_string(), cell(line, i))).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{quote, table};

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quote("a-b"), "a-b");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn tables_are_read_by_column() {
        let rows = table("NAME     HOST PID  COMMAND\nbrave_a  12        sh -c x\nb        7         \n");
        assert_eq!(rows[0]["NAME"], "brave_a");
        assert_eq!(rows[0]["HOST PID"], "12");
        assert_eq!(rows[0]["COMMAND"], "sh -c x");
        assert_eq!(rows[1]["HOST PID"], "7");
        assert_eq!(rows[1]["COMMAND"], "");
    }
}
