//! conductor: the container manager's verbs as function calls.
//!
//! [`Conductor`] borrows a [`Guest`] and types `conductor` commands at its shell, each word quoted. What a verb prints for
//! people comes back as data: [`Container`]s and tables by column name.

use crate::failure::Failure;
use crate::guest::{Guest, Output};
use std::collections::BTreeMap;

/// The container manager of a guest.
pub struct Conductor<'a>(&'a mut Guest);

/// A running container, as `run -d` and `ps` tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
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
    /// As [`Guest::run`]; `Setup` when it does not start or has ended already.
    pub fn start(&mut self, words: &[&str]) -> Result<Container, Failure> {
        let output = self.verb(&[&["run", "-d"], words].concat())?;
        let failed = |cause: String| Failure::setup(format_args!("conductor run -d {}", words.join(" ")), cause);
        if output.status != 0 {
            return Err(failed(format!("status {}\n{}", output.status, output.text)));
        }
        let id = output.text.lines().next_back().unwrap_or_default();
        let rows = self.ps()?;
        let row = rows.iter().find(|row| row.get("CONTAINER ID").is_some_and(|known| known == id));
        let container = row.and_then(|row| {
            let pid = row.get("PID")?.parse().ok()?;
            Some(Container { id: id.to_string(), name: row.get("NAME")?.clone(), pid })
        });
        container.ok_or_else(|| failed(format!("{id:?} is not listed by conductor ps: {rows:?}")))
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

/// Reads a table with a header; columns are two spaces or more apart, and none is empty.
fn table(text: &str) -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(String::from).collect()
    };
    let mut lines = text.lines();
    let header = cells(lines.next().unwrap_or_default());
    lines.map(|line| header.iter().cloned().zip(cells(line)).collect()).collect()
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
        let rows = table(
            "ID    COMMAND     HOST PID  NAME\nab12  sh -c x           12  brave_a\nc     -           12345678  b\n",
        );
        assert_eq!(rows[0]["ID"], "ab12");
        assert_eq!(rows[0]["COMMAND"], "sh -c x");
        assert_eq!(rows[0]["HOST PID"], "12");
        assert_eq!(rows[1]["HOST PID"], "12345678");
        assert_eq!(rows[1]["NAME"], "b");
    }
}
